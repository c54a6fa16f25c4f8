"""A dead Redis is not asked again for a moment, and comes back without a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.errors import StoreUnavailable
from app.line import Line, Loss
from tests.processes import until
from tests.service import Clock, Ticking
from tests.store.canned_redis import CannedRedis, willing

PAUSE_S = 0.1
TIMEOUT_S = 5.0


@pytest.fixture
def canned(tmp_path: Path) -> Iterator[CannedRedis]:
    server = CannedRedis(tmp_path / "redis.sock")
    yield server
    server.close()


LineTo = Callable[[str, Clock], Line]


@pytest.fixture
def line_to() -> Iterator[LineTo]:
    """Make a line to a URL with a clock of its own; hang up at the end."""
    lines = []

    def made(url: str, clock: Clock) -> Line:
        lines.append(
            Line(url, timeout_s=TIMEOUT_S, pause_s=PAUSE_S, heartbeat_s=1e9, monotonic=clock)
        )
        return lines[-1]

    yield made
    for line in lines:
        line.close()


def is_answered(line: Line) -> bool:
    try:
        line.ask(("PING",))
    except StoreUnavailable:
        return False
    return True


def is_answered_in_time(line: Line, clock: Ticking) -> bool:
    """Ask somebody who is silent: the timeout is over by the first look at the clock."""
    clock.step_s = TIMEOUT_S
    answered = is_answered(line)
    clock.step_s = 0.001
    return answered


def test_refused_connection_is_not_tried_again_for_a_moment(
    tmp_path: Path, line_to: LineTo
) -> None:
    """Then one question tries, and the line is made anew."""
    clock = Clock(100.0)
    path = tmp_path / "redis.sock"
    line = line_to(f"unix://{path}", clock)
    assert not is_answered(line)
    server = CannedRedis(path)
    try:
        seen = []
        for clock.now in (100.0, 100.0 + PAUSE_S - 0.001, 100.0 + PAUSE_S):
            seen.append((is_answered(line), len(server.asked) > 0))
    finally:
        server.close()
    assert [(False, False), (False, False), (True, True)] == seen


def test_silent_redis_is_spared_further_questions(canned: CannedRedis, line_to: LineTo) -> None:
    """One request waits for the timeout, those behind it are told at once."""
    clock = Ticking(100.0)
    line = line_to(canned.url, clock)
    assert is_answered(line)
    canned.says(None)
    assert not is_answered_in_time(line, clock)
    asked = until(lambda: len(canned.asked) if canned.asked.count(["PING"]) == 2 else 0)
    assert [False] * 20 == [is_answered(line) for _ in range(20)]
    assert asked == len(canned.asked)


def test_redis_that_answers_again_is_used_again(
    canned: CannedRedis, line_to: LineTo, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has one line when it goes and one when it is back, however many asked meanwhile."""
    clock = Ticking(100.0)
    line = line_to(canned.url, clock)
    canned.reply = lambda _: None
    for _ in range(3):
        assert not is_answered_in_time(line, clock)
        clock.now += 2 * PAUSE_S
    canned.reply = willing
    assert is_answered(line)
    messages = [record.getMessage() for record in caplog.records]
    assert 2 == len(messages)
    assert messages[0].startswith("redis does not answer")
    assert "redis answers again" == messages[1]


def test_error_reply_is_an_answer_and_pauses_nothing(canned: CannedRedis, line_to: LineTo) -> None:
    """A Redis that says no is not a dead one."""
    line = line_to(canned.url, Clock(100.0))
    canned.says(b"-NOPERM no\r\n")
    assert [True, True] == [is_answered(line) for _ in range(2)]
    assert 2 == canned.asked.count(["PING"])


def test_line_is_not_current_after_it_was_lost(canned: CannedRedis, line_to: LineTo) -> None:
    """Whatever was learned on it is in doubt."""
    clock = Ticking(100.0)
    line = line_to(canned.url, clock)
    assert is_answered(line)
    assert line.is_current()
    canned.says(None)
    assert not is_answered_in_time(line, clock)
    assert not line.is_current()
    (loss,) = line.take_news()
    assert isinstance(loss, Loss)
    assert 100 < loss.known_until < clock.now
