"""example-validate.conf: what gateways on other machines ask, and what they can never ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply
from tests.processes import free_port

NAMES = {"x-required-scope", "x-original-method", "x-original-uri", "x-request-id"}


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def front(tmp_path: Path, ports: tuple[int, int]) -> Iterator[Gateway]:
    changed = {"127.0.0.1:9091": f"127.0.0.1:{ports[0]}", "127.0.0.1:9092": f"127.0.0.1:{ports[1]}"}
    with gateway(tmp_path, http="include example-validate.conf;", changed=changed) as running:
        yield running


@pytest.fixture
def general(front: Gateway, ports: tuple[int, int]) -> Gateway:
    """The listener for all but Envoy."""
    return Gateway(front.run_dir, ports[0], front.app, front.upstream)


@pytest.fixture
def envoys(front: Gateway, ports: tuple[int, int]) -> Gateway:
    return Gateway(front.run_dir, ports[1], front.app, front.upstream)


# What a client may have sent, and a gateway may have let through.
FORGED = (
    "X-Required-Scope: forged",
    "X-Required-Audience: forged",
    "X-Request-ID: forged",
    "Cookie: a=b",
    "Range: bytes=0-1",
    "If-None-Match: x",
    "Upgrade: websocket",
    "X-Foo: bar",
)


def asked(front: Gateway) -> dict[str, str]:
    """Return what the app was asked last, without what HTTP itself needs."""
    received = front.app.received[-1]
    assert ("GET /validate HTTP/1.1", b"") == (received.line, received.body)
    return {name: received.one(name) for name in received.names() if name != "host"}


def test_question_with_headers_of_the_gateways_own(general: Gateway) -> None:
    """Caddy, Apache and HAProxy say all of it; nothing else goes on to the app."""
    answer = general.call(
        "POST /validate?x=y HTTP/1.1",
        "Authorization: Bearer t",
        "X-Required-Scope: orders:read",
        "X-Required-Audience: urn:orders",
        "X-Original-Method: POST",
        "X-Original-URI: /orders/1",
        "X-Request-ID: id-1",
        *FORGED[3:],
        body=b"body",
    )
    assert 204 == answer.status
    assert (["alice"], []) == (answer.all("X-Auth-Client-Id"), answer.all("X-Auth-Reason"))
    assert asked(general) == {
        "authorization": "Bearer t",
        "x-required-scope": "orders:read",
        "x-required-audience": "urn:orders",
        "x-original-method": "POST",
        "x-original-uri": "/orders/1",
        "x-request-id": "id-1",
    }


@pytest.mark.parametrize(
    ("needed", "scope"),
    [
        ("orders:read", "orders:read"),
        ("orders:write%20@once", "orders:write @once"),
        ("@routes", "@routes"),
        ("", None),
    ],
)
def test_traefik_says_in_the_address_what_is_needed(
    general: Gateway, needed: str, scope: str | None
) -> None:
    """Method and path are those that Traefik sets, the request id is made here."""
    told = ("X-Forwarded-Method: PUT", "X-Forwarded-Uri: /orders/1?a=b")
    lies = ("X-Original-Method: FORGED", "X-Original-URI: /forged", "X-Original-URL: http://a/b")
    line = f"GET /traefik/{needed} HTTP/1.1"
    assert 204 == general.call(line, "Authorization: Bearer t", *told, *lies, *FORGED).status
    found = asked(general)
    assert 32 == len(found.pop("x-request-id"))
    assert scope == found.pop("x-required-scope", None)
    assert found == {
        "authorization": "Bearer t",
        "x-original-method": "PUT",
        "x-original-uri": "/orders/1?a=b",
    }


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/ingress-nginx/orders:read", "orders:read"),
        ("/ingress-nginx/once/orders:write", "orders:write @once"),
        ("/ingress-nginx/", None),
        ("/ingress-nginx-routes", "@routes"),
    ],
)
def test_ingress_nginx_says_in_the_address_what_is_needed(
    general: Gateway, path: str, scope: str | None
) -> None:
    """Method and URL are those that ingress-nginx sets, the request id is made here."""
    told = ("X-Original-Method: PUT", "X-Original-URL: https://a.example/orders/1?a=b")
    lies = ("X-Forwarded-Method: FORGED", "X-Forwarded-Uri: /forged", "X-Original-URI: /forged")
    assert 204 == general.call(f"GET {path} HTTP/1.1", *told, *lies, *FORGED).status
    found = asked(general)
    assert 32 == len(found.pop("x-request-id"))
    assert scope == found.pop("x-required-scope", None)
    assert found == {"x-original-method": "PUT", "x-original-uri": "/orders/1?a=b"}


def test_each_question_of_these_is_a_request_of_its_own(general: Gateway) -> None:
    """Whatever id came along: a client who chose it could use a one-time token again."""
    for path in ("/traefik/a", "/ingress-nginx/a") * 2:
        general.call(f"GET {path} HTTP/1.1", "X-Request-ID: forged")
    ids = {received.one("X-Request-ID") for received in general.app.received}
    assert 4 == len(ids - {"forged"})


@pytest.mark.parametrize(
    "path", ["/orders/1?a=b", "/", "/../traefik/x", "/validate", "/%2e%2e/validate", "//x"]
)
def test_envoy_appends_a_path_that_tells_nothing(envoys: Gateway, path: str) -> None:
    """Any method, any path: only the headers that Envoy's configuration sets count."""
    told = ("X-Required-Scope: orders:read", "X-Original-Method: DELETE", "X-Original-URI: /o")
    answer = envoys.call(f"DELETE /envoy{path} HTTP/1.1", *told, "X-Request-ID: id-1", *FORGED[3:])
    if answer.status == 400:  # more dots than there are folders: no question at all
        assert [] == envoys.app.received
        return
    assert 204 == answer.status
    assert asked(envoys) == {
        "x-required-scope": "orders:read",
        "x-original-method": "DELETE",
        "x-original-uri": "/o",
        "x-request-id": "id-1",
    }


@pytest.mark.parametrize("path", ["/", "/token", "/metrics", "/explain", "/traefik", "/validate/x"])
def test_nothing_else_is_served(general: Gateway, path: str) -> None:
    """Who may ask may not mint, explain or look at metrics here."""
    assert 404 == general.call(f"GET {path} HTTP/1.1").status
    assert [] == general.app.received


def test_answers_pass_with_challenge_and_without_a_body(general: Gateway) -> None:
    """What the app refuses is refused in its own words, and its connection is kept."""
    challenge = 'Bearer realm="orders", error="insufficient_scope"'
    general.app.answering = lambda _: reply(403, f"WWW-Authenticate: {challenge}")
    for _ in range(3):
        answer = general.call("GET /traefik/a HTTP/1.1")
        assert (403, [challenge], b"") == (
            answer.status,
            answer.all("WWW-Authenticate"),
            answer.body,
        )
    assert 1 == general.app.connections


def test_app_away_is_503(general: Gateway) -> None:
    """Undecided is refused, with Retry-After."""
    general.app.answering = lambda _: b""
    answer = general.call("GET /traefik/a HTTP/1.1")
    body = b'{"error":"temporarily_unavailable"}'
    assert (503, ["1"], body) == (answer.status, answer.all("Retry-After"), answer.body)
