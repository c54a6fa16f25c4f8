"""The location that asks the gateway, and the connections that nginx keeps."""

from __future__ import annotations

from collections.abc import Iterator

from .bypasses import finding
from .finding import Finding
from .nginx_config import Directive
from .protection import protected_locations, upstream_of


def find(root: Directive) -> Iterator[Finding]:
    protected = protected_locations(root)
    for one in protected:
        if one.asks is None or (one.is_portcullis and not one.asks.children("proxy_pass")):
            uri, leads = one.location.value("auth_request"), one.asks and one.asks.title()
            yield finding(
                one.location,
                f"{one.location.title()} asks {uri}, which leads to {leads or 'no location'}",
                "include portcullis-server.conf in the server { }",
            )
        elif one.is_portcullis:
            yield from _lost_keepalive(one.location)
    ours = [one.asks for one in protected if one.asks and one.is_portcullis]
    ours = [one for one in ours if one.children("proxy_pass")]
    for asks in {id(one): one for one in ours}.values():
        yield from _open_to_clients(asks)
        yield from _lost_keepalive(asks)
        yield from _body_and_headers(asks)


def _open_to_clients(asks: Directive) -> Iterator[Finding]:
    if not asks.children("internal"):
        yield finding(
            asks,
            f"{asks.title()} answers the questions of auth_request and is open to every client",
            "add `internal;`",
        )


def _lost_keepalive(location: Directive) -> Iterator[Finding]:
    """One TCP connection a call piles up in TIME_WAIT."""
    for passing in location.children("proxy_pass"):
        name, upstream = upstream_of(passing)
        keeps = upstream is not None and upstream.children("keepalive")
        is_asked = bool(location.children("internal"))
        if not keeps:
            # A protected location may well go to a lone address. The question never should.
            if is_asked:
                yield finding(
                    passing,
                    f"{location.title()} opens a connection for every question, because "
                    f"`{name}` is no upstream with keepalive",
                    "add `keepalive 64;` to its upstream, or use that of portcullis-http.conf",
                )
            continue
        if location.value("proxy_http_version", "1.0") == "1.0" or _closes(location):
            yield finding(
                passing,
                f"{location.title()} opens a connection for every call, "
                f"though `{name}` has keepalive",
                'add `proxy_http_version 1.1; proxy_set_header Connection "";` to the location',
            )


def _closes(location: Directive) -> bool:
    connection = [
        each.args[1]
        for each in location.effective("proxy_set_header")
        if each.args[0].lower() == "connection"
    ]
    return not connection or connection[0].lower() == "close"


def _body_and_headers(asks: Directive) -> Iterator[Finding]:
    limit = asks.effective("client_max_body_size")
    if asks.value("client_max_body_size", "1m") not in {"0", "0k", "0m"}:
        yield finding(
            limit[0] if limit else asks,
            f"{asks.title()} has a body limit of {asks.value('client_max_body_size', '1m')}: "
            "a larger upload is answered with 500",
            f"add `client_max_body_size 0;` to {asks.title()}",
        )
    cleared = {
        each.args[0].lower() for each in asks.effective("proxy_set_header") if each.args[1] == ""
    }
    sends_length = "content-length" not in cleared and (
        asks.value("proxy_pass_request_headers", "on") == "on"
    )
    if asks.value("proxy_pass_request_body", "on") == "on" or sends_length:
        yield finding(
            asks,
            f"{asks.title()} sends the client's body, or its length, along with the question",
            'add `proxy_pass_request_body off; proxy_set_header Content-Length "";`',
        )
    if asks.value("proxy_pass_request_headers", "on") == "on":
        yield finding(
            asks,
            f"{asks.title()} passes all the client's headers on, X-Required-* and Range included",
            "add `proxy_pass_request_headers off;` and name what is needed, "
            "as portcullis-server.conf does",
        )
