"""Faults to plant in the shipped nginx configuration, and what the doctor says to each."""

from typing import NamedTuple


class Fault(NamedTuple):
    """`new` takes the place of `old` in a file; `marker` stands in the line that is to be named."""

    file: str
    old: str
    new: str
    marker: str
    problem: str
    remedy: str


CONF, HTTP, SERVER = "nginx.conf", "portcullis-http.conf", "portcullis-server.conf"
PROTECT = "portcullis-protect.conf"
READ = 'set $portcullis_scope "demo:read";\n            include portcullis-protect.conf;'
ROUTED = READ.replace("demo:read", "@routes")
LAST = "        location / {\n"
PLAIN = "auth_request /_portcullis/validate; auth_request_set $portcullis_granted_scope x; "
KEPT = "set $portcullis_kept_scope x; error_page 403 = $portcullis_answer;"
LAX = "server { listen 127.0.0.1:8080 default_server; %s return 421; }\n\n    upstream demo {"


def in_read(line: str, problem: str, remedy: str) -> Fault:
    """A line more in location = /demo/read."""
    return Fault(CONF, READ, f"{READ}\n{line}", line, problem, remedy)


def in_routed(line: str, problem: str, remedy: str) -> Fault:
    """A line more in location /demo/routed/."""
    return Fault(CONF, ROUTED, f"{ROUTED}\n{line}", line, problem, remedy)


def in_server(line: str, problem: str, remedy: str) -> Fault:
    """A line more in the public server."""
    return Fault(CONF, LAST, f"{line}\n{LAST}", line, problem, remedy)


FAULTS = {
    "return": in_read('return 200 "x";', "before the token", "location of its own"),
    "return url": in_read("return https://x;", "before the token", "location of its own"),
    "return in if": in_read(
        "if ($request_method = OPTIONS) { return 204; }", "before the token", "location of its own"
    ),
    "redirect": in_read("rewrite ^ /x permanent;", "before the token", "location of its own"),
    "rewrite": in_read("rewrite ^ /health last;", "which asks nobody", "use `break`"),
    "hole": in_routed(
        "location /demo/routed/x { auth_request off; }", "opens a hole", "outside of it"
    ),
    "late set": in_read(
        'set $portcullis_audience "x";', "stands below the include", "above the include"
    ),
    "own error page": in_read("error_page 403 /x;", "takes the place", "take 403 out"),
    "forged": in_read(
        "proxy_set_header X-Auth_Scope $http_x_auth_scope;", "what the client sent", "remove"
    ),
    "certificate passed on": in_server(
        "location = /t { proxy_pass http://portcullis/token; }",
        "says of its certificate",
        "proxy_pass_request_headers off",
    ),
    "certificate half passed on": in_server(
        'location /to { proxy_set_header X-SSL-Client-Verify ""; proxy_pass http://portcullis; }',
        "says of its certificate",
        "proxy_pass_request_headers off",
    ),
    "certificate from the client": Fault(
        SERVER,
        "X-SSL-Client-Cert $portcullis_certificate",
        "X-SSL-Client-Cert $http_x_ssl_client_cert",
        "$http_x_ssl_client_cert",
        "what the client sent",
        "$ssl_client_escaped_cert",
    ),
    "shown token": in_read(
        "proxy_set_header Authorization $http_authorization;", "hands the bearer token", "remove"
    ),
    "nested": in_routed(
        "location /demo/routed/y { proxy_pass http://127.0.0.1:9; }",
        "inherits auth_request but not the scope",
        "include portcullis-protect.conf",
    ),
    "fastcgi": in_server(
        "location /php { include portcullis-protect.conf; fastcgi_pass 127.0.0.1:9; }",
        "x-auth-client-id",
        "fastcgi_param",
    ),
    "bare auth_request": in_server(
        f"location /bare {{ {KEPT} {PLAIN} proxy_pass http://127.0.0.1:9; }}",
        "x-auth-client-id, x-auth-scope, x-auth-jti reach the upstream",
        "include portcullis-protect.conf",
    ),
    "side door": in_server(
        "location /side { proxy_pass http://demo; }", "reaches `demo` without a token", "protect it"
    ),
    "server return": in_server("return 200;", "answers for its protected", "location of its own"),
    "server set": in_server('set $portcullis_scope "x";', "in server { }", "each protected"),
    "server rewrite": in_server(
        "rewrite ^/(.*)$ /index/$1 last;", "catches the question", "into a location"
    ),
    "underscores": Fault(
        CONF,
        "upstream demo {",
        LAX % "underscores_in_headers on;",
        "underscores_in_headers on",
        "other spellings",
        "remove it",
    ),
    "invalid names": Fault(
        CONF,
        "upstream demo {",
        LAX % "ignore_invalid_headers off;",
        "ignore_invalid_headers off",
        "other spellings",
        "remove it",
    ),
    "no auth location": Fault(
        CONF,
        "        include portcullis-server.conf;\n",
        "",
        "location = /demo/read",
        "leads to location /",
        "include portcullis-server.conf",
    ),
    "not internal": Fault(
        SERVER, "    internal;\n", "", "location = /_portcullis", "open to every", "add `internal;`"
    ),
    "satisfy any": Fault(
        PROTECT, "satisfy all;", "satisfy any;", "satisfy any", "without a token", "satisfy all"
    ),
    "no keepalive": Fault(
        HTTP,
        "    keepalive 512; ",
        "    # ",
        "",
        "opens a connection for every question",
        "keepalive 64",
    ),
    "auth HTTP/1.0": Fault(
        SERVER, "proxy_http_version 1.1;", "", "", "opens a connection", "proxy_http_version 1.1"
    ),
    "auth Connection": Fault(
        SERVER, 'proxy_set_header Connection "";', "", "", "opens a connection", "Connection"
    ),
    "upstream HTTP/1.0": Fault(
        CONF,
        'proxy_http_version 1.1;\n            proxy_set_header Connection "";\n        }\n\n'
        "        location = /demo/write",
        "}\n\n        location = /demo/write",
        "",
        "location = /demo/read opens a connection",
        "proxy_http_version 1.1",
    ),
    "body limit": Fault(
        SERVER,
        "client_max_body_size 0;",
        "client_max_body_size 1m;",
        "client_max_body_size 1m",
        "body limit of 1m",
        "client_max_body_size 0",
    ),
    "inherited body limit": Fault(
        SERVER, "client_max_body_size 0;", "", "", "body limit of 16m", "client_max_body_size 0"
    ),
    "body": Fault(
        SERVER,
        "proxy_pass_request_body off;",
        "",
        "location = /_portcullis",
        "the client's body",
        "proxy_pass_request_body off",
    ),
    "all headers": Fault(
        SERVER,
        "proxy_pass_request_headers off;",
        "",
        "location = /_portcullis",
        "all the client's headers",
        "proxy_pass_request_headers off",
    ),
}
