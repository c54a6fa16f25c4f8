"""Questions and answers of any size and number, over any socket, within a bounded time."""

import itertools
import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from app.errors import StoreUnavailable
from app.line import Line
from tests.processes import until
from tests.store.feed_harness import RedisServer

MIB = 1024 * 1024


@pytest.fixture(params=["unix", "tcp"])
def line(request: pytest.FixtureRequest, server: RedisServer) -> Iterator[Line]:
    url = server.unix_url if request.param == "unix" else server.tcp_url
    with closing(Line(url, timeout_s=5, heartbeat_s=60)) as line:
        yield line


def test_replies_come_in_the_order_of_the_commands(line: Line) -> None:
    """Thousands in one question, each with its own answer."""
    commands = [("ECHO", str(number)) for number in range(5_000)]
    assert [str(number) for number in range(5_000)] == line.ask(*commands)


@pytest.mark.parametrize("size", [1, 16 * 1024, 64 * 1024, 64 * 1024 + 1, 16 * MIB])
def test_command_and_reply_of_any_size_pass(line: Line, size: int) -> None:
    """Sent and received in as many pieces as the sockets want."""
    value = "x" * size
    assert ["OK", value, "PONG"] == line.ask(("SET", "large", value), ("GET", "large"), ("PING",))
    assert line.is_current()


def test_many_large_commands_at_once_pass(line: Line) -> None:
    """Redis answers the first ones while the last are still on their way."""
    commands = [("ECHO", str(number) * 50_000) for number in range(10)] * 20
    assert [command[1] for command in commands] == line.ask(*commands)


def test_text_and_numbers_pass_as_they_are(line: Line) -> None:
    """Beyond ASCII too; bytes that are no text come back as half a surrogate pair each."""
    texts = ["", "ü", "\u20ac\U0001f511", "a\r\nb", "\x00"]
    assert texts == line.ask(*[("ECHO", text) for text in texts])
    assert ["7", 8] == line.ask(("ECHO", 7), ("INCRBY", "counter", 8))
    line.ask(("DEL", "counter"))
    assert ["\udcff"] == line.ask(("EVAL", "return string.char(255)", 0))
    assert [1, "\udcff\u20ac"] == line.ask(
        ("EVAL", "return #ARGV[1]", 0, "\udcff"), ("ECHO", "\udcff\u20ac")
    )


def test_no_question_is_no_answer(line: Line) -> None:
    """Nothing asked, nothing waited for."""
    assert [] == line.ask()


def test_command_that_cannot_be_sent_does_no_harm(line: Line) -> None:
    """Half a surrogate pair stands for nothing: nothing of the question is sent."""
    with pytest.raises(UnicodeEncodeError):
        line.ask(("SET", "a", "b"), ("ECHO", "\ud800"))
    assert ["PONG"] == line.ask(("PING",))
    assert line.is_current()


def is_answered(line: Line) -> bool:
    with suppress(StoreUnavailable):
        return line.ask(("PING",)) == ["PONG"]
    return False


def test_redis_that_takes_nothing_more_is_given_up_in_time(server: RedisServer) -> None:
    """A frozen Redis leaves a large command half sent; the timeout counts for that as well."""
    with closing(Line(server.unix_url, timeout_s=1)) as line:
        until(lambda: is_answered(line))
        server.freeze()
        try:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                line.ask(("SET", "large", "x" * 4 * MIB))
            assert 0.9 < time.monotonic() - began < 10
        finally:
            server.thaw()


def test_answer_that_came_in_time_counts_although_the_worker_was_late(server: RedisServer) -> None:
    """Held up after asking, by a collection of garbage or a busy machine: the answer is there."""
    looks = itertools.count(-1000)

    def monotonic() -> float:
        """Time jumps at the second look, which is after the question has been sent."""
        if next(looks) < 1:
            return 0.0
        with server.client() as client:
            client.ping()  # Redis answers one after the other: so it has answered us
        return 1000.0

    with closing(Line(server.unix_url, timeout_s=5, monotonic=monotonic)) as line:
        line.ask(("PING",))
        looks = itertools.count()
        assert ["x" * 100_000] == line.ask(("ECHO", "x" * 100_000))


def test_socket_with_a_large_number_works_like_others(server: RedisServer) -> None:
    """A worker with a thousand connections reconnects: select() would be at its end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        while (number := os.open(os.devnull, os.O_RDONLY)) < 1100:
            stack.callback(os.close, number)
        stack.callback(os.close, number)
        with closing(Line(server.unix_url, timeout_s=5)) as line:
            value = "x" * 16 * MIB
            assert ["OK", value] == line.ask(("SET", "large", value), ("GET", "large"))
            assert line.is_current()
