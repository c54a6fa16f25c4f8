"""Identity that a client could forge, and tokens that travel further than they should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from .bypasses import INCLUDE, finding
from .finding import Finding
from .nginx_config import Directive
from .protection import Protected, protected_locations, upstream_of

IDENTITY = ("x-auth-client-id", "x-auth-scope", "x-auth-jti")
BELIEVING = ("/token", "/ott", "/revoke", "/introspect", "/validate")
CERTIFICATE = ("x-ssl-client-cert", "x-ssl-client-verify")
_SPELLED = re.compile(r"x[-_.]auth[-_.](client[-_.]id|scope|jti|expires)", re.IGNORECASE)
_FROM_CLIENT = re.compile(r"\$\{?(http|arg|cookie)_")


def find(root: Directive) -> Iterator[Finding]:
    protected = [one for one in protected_locations(root) if one.is_portcullis]
    for one in protected:
        yield from _unstripped(one)
        yield from _from_client(one)
        yield from _shown_token(one)
    yield from _side_doors(root, protected)
    yield from _forged_certificates(root, [one.asks for one in protected])
    yield from _odd_names(root, protected)


def _passes(location: Directive) -> Iterator[tuple[Directive, list[Directive]]]:
    """Each *_pass of a location, with the lines that set what its upstream gets."""
    for each in location.block:
        if match := re.fullmatch(r"(proxy|grpc)_pass", each.name):
            yield each, location.effective(f"{match[1]}_set_header")
        elif match := re.fullmatch(r"(fastcgi|uwsgi|scgi)_pass", each.name):
            yield each, location.effective(f"{match[1]}_param")


def _missing(setting: list[Directive]) -> list[str]:
    names = {each.args[0].lower() for each in setting}
    names |= {name[5:].replace("_", "-") for name in names if name.startswith("http_")}
    return [name for name in IDENTITY if name not in names]


def _unstripped(one: Protected) -> Iterator[Finding]:
    for passing, setting in _passes(one.location):
        if missing := _missing(setting):
            is_http = passing.name in {"proxy_pass", "grpc_pass"}
            yield finding(
                passing,
                f"the client's own {', '.join(missing)} reach the upstream of "
                f"{one.location.title()}",
                f"include {INCLUDE} in the location itself"
                if is_http
                else f"add {passing.name.removesuffix('_pass')}_param lines for them, "
                f"as the head of {INCLUDE} shows",
            )


def _from_client(one: Protected) -> Iterator[Finding]:
    for name in ("proxy_set_header", "grpc_set_header"):
        for each in one.location.effective(name):
            if _SPELLED.fullmatch(each.args[0]) and _FROM_CLIENT.search(each.args[1]):
                yield finding(
                    each,
                    f"{each.args[0]} is filled from what the client sent ({each.args[1]})",
                    f"remove the line; {INCLUDE} sets the header from the gateway's answer",
                )


def _shown_token(one: Protected) -> Iterator[Finding]:
    for name in ("proxy_set_header", "grpc_set_header"):
        for each in one.location.effective(name):
            if each.args[0].lower() == "authorization" and "$http_auth" in each.args[1]:
                yield finding(
                    each,
                    f"hands the bearer token to the upstream of {one.location.title()}",
                    "remove the line; `set $portcullis_pass_token 1;` above the include is the "
                    "way to ask for it",
                )


def _side_doors(root: Directive, protected: list[Protected]) -> Iterator[Finding]:
    """An upstream that believes X-Auth-* must not be reached by a way that leaves them forged."""
    guarded = {
        upstream_of(passing)[0]: one for one in protected for passing, _ in _passes(one.location)
    }
    inside = {id(one.location) for one in protected}
    for location in root.walk():
        if location.name != "location" or id(location) in inside:
            continue
        for passing, setting in _passes(location):
            name, missing = upstream_of(passing)[0], _missing(setting)
            if name in guarded and missing:
                yield finding(
                    passing,
                    f"{location.title()} reaches `{name}` without a token and with the client's "
                    f"own {', '.join(missing)}, which {guarded[name].location.title()} vouches for",
                    f'protect it, or clear them: `proxy_set_header {missing[0]} "";`',
                )


def _leads_to_login(location: Directive, passing: Directive) -> bool:
    """Tell whether the app would ask there who a client is, or what a token is bound to."""
    modifier, path = ["", *location.args][-2:]
    target = urlsplit(passing.args[0]).path or path
    if modifier == "=" or (target != path and target != "/"):
        return target in BELIEVING
    return (
        modifier in {"~", "~*"}
        or path[0] == "@"
        or any(each.startswith(path) for each in BELIEVING)
    )


def _forged_certificates(root: Directive, asked: list[Directive | None]) -> Iterator[Finding]:
    """The app believes these headers: nginx must set them itself, or send none (RFC 8705)."""
    for location in root.walk():
        passing = [each for each in location.block if each.name == "proxy_pass"]
        if location.name != "location" or not passing or upstream_of(passing[0])[0] != "portcullis":
            continue
        setting = location.effective("proxy_set_header")
        told = [each for each in setting if each.args[0].lower() in CERTIFICATE]
        for each in told:
            if _FROM_CLIENT.search(each.args[1]):
                yield finding(
                    each,
                    f"{each.args[0]} is filled from what the client sent ({each.args[1]})",
                    "take it from $ssl_client_escaped_cert and $ssl_client_verify",
                )
        passes_on = location.value("proxy_pass_request_headers", "on") == "on"
        passes_on = passes_on and location not in asked and _leads_to_login(location, passing[0])
        if passes_on and {each.args[0].lower() for each in told} != set(CERTIFICATE):
            yield finding(
                passing[0],
                f"{location.title()} passes on what a client says of its certificate",
                "add `proxy_pass_request_headers off;` and name what is needed, or clear "
                "X-SSL-Client-Cert and X-SSL-Client-Verify",
            )


def _odd_names(root: Directive, protected: list[Protected]) -> Iterator[Finding]:
    """A server shares its address with those by which nginx reads headers until it knows Host."""
    guarded = {id(one.server): one.server for one in protected}.values()
    addresses = {address for server in guarded for address in _addresses(server)}
    for server in (each for each in root.walk() if each.name == "server" and _addresses(each)):
        if server not in guarded and addresses.isdisjoint(_addresses(server)):
            continue
        for name, bad in (("underscores_in_headers", "on"), ("ignore_invalid_headers", "off")):
            for each in server.effective(name):
                if each.args == [bad]:
                    yield finding(
                        each,
                        f"`{each.title()}` lets other spellings of X-Auth-* in on the address of "
                        "a protected server",
                        f"remove it; nginx's default is {'off' if bad == 'on' else 'on'}",
                    )


def _addresses(server: Directive) -> set[str]:
    listens = {each.args[0] for each in server.children("listen")}
    return {f"*:{one}" if one.isdigit() else one for one in listens}
