"""Redis answers nonsense, halves, late or nothing to the whole gateway: never 2xx, and in time."""

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.faults.watch import BOUND_S, Watch, assert_in_time
from tests.relay import Drop, Relay, in_front_of, pass_on
from tests.stack import Stack, until
from tests.workers import ask_all, connections_to_workers, validate


@pytest.fixture(scope="module")
def stack(shipped: Stack) -> Stack:
    return shipped


@pytest.fixture(scope="module")
def relay(stack: Stack) -> Iterator[Relay]:
    """A relay between the app and Redis. The owner's connection does not go through it."""
    owner = stack.redis
    owner.ping()
    with in_front_of(stack.run_dir / "redis.sock") as found:
        owner.client_kill_filter(_type="normal", skipme=True)
        yield found


def garbage(data: bytes) -> Iterable[bytes]:
    return (bytes(255 - byte for byte in data),)


def broken_off(data: bytes) -> Iterable[bytes]:
    yield data[: len(data) // 2]
    raise Drop


def hung_up(data: bytes) -> Iterable[bytes]:
    raise Drop


def silent(data: bytes) -> Iterable[bytes]:
    return ()


def late(data: bytes) -> Iterable[bytes]:
    time.sleep(0.2)  # the app waits for 0.15 s
    return (data,)


def trickling(data: bytes) -> Iterable[bytes]:
    for at in range(len(data)):
        time.sleep(0.03)
        yield data[at : at + 1]


def always(reply: bytes) -> Callable[[bytes], Iterable[bytes]]:
    """Answer everything, the login too, with the same."""
    return lambda _: (reply,)


def behind(reply: bytes) -> Callable[[bytes], Iterable[bytes]]:
    """Put something before each answer that nobody has asked for."""
    return lambda data: (reply, data)


SPOILS = {
    "garbage": garbage,
    "broken off": broken_off,
    "hung up": hung_up,
    "silent": silent,
    "late": late,
    "trickling": trickling,
    "errors": always(b"-ERR no\r\n"),
    "loading": always(b"-LOADING Redis is loading the dataset in memory\r\n"),
    "read only": always(b"-READONLY You can't write against a read only replica.\r\n"),
    "nulls": always(b"_\r\n"),
    # Not `:0`: to the question whether a token is revoked that is a proper answer, if a lie.
    "ones": always(b":1\r\n"),
    "fine": always(b"+OK\r\n"),
    "one too many": behind(b":0\r\n"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_spoiled_answers_let_nobody_in_and_are_found_in_time(
    stack: Stack, relay: Relay, name: str
) -> None:
    """Good and dead tokens, known and not; a heartbeat later everything is refused, in time."""
    cold = stack.mint()
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        relay.spoil = SPOILS[name]
        # A worker's memory is good for one heartbeat without Redis, not longer.
        time.sleep(2 * BOUND_S)
        spoiled_at = time.monotonic()
        statuses = {stack.call("/demo/any", cold).status for _ in range(10)}
        until(lambda: sum(seen[1] > spoiled_at for seen in watch.seen) > 100)
        mended_at = time.monotonic()
        relay.spoil = pass_on
        watch.wait_for("good", 200)
        watch.wait_for("dead", 401)
    during = watch.between(spoiled_at, mended_at)
    assert statuses | {answer.status for *_, answer in during} <= {401, 503}
    assert_in_time(during)
    assert 200 not in watch.statuses("dead", 0)
    with connections_to_workers(stack) as workers:
        asked = validate(cold)
        until(lambda: all(answer.status == 204 for answer in ask_all(workers, asked)))
