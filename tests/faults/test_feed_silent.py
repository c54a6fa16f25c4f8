"""Redis goes silent or slow without hanging up: found out within a bound, and never trusted."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from app.errors import StoreUnavailable
from app.line import Line
from redis import Redis
from tests.faults.feed_relay import Relay
from tests.processes import until
from tests.service import Clock
from tests.store.feed_harness import FeedWorker, RedisServer, jti_of, token_of
from tests.store.scripted_redis import ScriptedRedis, usual

TOKEN = token_of("a")
KEY = f"revoked:{jti_of('a')}"
TIMEOUT_S, HEARTBEAT_S = 0.1, 0.25
SCHEDULING_S = 1.5
"""What a busy machine may add to any wait, but for the two that it may spoil altogether."""

ASKING_S = 2.5
"""Longer than all waits together may be."""

REFUSALS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    server.fill()
    with server.client() as client:
        yield client


@pytest.fixture
def relay(server: RedisServer) -> Iterator[Relay]:
    with Relay(server.port) as relay:
        yield relay


def worker_at(url: str) -> FeedWorker:
    return FeedWorker(url, timeout_s=TIMEOUT_S, heartbeat_s=HEARTBEAT_S)


def warm(worker: FeedWorker) -> None:
    """Have the token looked up, in the short time that there is for it."""
    until(lambda: worker.reason(TOKEN) == "ok", what="the token is known")


def ask_without_pause(
    worker: FeedWorker, refusals: int = REFUSALS
) -> list[tuple[float, float, str]]:
    """Ask about the token again and again, until so many times it was refused.

    Return when each was asked, what it took, the answer.
    """
    answers, refused = [], 0
    began = now = time.monotonic()
    while now - began < ASKING_S or refused < refusals:
        asked, reason = now, worker.reason(TOKEN)
        now = time.monotonic()
        answers.append((asked - began, now - asked, reason))
        refused += reason != "ok"
    return answers


def assert_found_out_in_time(answers: list[tuple[float, float, str]]) -> None:
    """From memory for a heartbeat at most; then 503s, each within a bounded time."""
    last_ok_s = max((at for at, _, reason in answers if reason == "ok"), default=0.0)
    assert last_ok_s <= HEARTBEAT_S + SCHEDULING_S
    assert {"ok", "store_unavailable"} >= {reason for _, _, reason in answers}
    late = [took_s for _, took_s, _ in answers if took_s > 2 * TIMEOUT_S + SCHEDULING_S]
    assert len(late) <= 2, late


def test_frozen_redis_is_found_out(server: RedisServer, client: Any) -> None:
    """SIGSTOP: the connection stays, and nobody answers."""
    with worker_at(server.unix_url) as worker:
        warm(worker)
        server.freeze()
        try:
            answers = ask_without_pause(worker, refusals=1000)
        finally:
            server.thaw()
        assert_found_out_in_time(answers)
        tries = [took_s for _, took_s, _ in answers if took_s > TIMEOUT_S / 2]
        assert len(tries) < len(answers) / 100, "most refusals must not wait"
        until(lambda: worker.reason(TOKEN) == "ok")


def test_half_open_line_is_found_out_before_it_hides_a_revocation_for_long(
    client: Any, relay: Relay
) -> None:
    """The revoker is told, the worker is not: it may go on for a heartbeat, and no longer."""
    with worker_at(relay.url) as worker:
        warm(worker)
        relay.fall_silent()
        client.set(KEY, "x")
        assert_found_out_in_time(ask_without_pause(worker))
        relay.speak_again()
        until(lambda: worker.reason(TOKEN) == "revoked")


def test_idle_worker_asks_before_it_trusts_its_memory(client: Any, relay: Relay) -> None:
    """After a heartbeat of silence the first answer is no longer from memory."""
    with worker_at(relay.url) as worker:
        warm(worker)
        relay.fall_silent()
        client.set(KEY, "x")
        began = time.monotonic()
        until(lambda: time.monotonic() - began > HEARTBEAT_S)
        assert "store_unavailable" == worker.reason(TOKEN)


def test_heartbeat_is_one_question_per_silence(client: Any, server: RedisServer) -> None:
    """A line on which nothing happens is asked four times a second, not once per request."""
    clock = Clock()
    with FeedWorker(server.unix_url, heartbeat_s=HEARTBEAT_S, monotonic=clock) as worker:
        worker.warm(TOKEN)
        for _ in range(110):
            clock.now += 0.01
            assert "ok" == worker.reason(TOKEN)
        assert 4 == worker.line.asked.count("PING")


def test_redis_that_is_busy_with_a_script_is_not_trusted(client: Any, server: RedisServer) -> None:
    """It answers BUSY, and holds back announcements of what it has acknowledged already."""
    client.config_set("busy-reply-threshold", 1)
    with worker_at(server.unix_url) as worker, server.client() as other:
        busy = threading.Thread(target=run_for_long, args=(server,))
        warm(worker)
        busy.start()
        try:
            until(lambda: is_busy(other), what="the script runs")
            assert_found_out_in_time(ask_without_pause(worker))
        finally:
            other.script_kill()
            busy.join()
        until(lambda: worker.reason(TOKEN) == "ok")


def run_for_long(server: RedisServer) -> None:
    connection = Redis(unix_socket_path=str(server.path), socket_timeout=None)
    with connection as client, pytest.raises(Exception, match="killed"):
        client.eval("while true do end", 0)


def is_busy(client: Any) -> bool:
    try:
        client.ping()
    except Exception as error:
        return "BUSY" in str(error)
    return False


def test_excuse_is_no_sign_of_life() -> None:
    """Redis may be holding announcements back: who asks about others does not keep a token warm."""
    clock = Clock()
    with (
        ScriptedRedis() as redis,
        FeedWorker(f"unix://{redis.path}", heartbeat_s=HEARTBEAT_S, monotonic=clock) as worker,
    ):
        worker.warm(TOKEN)
        redis.answer = lambda _: b"-BUSY\r\n"
        for reason in ("ok", "store_unavailable", "store_unavailable"):
            clock.now += 0.8 * HEARTBEAT_S
            assert reason == worker.reason(TOKEN)
            assert "store_unavailable" == worker.reason(token_of(clock.now))


def test_redis_within_its_time_is_slow_but_answers(client: Any, relay: Relay) -> None:
    """Every round trip just within the timeout: connect, log in and ask, and stay connected."""
    timeout_s = 6.0
    # There and back twice at first, for which a new line has half a timeout more: four times this.
    relay.delay_s = timeout_s * 0.27
    with FeedWorker(relay.url, timeout_s=timeout_s, heartbeat_s=HEARTBEAT_S) as worker:
        assert ["ok"] * 2 == [worker.reason(TOKEN) for _ in range(2)]
        assert worker.line.asked[0].startswith("HGETALL")


def test_redis_out_of_its_time_is_no_answer(client: Any, relay: Relay) -> None:
    """Too slow is as good as gone; when it is quick again, so is the worker."""
    with worker_at(relay.url) as worker:
        warm(worker)
        relay.delay_s = 2 * TIMEOUT_S
        answers = ask_without_pause(worker)
        assert_found_out_in_time(answers)
        relay.delay_s = 0
        until(lambda: worker.reason(TOKEN) == "ok")


def trickle(redis: ScriptedRedis) -> Callable[[Sequence[str]], bytes]:
    """Answer with a byte now and then, so that there is always something to read."""

    def answer(command: Sequence[str]) -> bytes:
        for byte in b"$10000\r\n" + b"x" * 9_000:
            redis.say(bytes([byte]))
            time.sleep(0.01)
        return b""

    return answer


def test_answer_that_trickles_in_is_bounded_as_a_whole() -> None:
    """The timeout is for all of the answer, not for each byte of it."""
    with ScriptedRedis() as redis, closing(redis.line(timeout_s=TIMEOUT_S)) as line:
        until(lambda: ask_or_none(line) == ["PONG"])
        redis.answer = trickle(redis)
        assert 0.9 * TIMEOUT_S < time_to_refuse(line) < 30  # of the 90 that all of it takes


def time_to_refuse(line: Line) -> float:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        line.ask(("PING",))
    return time.monotonic() - began


def test_late_answer_is_never_taken_for_the_answer_to_the_next_question() -> None:
    """A line that has timed out is hung up: its answers have lost their questions."""
    gate = threading.Event()

    def answer(command: Sequence[str]) -> bytes:
        if command[0] == "GET":
            gate.wait(60)
            return b"+late\r\n"
        return usual(command)

    with ScriptedRedis(answer) as redis, closing(redis.line(timeout_s=TIMEOUT_S)) as line:
        until(lambda: ask_or_none(line) == ["PONG"])
        with pytest.raises(StoreUnavailable):
            line.ask(("GET", "a"))
        gate.set()
        until(lambda: ask_or_none(line) == ["PONG"])


def ask_or_none(line: Line) -> object:
    try:
        return line.ask(("PING",))
    except StoreUnavailable:
        return None
