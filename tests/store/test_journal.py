"""Entries on their way to the audit stream: in order, in batches, bounded, and not lost lightly."""

import math
from typing import Any

import pytest

from app import journal as module
from app.errors import StoreUnavailable
from app.journal import Journal, Use
from app.line import Command, News, Work
from tests.processes import until
from tests.store.conftest import Backend


class Flaky:
    """A line that fails while it is told to, and notes how many entries each batch has."""

    def __init__(self, backend: Backend) -> None:
        self.line = backend.new_line()
        self.news: list[News] = []
        self.known_until = -math.inf
        self.is_up = True
        self.error: Exception | None = None
        self.batches: list[int] = []
        self.asked: list[object] = []

    def is_current(self) -> bool:
        return False

    def lift_pause(self) -> bool:
        return False

    def take_news(self) -> list[News]:
        return []

    def feed(self) -> str:
        return "asking every time"

    def made(self, key: str) -> None:
        pass

    def confirm_changes(self) -> None:
        pass

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        if not self.is_up:
            raise StoreUnavailable("down")
        if self.error:
            return [self.error for _ in commands]
        self.asked += [command[0] for command in commands]
        self.batches.append(sum(command[0] == "XADD" for command in commands))
        return self.line.ask(*commands)


def entries(backend: Backend) -> list[dict[str, str]]:
    found: Any = backend.redis.xrange("audit")
    return [fields for _, fields in found]


def test_entries_are_written_in_their_order(backend: Backend) -> None:
    """One stream entry each, with the fields as they were noted."""
    journal = Journal(backend.new_line(), most_entries=10_000)
    noted = [{"event": "mint", "jti": str(n)} for n in range(1200)]
    for entry in noted:
        journal.note(entry)
    journal.close()
    assert noted == entries(backend)


def test_entries_are_written_without_being_asked_to(backend: Backend) -> None:
    """The thread writes within a second."""
    journal = Journal(backend.new_line(), most_entries=100)
    journal.note({"event": "mint"})
    until(lambda: backend.redis.exists("audit"), what="the entry is written")
    journal.close()


def test_stream_is_capped(backend: Backend) -> None:
    """About as many entries as configured; Redis trims whole blocks at a time."""
    journal = Journal(backend.new_line(), most_entries=100)
    for n in range(2000):
        journal.note({"n": str(n)})
    journal.close()
    kept = entries(backend)
    assert 100 <= len(kept) <= 300
    assert {"n": "1999"} == kept[-1]


def test_batches_are_bounded(backend: Backend) -> None:
    """A long queue does not become one enormous command."""
    line = Flaky(backend)
    line.is_up = False
    journal = Journal(line, most_entries=10_000)
    for n in range(1201):
        journal.note({"n": str(n)})
    line.is_up = True
    journal.close()
    assert 1201 == sum(line.batches)
    assert max(line.batches) == 500


def test_entries_wait_while_redis_is_away(backend: Backend) -> None:
    """Nothing is lost or doubled when it is back."""
    line = Flaky(backend)
    journal = Journal(line, most_entries=100)
    line.is_up = False
    for n in range(3):
        journal.note({"n": str(n)}, Use("demo", "a", n))
    with pytest.raises(StoreUnavailable):
        journal.flush()
    line.is_up = True
    journal.close()
    assert [{"n": "0"}, {"n": "1"}, {"n": "2"}] == entries(backend)
    assert {"a": "2"} == backend.redis.hgetall("used:demo")


def test_error_reply_keeps_the_entries(backend: Backend) -> None:
    """A Redis that is out of memory, or a user without the right to write."""
    line = Flaky(backend)
    line.error = Exception("OOM command not allowed")
    journal = Journal(line, most_entries=100)
    journal.note({"n": "0"})
    with pytest.raises(StoreUnavailable):
        journal.flush()
    line.error = None
    journal.close()
    assert [{"n": "0"}] == entries(backend)


def test_use_that_cannot_be_noted_doubles_no_entry(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody put another type there: the log says so, the entries are written once."""
    backend.redis.set("used:demo", "no hash")
    journal = Journal(backend.new_line(), most_entries=100)
    for n in range(3):
        journal.note({"n": str(n)}, Use("demo", "a", n))
        journal.flush()
    journal.close()
    assert [{"n": "0"}, {"n": "1"}, {"n": "2"}] == entries(backend)
    assert "use of a secret not noted" in caplog.text


def test_last_use_in_a_batch_counts(backend: Backend) -> None:
    """Many mints of one secret are one command."""
    line = Flaky(backend)
    line.is_up = False
    journal = Journal(line, most_entries=100)
    for n in range(50):
        journal.note({"n": str(n)}, Use("demo", "a", n))
    line.is_up = True
    journal.close()
    assert ({"a": "49"}, 1) == (backend.redis.hgetall("used:demo"), line.asked.count("HSET"))


def test_queue_is_bounded_and_counts_what_it_drops(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that stays away must not take the service's memory."""
    monkeypatch.setattr(module, "_MOST_WAITING", 5)
    line = Flaky(backend)
    line.is_up = False
    journal = Journal(line, most_entries=100)
    for n in range(8):
        journal.note({"n": str(n)})
    assert 3 == journal.dropped
    line.is_up = True
    journal.close()
    assert [{"n": str(n)} for n in range(5)] == entries(backend)


def test_end_without_redis_says_what_is_lost(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing never raises: the worker has to end."""
    line = Flaky(backend)
    line.is_up = False
    journal = Journal(line, most_entries=100)
    journal.note({"n": "0"})
    journal.close()
    assert "audit entries lost at shutdown: 1" in caplog.text
