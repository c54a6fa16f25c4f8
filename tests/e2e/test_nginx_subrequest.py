"""What nginx asks the app: only what it says itself, about the location that serves the call."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply

LOCATIONS = """
    large_client_header_buffers 4 32k;
    location = /full {
        set $portcullis_scope "a b";
        set $portcullis_audience "https://orders.example";
        include portcullis-protect.conf;
        proxy_pass http://behind;
    }
    location = /any { include portcullis-protect.conf; proxy_pass http://behind; }
    location /late {
        include portcullis-protect.conf;
        set $portcullis_scope "late";
        proxy_pass http://behind;
    }
    location = /stale {
        set $portcullis_stale 30;
        include portcullis-protect.conf;
        proxy_pass http://behind;
    }
    location /outer {
        set $portcullis_scope "outer";
        include portcullis-protect.conf;
        proxy_pass http://behind;
        location /outer/inner { proxy_pass http://behind; }
    }
    location = /second {
        internal;
        set $portcullis_scope "second";
        include portcullis-protect.conf;
        proxy_pass http://behind;
    }
"""
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECOND = reply(200, "X-Accel-Redirect: /second")


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path, server=LOCATIONS) as running:
        yield running


EVERYTHING = (
    "Authorization: Bearer t",
    "X-Required-Scope: none",
    "X-Required-Audience: mine",
    "X-Allow-Stale: 3600",
    "X-SSL-Client-Cert: forged",
    "X_SSL_Client_Cert: forged",
    "X-Original-Method: GET",
    "X-Original-URI: /free",
    "X-Request-ID: 1",
    "X-Foo: 1",
    "X-Forwarded-For: 1.2.3.4",
    "Cookie: a=b",
    "Range: bytes=0-1",
    "If-None-Match: *",
    "If-Modified-Since: Sat, 21 Nov 2026 00:00:00 GMT",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Content-Type: text/plain",
    "TE: trailers",
    f"traceparent: {TRACEPARENT}",
    "tracestate: a=b",
)
"""What a client may send, of which the app is to hear as little as it needs."""


def test_nothing_of_the_clients_but_its_token_is_asked(front: Gateway) -> None:
    """Of all that a client can send, the app gets the token, and what nginx says itself."""
    front.call(
        "POST /full?secret=1 HTTP/1.1",
        *EVERYTHING,
        body=b"body",
    )
    (asked,) = front.app.received
    assert "GET /validate?path=decoded HTTP/1.1" == asked.line
    assert b"" == asked.body
    assert [
        ("Authorization", "Bearer t"),
        ("Host", "portcullis"),
        ("X-Original-Method", "POST"),
        ("X-Original-URI", "/full"),
        ("X-Request-ID", asked.one("X-Request-ID")),
        ("X-Request-Start", asked.one("X-Request-Start")),
        ("X-Required-Audience", "https://orders.example"),
        ("X-Required-Scope", "a b"),
        ("traceparent", TRACEPARENT),
    ] == sorted(asked.headers)
    assert 32 == len(asked.one("X-Request-ID"))
    assert abs(time.time() - float(asked.one("X-Request-Start"))) < 10


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "1",
        f"{TRACEPARENT}-more",
        TRACEPARENT.replace("00-", "ff-"),
        TRACEPARENT.upper(),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        f"{TRACEPARENT}\x0b",
    ],
)
def test_trace_that_is_none_is_not_passed_on(front: Gateway, sent: str) -> None:
    """The app gets a valid `traceparent` or none."""
    front.call("GET /any HTTP/1.1", f"traceparent: {sent}")
    (asked,) = front.app.received
    assert "traceparent" not in asked.names()


def test_nothing_set_asks_for_any_valid_token(front: Gateway) -> None:
    """Without scope and audience neither header is sent."""
    front.call("GET /any HTTP/1.1")
    (asked,) = front.app.received
    always = ["host", "x-original-method", "x-original-uri", "x-request-id", "x-request-start"]
    assert always == asked.names()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_method_asked_about_is_the_clients(front: Gateway, method: str) -> None:
    """The subrequest is a GET; what it asks about is not."""
    front.call(f"{method} /full HTTP/1.1")
    assert method == front.app.received[0].one("X-Original-Method")


def test_set_below_the_include_still_counts(front: Gateway) -> None:
    """A scope that stands after the include is asked for, not left out."""
    front.call("GET /late HTTP/1.1")
    assert "late" == front.app.received[0].one("X-Required-Scope")


def test_staleness_is_asked_for_only_where_it_is_declared(front: Gateway) -> None:
    """By the location, not by its client, and not by a location that the request came through."""
    front.upstream.answering = lambda call: (
        SECOND if call.line.startswith("GET /stale") else reply(200)
    )
    front.call("GET /stale HTTP/1.1", "X-Allow-Stale: 99")
    front.call("GET /any HTTP/1.1", "X-Allow-Stale: 99")
    asked = [(each.one("X-Original-URI"), each.all("X-Allow-Stale")) for each in front.app.received]
    assert [("/stale", ["30"]), ("/second", []), ("/any", [])] == asked


def test_set_in_the_server_does_not_wipe_the_locations(tmp_path: Path) -> None:
    """nginx runs a server's `set` again inside the subrequest; the location's value stays."""
    server = 'set $portcullis_scope "server"; set $portcullis_audience "server";' + LOCATIONS
    with gateway(tmp_path, server=server) as front:
        front.call("GET /full HTTP/1.1")
        asked = front.app.received[0]
    assert "a b" == asked.one("X-Required-Scope")
    assert "https://orders.example" == asked.one("X-Required-Audience")


def test_location_that_only_inherits_asks_for_a_scope_nobody_holds(front: Gateway) -> None:
    """auth_request is inherited and `set` is not, so an inner location without include is shut."""
    front.call("GET /outer/inner HTTP/1.1")
    asked = front.app.received[0].one("X-Required-Scope")
    assert "include-portcullis-protect.conf-in-this-location-too" == asked


def test_second_protected_location_is_judged_by_itself(front: Gateway) -> None:
    """An internal redirect from one protected location to another asks anew, with its own scope."""
    front.upstream.answering = lambda call: (
        SECOND if call.line.startswith("GET /read") else reply(200)
    )
    front.call("GET /read HTTP/1.1")
    asked = [
        (each.one("X-Required-Scope"), each.one("X-Original-URI")) for each in front.app.received
    ]
    assert [("orders:read", "/read"), ("second", "/second")] == asked


def test_refusal_of_the_second_location_is_its_own(front: Gateway) -> None:
    """After a yes for the first location, the no of the second comes with its own challenge."""
    front.upstream.answering = lambda _: SECOND
    front.app.answering = lambda asked: (
        reply(403, 'WWW-Authenticate: Bearer scope="second"')
        if asked.one("X-Required-Scope") == "second"
        else reply(204)
    )
    answer = front.call("GET /read HTTP/1.1")
    assert (403, ['Bearer scope="second"']) == (answer.status, answer.all("WWW-Authenticate"))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/read/a%2Fb%3Fc?q=%2e", ["/read/a/b?c"]),
        ("/read//x/./y/../z", ["/read/x/z"]),
        ("/read/caf%C3%A9", ["/read/caf\xc3\xa9"]),
        ("/read/%0d%0aX-Required-Scope:%20none", []),
        ("/read/%0aAuthorization:%20Bearer%20forged", []),
        ("/read/%7f", []),
        ("/read/end%20", []),
    ],
)
def test_path_asked_about_is_nginxs_and_one_line(
    front: Gateway, target: str, path: list[str]
) -> None:
    """The app gets the decoded path by which nginx routes, or none if it would break the header."""
    front.call(f"GET {target} HTTP/1.1")
    (asked,) = front.app.received
    assert path == asked.all("X-Original-URI")
    assert ["orders:read"] == asked.all("X-Required-Scope")
    assert [] == asked.all("Authorization")


def test_token_header_that_is_long_or_odd_arrives_whole(front: Gateway) -> None:
    """nginx does not judge the token: the app does, and its parser's no is a 401."""
    front.app.answering = lambda asked: reply(400 if "\x01" in asked.one("Authorization") else 431)
    assert 401 == front.call("GET /full HTTP/1.1", "Authorization: Bearer " + "x" * 7_000).status
    assert 401 == front.call("GET /full HTTP/1.1", "Authorization: Bearer a\x01b").status
    assert 7_007 == len(front.app.received[0].one("Authorization"))


def test_two_authorization_headers_are_refused_by_nginx(front: Gateway) -> None:
    """Which of two tokens counts is never a question."""
    answer = front.call("GET /full HTTP/1.1", "Authorization: Bearer a", "Authorization: Bearer b")
    assert (400, []) == (answer.status, front.app.received)


def test_auth_location_is_closed_to_clients(front: Gateway) -> None:
    """Nobody outside reaches the auth location or the app's /validate."""
    assert 403 == front.call("GET /_portcullis/validate HTTP/1.1").status
    for path in ("/validate", "/explain", "/health/ready"):
        assert 404 == front.call(f"GET {path} HTTP/1.1").status
    assert [] == front.app.received
