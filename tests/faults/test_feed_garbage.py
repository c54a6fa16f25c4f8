"""What comes over the line makes no sense: it is hung up, nothing is believed, and made anew."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest

from app.errors import StoreUnavailable
from app.line import Line, Loss
from tests.processes import until
from tests.store.feed_harness import FeedWorker, token_of
from tests.store.scripted_redis import USUAL, ScriptedRedis, push, usual

TOKEN = token_of("a")
GARBAGE = {
    "no protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(100),
    "an answer that nobody asked for": b"+PONG\r\n",
    "an error that nobody asked for": b"-ERR out of the blue\r\n",
    "null that nobody asked for": b"_\r\n",
    "false that nobody asked for": b"#f\r\n",
    "a length that is no number": b"$x\r\n",
    "a negative length": b"$-7\r\n",
    "a change that is no list of names": b">2\r\n$10\r\ninvalidate\r\n+all\r\n",
    "a change without names": b">1\r\n$10\r\ninvalidate\r\n",
    "an answer after a change": push("revoked:x") + b"+PONG\r\n",
}
NOISE = pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)


@pytest.fixture
def redis() -> Iterator[ScriptedRedis]:
    with ScriptedRedis() as redis:
        yield redis


@pytest.fixture
def line(redis: ScriptedRedis) -> Iterator[Line]:
    with closing(redis.line()) as line:
        assert ["PONG"] == line.ask(("PING",))
        assert line.is_current()
        yield line


@NOISE
def test_noise_between_questions_puts_all_in_doubt(
    redis: ScriptedRedis, line: Line, data: bytes
) -> None:
    """The line is not current, everything may have changed, and the next question works."""
    redis.say(data)
    assert not line.is_current()
    assert isinstance(line.take_news()[-1], Loss)
    assert ["PONG"] == line.ask(("PING",))
    assert line.is_current()


@NOISE
def test_noise_between_questions_costs_the_next_one_nothing(
    redis: ScriptedRedis, line: Line, data: bytes
) -> None:
    """It is found before the question is sent, so the question goes over a new line."""
    redis.say(data)
    assert ["OK"] == line.ask(("SET", "a", "b"))
    assert Loss in [type(news) for news in line.take_news()]
    assert 1 == redis.asked("SET")


@NOISE
def test_noise_behind_an_answer_makes_it_no_answer(
    redis: ScriptedRedis, line: Line, data: bytes
) -> None:
    """Who sends more than it was asked for cannot be believed about the rest."""
    redis.answer = lambda command: usual(command) + data
    with pytest.raises(StoreUnavailable):
        line.ask(("SET", "a", "b"))
    assert not line.is_current()
    redis.answer = usual
    assert ["PONG"] == line.ask(("PING",))


@pytest.mark.parametrize("size", range(len(USUAL["HGETALL"])))
def test_answer_that_breaks_off_is_no_answer(redis: ScriptedRedis, line: Line, size: int) -> None:
    """Cut at any byte by a connection that ends there."""
    said = iter([USUAL["HGETALL"][:size], None])
    redis.answer = lambda _: next(said)
    with pytest.raises(StoreUnavailable):
        line.ask(("HGETALL", "a"), ("GET", "b"))
    redis.answer = usual
    assert ["PONG"] == line.ask(("PING",))
    assert line.is_current()


LOGINS: dict[str, Callable[[Sequence[str]], bytes | None]] = {
    "hangs up": lambda _: None,
    "is no Redis": lambda _: b"SSH-2.0-OpenSSH_9.2\r\n",
    "is busy": lambda command: b"-BUSY\r\n" if command[0] == "CLIENT" else usual(command),
}


@pytest.mark.parametrize("name", LOGINS)
def test_login_that_fails_is_no_answer_and_is_tried_again(name: str) -> None:
    """Whatever is listening there."""
    with ScriptedRedis(LOGINS[name]) as redis, closing(redis.line(timeout_s=0.2)) as line:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                line.ask(("PING",))
        redis.answer = usual
        until(lambda: is_answered(line))
        assert (True, "ok") == (line.is_current(), line.feed())


def is_answered(line: Line) -> bool:
    try:
        return line.ask(("PING",)) == ["PONG"]
    except StoreUnavailable:
        return False


NONSENSE = {
    "HGETALL": [b"_\r\n", b":1\r\n", b"*1\r\n+status\r\n", b"%1\r\n+status\r\n:1\r\n", b"+\r\n"],
    "GET": [b"%0\r\n", b"*0\r\n", b"+yesterday\r\n", b"-WRONGTYPE\r\n"],
    "HGET": [b":0\r\n", b"+\r\n", b"*0\r\n", b"-LOADING\r\n", b"#t\r\n"],
    "EXISTS": [b":1\r\n", b"_\r\n", b"+0\r\n", b"#t\r\n", b"-ERR\r\n", b":-1\r\n", b"*0\r\n"],
}


@pytest.mark.parametrize(
    ("name", "reply"), [(name, reply) for name, replies in NONSENSE.items() for reply in replies]
)
def test_answer_of_another_kind_lets_nobody_in(name: str, reply: bytes) -> None:
    """An answer that does not fit its question is a no, or a 503."""

    def answer(command: Sequence[str]) -> bytes:
        if command[0] == "EVALSHA":
            return b"-NOSCRIPT no\r\n"
        return reply if command[0] == name else USUAL.get(command[0], b"-ERR\r\n")

    with ScriptedRedis(answer) as redis, FeedWorker(f"unix://{redis.path}") as worker:
        assert "ok" != worker.reason(TOKEN)


class Interrupted(BaseException):
    """As a signal may throw it, anywhere."""


@pytest.mark.parametrize("step", [1, 2])
def test_question_that_is_interrupted_leaves_no_answer_behind(
    redis: ScriptedRedis, step: int
) -> None:
    """Thrown before it is sent or after; its answer comes with that to the next question."""
    looks = itertools.count(-10_000)
    late = []

    def monotonic() -> float:
        if next(looks) == 0:
            raise Interrupted
        return 0.0

    def answer(command: Sequence[str]) -> bytes:
        match command:
            case ["GET", "mine"]:
                late.append(b"+mine\r\n")
                return b""
            case ["GET", name]:
                return b"".join(late) + b"+%s\r\n" % name.encode()
            case ["HELLO", *_]:
                late.clear()
        return usual(command)

    redis.answer = answer
    with closing(Line(f"unix://{redis.path}", timeout_s=5, monotonic=monotonic)) as line:
        line.ask(("PING",))
        looks = itertools.count(1 - step)
        with pytest.raises(Interrupted):
            line.ask(("GET", "mine"))
        assert ["other"] == line.ask(("GET", "other"))
