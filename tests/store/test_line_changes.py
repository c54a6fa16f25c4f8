"""Changes are announced among replies, in pieces and in heaps: none is lost, none comes late."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from math import inf
from time import monotonic

import pytest

from app.line import Line, Loss
from tests.service import Clock
from tests.store.scripted_redis import USUAL, ScriptedRedis, push, usual

CHANGE = push("revoked:a")


@pytest.fixture
def redis() -> Iterator[ScriptedRedis]:
    with ScriptedRedis() as redis:
        yield redis


@pytest.fixture
def line(redis: ScriptedRedis) -> Iterator[Line]:
    """A line that has logged in."""
    with closing(redis.line()) as line:
        assert ["PONG"] == line.ask(("PING",))
        assert line.is_current()
        yield line


def test_change_is_news_at_the_next_look(redis: ScriptedRedis, line: Line) -> None:
    """One look into the socket, no question."""
    redis.say(CHANGE)
    assert (True, 1) == (line.is_current(), redis.asked("PING"))
    assert [["revoked:a"]] == line.take_news()
    assert (True, []) == (line.is_current(), line.take_news())


@pytest.mark.parametrize("place", range(3))
def test_change_among_replies_is_news_and_no_reply(
    redis: ScriptedRedis, line: Line, place: int
) -> None:
    """Before and between the replies of one question; the replies stay as they are."""
    said = iter([*([b""] * place), CHANGE, b"", b""])
    redis.answer = lambda command: next(said) + usual(command)
    expected = ["PONG", "OK", 0]
    assert expected == line.ask(("PING",), ("SET", "a", "b"), ("EXISTS", "a"))
    assert line.is_current()
    assert [["revoked:a"]] == line.take_news()


def test_change_in_one_piece_with_the_last_reply_is_news(redis: ScriptedRedis, line: Line) -> None:
    """It has left the socket with the reply, so that a look into the socket finds nothing."""
    redis.answer = lambda command: usual(command) + CHANGE
    line.ask(("SET", "revoked:a", "x"))
    redis.answer = usual
    assert line.is_current()
    assert [["revoked:a"]] == line.take_news()


@pytest.mark.parametrize("cut", range(1, len(CHANGE)))
def test_change_that_is_cut_anywhere_is_news_once_it_is_whole(
    redis: ScriptedRedis, line: Line, cut: int
) -> None:
    """Whatever the pieces, and whether a question is asked in between or not."""
    redis.say(CHANGE[:cut])
    rest = iter([CHANGE[cut:]])
    redis.answer = lambda command: next(rest, b"") + usual(command)
    line.is_current()
    assert ["PONG"] == line.ask(("PING",))
    assert [["revoked:a"]] == line.take_news()
    assert line.is_current()


def test_change_that_is_visibly_incomplete_is_asked_for(redis: ScriptedRedis, line: Line) -> None:
    """The beginning of an announcement tells that there is more: an answer comes after it."""
    for cut in (3, 7, 12, len(CHANGE) - 1):
        redis.say(CHANGE[:cut])
        rest = iter([CHANGE[cut:]])
        redis.answer = lambda command, rest=rest: next(rest, b"") + usual(command)  # type: ignore[misc]
        assert line.is_current()
        assert [["revoked:a"]] == line.take_news()


def test_change_that_is_cut_behind_a_reply_is_asked_for(redis: ScriptedRedis, line: Line) -> None:
    """What follows a reply in part is not believed to be all."""
    rest = iter([b"+OK\r\n" + CHANGE[:10], CHANGE[10:] + b"+PONG\r\n"])
    redis.answer = lambda _: next(rest)
    line.ask(("SET", "a", "b"))
    assert line.is_current()
    assert [["revoked:a"]] == line.take_news()


@pytest.mark.parametrize("count", [1, 3_000, 30_000])
def test_announcement_of_any_size_is_taken_in(redis: ScriptedRedis, line: Line, count: int) -> None:
    """Many names in one announcement, many times what one read takes."""
    names = [f"revoked:{number}" for number in range(count)]
    redis.answer = lambda command: push(*names) + usual(command)
    line.ask(("PING",))
    redis.answer = usual
    assert line.is_current()
    assert [names] == line.take_news()


def test_many_announcements_at_once_are_all_news_and_need_an_answer(
    redis: ScriptedRedis, line: Line
) -> None:
    """So much may have filled the socket: only an answer tells that all has come."""
    redis.say(b"".join(push(f"revoked:{number}") for number in range(100)))
    asked = redis.asked("PING")
    assert line.is_current()
    assert (100, asked + 1) == (len(line.take_news()), redis.asked("PING"))


def test_few_announcements_at_once_need_no_answer(redis: ScriptedRedis, line: Line) -> None:
    """The usual case costs no round trip."""
    redis.say(push("revoked:a") * 20)
    asked = redis.asked("PING")
    assert (True, asked) == (line.is_current(), redis.asked("PING"))


def test_announcement_of_everything_is_none(redis: ScriptedRedis, line: Line) -> None:
    """FLUSHALL names no key."""
    redis.say(push())
    assert line.is_current()
    assert [None] == line.take_news()


def test_changes_that_came_before_the_loss_are_told_before_it(
    redis: ScriptedRedis, line: Line
) -> None:
    """Redis had announced them, and then it was gone: both are there at one look."""
    assert line.is_current()
    known_until = line.known_until
    redis.say(push("revoked:a") + push("client:x"))
    redis.hang_up()
    assert not line.is_current()
    *changes, loss = line.take_news()
    assert [["revoked:a"], ["client:x"]] == changes
    assert isinstance(loss, Loss)
    assert known_until <= loss.known_until <= monotonic()


def test_loss_is_told_once_however_often_the_line_is_lost(redis: ScriptedRedis, line: Line) -> None:
    """Until somebody has taken it in; a line without a feed tells of none."""
    for one in (line, redis.line(watched=())):
        for _ in range(3):
            assert ["PONG"] == one.ask(("PING",))
            one.close()
    assert [Loss] == [type(news) for news in line.take_news()]
    assert [] == one.take_news()


def test_nothing_was_ever_certain_on_a_line_that_announces_nothing(redis: ScriptedRedis) -> None:
    """Whatever was asked there may have changed right after."""
    redis.answer = lambda command: (
        b"-NOPERM no\r\n" if command[0] == "CLIENT" else USUAL[command[0]]
    )
    with closing(redis.line()) as line:
        assert ["PONG"] == line.ask(("PING",))
        assert -inf == line.known_until
        line.close()
        assert [Loss(-inf)] == line.take_news()


def test_excuse_is_no_proof_that_the_line_is_current(redis: ScriptedRedis, line: Line) -> None:
    """A Redis that loads, or is busy, may hold announcements back."""
    known_until = line.known_until
    redis.answer = lambda _: b"-LOADING wait\r\n"
    line.ask(("PING",))
    assert known_until == line.known_until
    redis.answer = usual
    line.ask(("PING",))
    assert known_until < line.known_until


def test_answer_that_is_read_late_vouches_from_when_it_was_asked_for(redis: ScriptedRedis) -> None:
    """A worker that stood still has its answer in the socket; Redis may be gone since."""
    clock = Clock()
    with closing(redis.line(heartbeat_s=0.25, monotonic=clock)) as line:

        def answer(command: Sequence[str]) -> bytes:
            clock.now += 0.2
            return usual(command)

        line.ask(("PING",))
        redis.answer = answer
        line.ask(("PING",))
        redis.answer = usual
        for pings in (2, 3):
            assert (True, pings) == (line.is_current(), redis.asked("PING"))
            clock.now += 0.1


def test_change_is_no_sign_of_life(redis: ScriptedRedis) -> None:
    """It may have come before Redis went silent: who stood still meanwhile cannot know."""
    clock = Clock()
    with closing(redis.line(heartbeat_s=0.25, monotonic=clock)) as line:
        line.ask(("PING",))
        for pings in (1, 1, 2):
            clock.now += 0.1
            redis.say(CHANGE)
            assert (True, pings) == (line.is_current(), redis.asked("PING"))


def test_name_that_is_no_utf8_is_news_too(redis: ScriptedRedis, line: Line) -> None:
    """Names are bytes in Redis; one that is not text must not end the line."""
    redis.say(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\n\xff\xfe\r\n")
    assert line.is_current()
    assert [["\udcff\udcfe"]] == line.take_news()


def test_push_of_another_kind_is_ignored(redis: ScriptedRedis, line: Line) -> None:
    """A server may tell of other things, such as its maintenance."""
    redis.say(b">2\r\n+moving\r\n:1\r\n>1\r\n+x\r\n")
    assert (True, []) == (line.is_current(), line.take_news())


def test_error_reply_is_one_of_the_replies(redis: ScriptedRedis, line: Line) -> None:
    """The commands beside it are answered all the same."""

    def answer(command: Sequence[str]) -> bytes:
        return b"-WRONGTYPE no\r\n" if command[0] == "GET" else USUAL[command[0]]

    redis.answer = answer
    first, second, third = line.ask(("PING",), ("GET", "a"), ("PING",))
    assert ("PONG", "PONG") == (first, third)
    assert "WRONGTYPE no" == str(second)
