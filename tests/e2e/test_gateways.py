"""Caddy, Apache and HAProxy asking /validate: one table of scenarios for all three."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from app.routes import path_of
from tests.e2e.gateway_harness import KINDS, Front, gateway
from tests.e2e.recording_server import Received, reply
from tests.stack import Credentials, Stack
from tests.wire import ask, request

REALM = 'Bearer realm="portcullis"'
SCOPES = "orders:read orders:write"


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Credentials]:
    yield stack.client_create("gateways", SCOPES)
    stack.script("client", "delete", "gateways", "--yes")


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Front]:
    with gateway(request.param, stack) as front:
        yield front


@pytest.fixture
def front(running: Front) -> Front:
    """A gateway that nothing has been asked of yet."""
    running.forget()
    return running


@pytest.fixture(scope="module")
def token(stack: Stack, client: Credentials) -> str:
    return stack.mint(client, scope="orders:read")


def test_allowed_call_reaches_the_upstream_with_its_identity(front: Front, token: str) -> None:
    """Who, what for, by which token, as which request; and no token."""
    answer = front.call("/orders/1?a=b", token)
    assert (200, b"up") == (answer.status, answer.body)
    (received,) = front.upstream.received
    assert "GET /orders/1?a=b HTTP/1.1" == received.line
    assert ("gateways", "orders:read") == (
        received.one("X-Auth-Client-Id"),
        received.one("X-Auth-Scope"),
    )
    assert received.one("X-Auth-Jti")
    assert [] == received.all("Authorization")
    assert received.one("X-Request-ID") == answer.header("X-Request-ID")
    assert token not in str(received)


def test_body_goes_to_the_upstream_alone(front: Front, stack: Stack, client: Credentials) -> None:
    """Portcullis is asked by GET about the method that came, without the body."""
    once = stack.mint(client, "/ott", scope="orders:write")
    headers = {"Content-Type": "application/json"}
    answer = front.call("/transfers", once, "POST", headers, b'{"amount_cents": 1}')
    assert 200 == answer.status
    (asked,), (received,) = front.judge.received, front.upstream.received
    assert (b"", "POST") == (asked.body, asked.one("X-Original-Method"))
    assert "GET" == asked.line.split(" ")[0]
    assert ("POST", b'{"amount_cents": 1}') == (received.line.split(" ")[0], received.body)


def test_refusals_keep_their_status_and_challenge(
    front: Front, stack: Stack, client: Credentials, token: str
) -> None:
    """No token, a bad one, one without the scope, a plain one where one that works once is due."""
    writer = stack.mint(client, scope="orders:write")
    lacking = f'{REALM}, error="insufficient_scope", scope="orders:'
    once = ', error_description="a one-time token is needed"'
    for path, sent, status, challenge in (
        ("/orders/1", None, 401, REALM),
        ("/orders/1", f"{token[:-6]}AAAAAA", 401, f'{REALM}, error="invalid_token"'),
        ("/orders/1", writer, 403, f'{lacking}read"'),
        ("/transfers", writer, 403, f'{lacking}write"{once}'),
    ):
        answer = front.call(path, sent)
        assert (status, [challenge]) == (answer.status, answer.all("WWW-Authenticate"))
        assert not {name for name in answer.names() if name.startswith("x-auth")}
    assert [] == front.upstream.received


def test_revoked_token_is_refused_at_once(front: Front, stack: Stack, client: Credentials) -> None:
    """The gateway keeps no decision of its own."""
    token = stack.mint(client, scope="orders:read")
    assert 200 == front.call(token=token).status
    stack.revoke(token, client)
    assert 401 == front.call(token=token).status


def at_once(front: Front, data: bytes) -> Counter[int]:
    """Send the same request over thirty connections; return how often each status came."""
    statuses: list[int] = []

    def run() -> None:
        statuses.append(ask(front.address, data).status)

    threads = [threading.Thread(target=run) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(statuses)


def test_one_time_token_is_let_in_once(front: Front, stack: Stack, client: Credentials) -> None:
    """One of thirty at once, though all of them name the same request; none of thirty later."""
    token = stack.mint(client, "/ott", scope="orders:read")
    forged = {"X-Request-ID": "0123456789abcdef0123456789abcdef"}
    data = request("GET", "/orders/1", forged, token=token)
    assert {200: 1, 401: 29} == at_once(front, data)
    assert {401: 30} == at_once(front, data)
    asked = {one.one("X-Request-ID") for one in front.judge.received}
    assert 60 == len(asked)
    assert "0123456789abcdef0123456789abcdef" not in asked


IDENTITY = (("X", "Auth", "Client", "Id"), ("X", "Auth", "Scope"), ("X", "Auth", "Jti"))
SPELLINGS = [
    "".join(part + mark for part, mark in zip(words, [*marks, ""], strict=True))
    for words in IDENTITY
    for marks in itertools.product("-_.", repeat=len(words) - 1)
]


def folded(received: Received) -> dict[str, list[str]]:
    """Headers as a WSGI or CGI upstream would see them, dots folded too."""
    found: dict[str, list[str]] = {}
    for name, value in received.headers:
        found.setdefault(name.upper().replace("-", "_").replace(".", "_"), []).append(value)
    return found


def test_forged_identity_never_arrives(front: Front, token: str) -> None:
    """In any spelling and case, once or twice: the upstream is told what Portcullis said."""
    for name in SPELLINGS:
        for spelled in (name, name.lower(), name.upper()):
            forged = [(spelled, "admin"), (spelled, "root"), ("X-Auth-Expires", "9")]
            assert front.call(token=token, headers=forged).status in {200, 400}, spelled
    assert front.upstream.received
    for received in front.upstream.received:
        seen = folded(received)
        assert (["gateways"], ["orders:read"]) == (
            seen["X_AUTH_CLIENT_ID"],
            seen["X_AUTH_SCOPE"],
        )
        assert not {"admin", "root"} & {value for values in seen.values() for value in values}


def test_portcullis_is_told_nothing_by_the_client(front: Front, token: str) -> None:
    """What a call needs, its method and its path are the gateway's word, and nothing else goes."""
    forged = {
        "X-Required-Scope": "nothing",
        "X-Required-Audience": "urn:other",
        "X-Original-Method": "FORGED",
        "X-Original-URI": "/forged",
        "X-Request-ID": "forged",
        "Cookie": "forged=1",
        "Range": "bytes=0-1",
        "If-None-Match": "forged",
        "X-Real-IP": "10.0.0.1",
        "X-Forwarded-For": "10.0.0.1",
    }
    # Apache cuts the range out of the upstream's answer by itself.
    assert front.call(token=token, headers=forged).status in {200, 206}
    (asked,) = front.judge.received
    told = {name: asked.one(name) for name in asked.names() if name.startswith("x-")}
    assert ("orders:read", "GET", "/orders/1") == (
        told["x-required-scope"],
        told["x-original-method"],
        told["x-original-uri"],
    )
    assert "forged" not in str(asked)
    assert "10.0.0.1" not in str(asked)
    own = {"host", "authorization", "connection", "accept-encoding", "user-agent"}
    assert set() == {name for name in asked.names() if not name.startswith("x-")} - own
    names = {"x-required-scope", "x-original-method", "x-original-uri", "x-request-id"}
    assert names == set(told)


