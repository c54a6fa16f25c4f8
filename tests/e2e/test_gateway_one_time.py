"""Once is once: one-time tokens on the real stack, whoever asks and however many at a time."""

import threading
from collections import Counter

import pytest

from tests.e2e.mixed_load import read
from tests.stack import Stack, until
from tests.wire import Address, Connection, request
from tests.workers import ask_all, connections_to_workers, validate

THREADS = 50


def race(address: Address, data: bytes) -> Counter[int]:
    """Send the same request over 50 connections at once; return how often each status came.

    Who is told to come back (503), because the machine stood still, does so until it is decided.
    """
    ready = threading.Barrier(THREADS, timeout=60)
    statuses: list[int] = []

    def run() -> None:
        with Connection(address) as connection:
            ready.wait()
            statuses.append(until(lambda: connection.ask(data).status % 503, what="a decision"))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(statuses)


@pytest.mark.parametrize("round_number", range(10))
def test_one_of_fifty_concurrent_requests_is_let_in(stack: Stack, round_number: int) -> None:
    """Through nginx, over all workers: exactly one 200, and 401 for everybody else."""
    token = stack.mint(path="/ott")
    found = race(stack.address, request("GET", "/demo/any", token=token))
    assert {200: 1, 401: THREADS - 1} == found


def test_client_cannot_pass_for_nginx_with_a_request_id(stack: Stack) -> None:
    """Fifty requests that all claim to be the same one: exactly one is let in."""
    token = stack.mint(path="/ott")
    forged = {"X-Request-ID": "0123456789abcdef0123456789abcdef"}
    found = race(stack.address, request("GET", "/demo/any", forged, token=token))
    assert {200: 1, 401: THREADS - 1} == found


def test_request_id_of_the_answer_cannot_be_replayed(stack: Stack) -> None:
    """Not even the id under which the token was spent, sent back by the client."""
    token = stack.mint(path="/ott")
    spent_by = stack.call("/demo/any", token).header("X-Request-ID") or ""
    for name in ("X-Request-ID", "X_Request_ID", "X.Request.ID"):
        assert 401 == stack.call("/demo/any", token, headers={name: spent_by}).status


def test_retry_by_nginx_is_the_same_use_on_any_worker(stack: Stack) -> None:
    """The request that spent it passes again by its id, on each worker; another id does not."""
    token = stack.mint(path="/ott")
    with connections_to_workers(stack) as workers:
        for request_id, expected in (("first", [204, 204]), ("other", [401, 401]), ("", [401] * 2)):
            answers = ask_all(workers, validate(token, request_id=request_id))
            assert expected == [answer.status for answer in answers]


def test_without_a_request_id_every_question_is_a_use(stack: Stack) -> None:
    """A gateway that names no request gets one yes, and its next question is another use."""
    token = stack.mint(path="/ott")
    with connections_to_workers(stack) as workers:
        statuses = [answer.status for answer in ask_all(workers, validate(token))]
    assert [204, 401] == sorted(statuses)


def test_refusal_for_another_reason_does_not_spend_it(stack: Stack) -> None:
    """A missing scope, an unknown route, a wrong audience: the token is still good afterwards."""
    token = stack.mint(path="/ott", scope="demo:read")
    for method, path in (("POST", "/demo/write"), ("GET", "/demo/routed/else")):
        assert 403 == stack.call(path, token, method).status
    with connections_to_workers(stack) as workers:
        asked = validate(token, request_id="x", X_Required_Audience="https://elsewhere.example")
        assert [401, 401] == [answer.status for answer in ask_all(workers, asked)]
    assert 200 == stack.call("/demo/read", token).status
    assert 401 == stack.call("/demo/read", token).status


def test_rate_limit_does_not_spend_it(stack: Stack) -> None:
    """429 leaves a one-time token for later."""
    client = stack.client_create("once-hasty", "demo:read", rate_per_s="2")
    others = stack.mint(client)

    def limited() -> str | None:
        """Return a token that has met the limit; none, when its turn came before that."""
        token = stack.mint(client, "/ott")
        until(lambda: stack.call("/demo/read", others).status == 429)
        return token if stack.call("/demo/read", token).status == 429 else None

    token = until(limited, what="a one-time token meets the limit")
    assert 200 == until(lambda: stack.call("/demo/read", token).status % 429)
    stack.script("client", "delete", "once-hasty", "--yes")


def test_revoked_one_time_token_is_never_used(stack: Stack) -> None:
    """Revocation comes before the use."""
    token = stack.mint(path="/ott")
    stack.revoke(token)
    assert 401 == stack.call("/demo/any", token).status


def test_traces_of_a_one_time_token_expire(stack: Stack) -> None:
    """Armed and spent alike have a TTL: nothing is left for good (guarantee 5)."""
    token = stack.mint(path="/ott")
    jti = read(token).jti
    assert 3600 - 60 < int(str(stack.redis.ttl(f"ott:{jti}"))) <= 3600
    assert 200 == stack.call("/demo/any", token).status
    assert not stack.redis.exists(f"ott:{jti}")
    assert 0 < int(str(stack.redis.ttl(f"spent:{{ott:{jti}}}"))) <= 3600 + 60
