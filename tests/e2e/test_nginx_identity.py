"""What reaches the upstream of a protected location, whatever the client sends."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Caller, Gateway, gateway

IDENTITY = ("X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Jti")

# The server by which nginx reads a request's headers before it has seen Host.
DEFAULT_SERVER = """
server {{
    listen 127.0.0.1:<port> default_server;
    {settings}
    return 421;
}}
"""


def spellings(name: str) -> list[str]:
    """Every name that a CGI or WSGI upstream may read as `name`, `name` included."""
    first, *rest = name.split("-")
    return [
        first + "".join(separator + part for separator, part in zip(separators, rest, strict=True))
        for separators in product("-_.", repeat=len(rest))
    ]


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as running:
        yield running


def test_allowed_call_brings_the_caller_to_the_upstream(front: Gateway) -> None:
    """The upstream learns client id, scope and jti from the app's answer, each exactly once."""
    front.call()
    (received,) = front.upstream.received
    assert [["alice"], ["read write"], ["0011aabb.j1"]] == [received.all(name) for name in IDENTITY]
    assert [] == received.all("X-Auth-Expires")


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "underscores_in_headers on;",
        "ignore_invalid_headers off;",
        "underscores_in_headers on; ignore_invalid_headers off;",
    ],
)
def test_forged_identity_never_arrives(tmp_path: Path, settings: str) -> None:
    """No spelling of an identity header passes, even where nginx is told to keep such names."""
    forged = [f"{name}: forged" for taken in IDENTITY for name in spellings(taken)]
    forged += ["X-Auth-Expires: forged", "X-Request-ID: forged"]
    with gateway(tmp_path, http=DEFAULT_SERVER.format(settings=settings)) as front:
        for one in forged:
            assert 200 == front.call("GET /read HTTP/1.1", one, "X-Other: kept").status
        assert 200 == front.call("GET /read HTTP/1.1", *forged, "X-Other: kept").status
        received = front.upstream.received
    assert len(forged) + 1 == len(received)
    assert [] == [value for each in received for _, value in each.headers if value == "forged"]
    assert {("X-Other", "kept")} <= set(received[-1].headers)


def test_empty_identity_from_the_app_is_not_filled_by_the_client(front: Gateway) -> None:
    """A token without scope leaves X-Auth-Scope out; the client's own does not take its place."""
    front.app.answering = lambda _: b"HTTP/1.1 204 x\r\nX-Auth-Client-Id: alice\r\n\r\n"
    front.call("GET /read HTTP/1.1", "X-Auth-Scope: admin")
    (received,) = front.upstream.received
    assert [] == received.all("X-Auth-Scope")


def test_token_is_withheld_from_the_upstream(front: Gateway) -> None:
    """The upstream does not see the bearer token unless the location asks for it."""
    front.call("GET /read HTTP/1.1", "Authorization: Bearer t0k3n")
    (received,) = front.upstream.received
    assert "authorization" not in received.names()


def test_token_is_shown_where_the_location_asks_for_it(tmp_path: Path) -> None:
    """`set $portcullis_pass_token 1` passes the very header that was judged."""
    location = """
        location /shown {
            set $portcullis_pass_token 1;
            include portcullis-protect.conf;
            proxy_pass http://behind;
        }
    """
    with gateway(tmp_path, server=location) as front:
        front.call("GET /shown HTTP/1.1", "Authorization: Bearer one")
        assert ["Bearer one"] == front.app.received[0].all("Authorization")
        assert ["Bearer one"] == front.upstream.received[0].all("Authorization")


def test_token_shown_by_the_server_is_withheld_where_the_location_says_so(tmp_path: Path) -> None:
    """A server-wide `set` runs again inside the subrequest and still does not win."""
    location = """
        set $portcullis_pass_token 1;
        location /hidden {
            set $portcullis_pass_token 0;
            include portcullis-protect.conf;
            proxy_pass http://behind;
        }
    """
    with gateway(tmp_path, server=location) as front:
        front.call("GET /hidden HTTP/1.1", "Authorization: Bearer t")
        assert [] == front.upstream.received[0].all("Authorization")


def test_request_id_is_one_everywhere_and_never_the_clients(front: Gateway) -> None:
    """App, upstream, log and response hold the same id, made by nginx."""
    answer = front.call("GET /read HTTP/1.1", "X-Request-ID: mine")
    (request_id,) = answer.all("X-Request-ID")
    assert request_id == front.app.received[0].one("X-Request-ID")
    assert request_id == front.upstream.received[0].one("X-Request-ID")
    (logged,) = front.logged()
    assert request_id == logged["request_id"]


def test_request_id_echoed_by_the_upstream_is_not_doubled(front: Gateway) -> None:
    """The response carries one X-Request-ID, even when the upstream sends its own."""
    front.upstream.answering = lambda _: (
        b"HTTP/1.1 200 x\r\nX-Request-ID: echo\r\nContent-Length: 0\r\n\r\n"
    )
    (request_id,) = front.call().all("X-Request-ID")
    assert "echo" != request_id


def test_trace_body_and_target_pass_unchanged(front: Gateway) -> None:
    """The upstream gets method, target, traceparent and a large body as the client sent them."""
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    body = b"x" * 2_000_000
    with Caller(front.port) as caller:
        answer = caller.call("PUT /read/%41?a=1 HTTP/1.1", f"traceparent: {trace}", body=body)
        assert 200 == answer.status
        assert 200 == caller.call().status
    received = front.upstream.received[0]
    assert "PUT /read/%41?a=1 HTTP/1.1" == received.line
    assert trace == received.one("traceparent")
    assert body == received.body
    assert b"" == front.app.received[0].body