def test_route_table_decides_where_it_is_asked_to(front: Front, stack: Stack, token: str) -> None:
    """`@routes` works by the method and the path that the gateway saw."""
    stack.script("route", "set", "GET", "/routed/orders", "orders:read")
    stack.script("route", "set", "POST", "/routed/orders", "orders:admin")
    for method, path, status in (
        ("GET", "/routed/orders/7?x=/routed/else", 200),
        ("POST", "/routed/orders", 403),
        ("GET", "/routed/else", 403),
    ):
        assert status == front.call(path, token, method).status, (method, path)
    for method in ("GET", "POST"):
        stack.script("route", "delete", method, "/routed/orders", "--yes")


def test_two_tokens_are_none(front: Front, token: str) -> None:
    """Nobody can choose which of two Authorization headers counts."""
    for values in ((f"Bearer {token}", "Bearer x"), ("Bearer x", f"Bearer {token}")):
        answer = front.call(headers=[("Authorization", value) for value in values])
        assert answer.status in {400, 401}
    assert [] == front.upstream.received


def test_rate_limit_says_when_to_come_back(front: Front, token: str) -> None:
    """429 with the Retry-After that Portcullis said."""
    front.judge.answering = lambda _: reply(429, "Retry-After: 7", "X-Auth-Reason: rate_limited")
    answer = front.call(token=token)
    assert (429, "7", None) == (
        answer.status,
        answer.header("Retry-After"),
        answer.header("X-Auth-Reason"),
    )


UNDECIDED = {
    "its own 503": reply(503, "Retry-After: 1", body=b'{"error":"temporarily_unavailable"}'),
    "a failure": reply(500),
    "a redirect": reply(302, "Location: /orders/1"),
    "not found": reply(404, body=b"not here"),
    "misdirected": reply(421, body=b"not me"),
    "garbage": b"\x00\x01\x02\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_whatever_is_no_answer_is_503(front: Front, token: str, name: str) -> None:
    """Undecided is refused, with Retry-After; the upstream hears nothing, the next call is fine."""
    front.judge.answering = lambda _: UNDECIDED[name]
    answer = front.call(token=token)
    assert (503, "1") == (answer.status, answer.header("Retry-After"))
    assert [] == front.upstream.received
    front.forget()
    assert 200 == front.call(token=token).status


def test_connection_that_was_closed_meanwhile_costs_nothing(
    front: Front, stack: Stack, client: Credentials
) -> None:
    """Portcullis has restarted: the next call asks over a new connection, and is one use."""
    for _ in range(3):
        token = stack.mint(client, "/ott", scope="orders:read")
        assert [200, 401] == [front.call(token=token).status for _ in range(2)]
        front.judge.drop()


TARGETS = [
    "/x/../orders/1",
    "//orders/1",
    "/orders/../admin/1",
    "/orders/..%2fadmin/1",
    "/orders/%2e%2e/admin/1",
    "/orders%2f..%2fadmin/1",
    "/%6frders/1",
    "/./orders/1",
    "/orders/%2e%2e%2ftransfers",
    "/orders\\..\\admin",
    "/transfers/",
    "/transfers/../orders/1",
    "/routed/..%2forders/1",
    "/admin/1",
    "/",
]


@pytest.mark.parametrize("target", TARGETS)
def test_path_that_reaches_the_upstream_was_judged(front: Front, target: str) -> None:
    """However it is written: without a token nothing gets through."""
    answer = front.call(target)
    assert answer.status in {400, 401, 403, 404}, answer
    assert [] == front.upstream.received


@pytest.mark.parametrize("target", TARGETS)
def test_path_is_judged_by_what_it_means(front: Front, token: str, target: str) -> None:
    """A token for /orders/ does not get through to what an upstream takes for another path."""
    front.call(target, token)
    for received in front.upstream.received:
        meant = path_of(received.line.split(" ")[1])
        assert meant.startswith("/orders/"), received.line


@pytest.mark.parametrize("kind", KINDS)
def test_gateway_without_an_answer_is_503_before_long(kind: str, stack: Stack, token: str) -> None:
    """Half an answer, silence, nobody there at all: as shipped, nobody waits for long."""
    with gateway(kind, stack, is_patient=False) as front:
        half = b"HTTP/1.1 204 No Content\r\nX-Auth-Client-Id: x\r\n"
        for answering in (lambda _: half, front.judge.hang):
            front.judge.answering = answering
            assert (503, "1") == undecided(front, token)
        front.judge.close()
        assert (503, "1") == undecided(front, token)


def undecided(front: Front, token: str) -> tuple[int, str | None]:
    """Make a call that is to end soon; the upstream must hear nothing of it."""
    begun = time.monotonic()
    answer = front.call(token=token)
    assert time.monotonic() - begun < 8  # a second, and room for a machine that has others to serve
    assert [] == front.upstream.received
    return answer.status, answer.header("Retry-After")
