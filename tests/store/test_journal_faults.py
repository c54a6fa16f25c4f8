"""The journal on a real Redis that goes away, comes back, refuses and breaks off."""

import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app import journal as module
from app.journal import Journal, Use
from app.line import Command, Line
from tests.faults.feed_relay import Relay
from tests.processes import until
from tests.stack import ROOT
from tests.store.feed_harness import RedisServer

YEAR_S = 365 * 86_400
PATIENCE_S = 10


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    with server.client() as client:
        yield client


@pytest.fixture
def line(server: RedisServer) -> Iterator[Line]:
    """It is patient: a batch whose answer it does not wait for is written twice."""
    line = Line(server.unix_url, timeout_s=PATIENCE_S, watched=())
    yield line
    line.close()


@pytest.fixture
def journal(line: Line) -> Iterator[Journal]:
    journal = Journal(line, most_entries=100_000)
    yield journal
    journal.close()


def note(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.note({"event": "mint", "jti": str(number)})


def written(client: Any) -> list[int]:
    return [int(fields["jti"]) for _, fields in client.xrange("audit")]


def test_entry_is_written_within_a_second(client: Any, journal: Journal) -> None:
    """Each one that comes alone, again and again; nobody has to flush."""
    took_s = []
    for number in range(5):
        began = time.monotonic()
        note(journal, number)
        until(lambda n=number: client.xlen("audit") == n + 1)  # type: ignore[misc]
        took_s.append(time.monotonic() - began)
    assert statistics.median(took_s) < 1.0
    assert list(range(5)) == written(client)


def test_full_batch_does_not_wait(
    client: Any, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 500 entries they are written, however long it was to gather more."""
    monkeypatch.setattr(module, "_GATHER_S", 60)
    note(journal, *range(500))
    until(lambda: client.xlen("audit") == 500, 30)


def test_fields_and_uses_are_in_redis_as_noted(client: Any, journal: Journal) -> None:
    """The entry word for word; the use under its secret, for a year."""
    entry = {"event": "mint", "who": "demo", "detail": "a b\nc ü", "from": "::1", "empty": ""}
    journal.note(entry, Use("demo", "aaaa0001", 1_700_000_000))
    journal.note(entry, Use("demo", "bbbb0002", 1_700_000_001))
    journal.flush()
    assert [entry, entry] == [fields for _, fields in client.xrange("audit")]
    uses = {"aaaa0001": "1700000000", "bbbb0002": "1700000001"}
    assert uses == client.hgetall("used:demo")
    assert YEAR_S - 60 <= client.ttl("used:demo") <= YEAR_S


def test_nothing_is_lost_while_redis_is_away(
    server: RedisServer, client: Any, journal: Journal
) -> None:
    """Killed, and started again much later; all is there, once, in its order."""
    note(journal, 0)
    until(lambda: client.xlen("audit") == 1)
    for begin in (1, 2_001, 4_001):
        server.kill()
        note(journal, *range(begin, begin + 2_000))
        server.start()
        until(lambda: client.xlen("audit") == 2_000)
        assert list(range(begin, begin + 2_000)) == written(client)
    assert 0 == journal.dropped


def test_what_finds_no_room_is_dropped_counted_and_logged(
    server: RedisServer, client: Any, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest stay: they tell how it began."""
    server.kill()
    note(journal, *range(25_000))
    assert 5_000 == journal.dropped
    server.start()
    until(lambda: client.xlen("audit") == 20_000, 30)
    assert list(range(20_000)) == written(client)
    until(lambda: "audit entries dropped: 5000 in all" in caplog.text)
    note(journal, 30_000)
    until(lambda: client.xlen("audit") == 20_001)


def test_redis_that_refuses_is_tried_until_it_takes_them(client: Any, journal: Journal) -> None:
    """Out of memory, or a key of another type: nothing is lost, nothing is written twice."""
    client.set("audit", "no stream")
    note(journal, *range(1_200))
    with pytest.raises(Exception, match="cannot answer now"):
        journal.flush()
    client.delete("audit")
    until(lambda: client.xlen("audit") == 1_200)
    client.config_set("maxmemory", 1)
    note(journal, *range(1_200, 1_500))
    with pytest.raises(Exception, match="cannot answer now"):
        journal.flush()
    client.config_set("maxmemory", 0)
    until(lambda: client.xlen("audit") == 1_500)
    assert list(range(1_500)) == written(client)


def test_batch_whose_answer_is_lost_is_written_again_and_no_other(
    server: RedisServer, client: Any
) -> None:
    """At least once: Redis had written it, so these entries are there twice; all others once."""
    with Relay(server.port) as relay:
        line = Line(relay.url, timeout_s=PATIENCE_S, watched=())
        journal = Journal(line, most_entries=100_000)
        note(journal, 0, 1)
        journal.flush()
        relay.answers = False
        note(journal, 2, 3)
        until(lambda: client.xlen("audit") >= 4, 3 * PATIENCE_S)
        relay.answers = True
        relay.hang_up()
        note(journal, 4)
        until(lambda: 4 in written(client))
        journal.close()
        line.close()
    runs = [number for number, _ in itertools.groupby(written(client))]
    assert [0, 1] == runs[:2]
    assert 4 == runs[-1]
    assert {0: 1, 1: 1, 4: 1} == {number: written(client).count(number) for number in (0, 1, 4)}
    assert [2, 3] == sorted(set(runs[2:-1]))


def test_entries_of_many_threads_are_all_written(client: Any, journal: Journal) -> None:
    """Noting while the thread writes loses nothing."""
    threads = [
        threading.Thread(target=note, args=(journal, *range(start, 4_000, 4))) for start in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.flush()
    assert list(range(4_000)) == sorted(written(client))


def test_noting_never_waits(server: RedisServer, journal: Journal) -> None:
    """Whether Redis is quick, frozen or gone."""
    note(journal, 0)
    server.freeze()
    try:
        began = time.monotonic()
        note(journal, *range(1_000))
        assert time.monotonic() - began < PATIENCE_S / 2, "so long would the line wait"
    finally:
        server.thaw()


def test_entry_that_cannot_be_sent_does_not_end_the_journal(
    client: Any, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """Names that are bytes in Redis are written as they are; what is nothing at all is logged."""
    journal.note({"jti": "7", "detail": "\udcff"})
    until(lambda: client.xlen("audit") == 1)
    journal.note({"detail": "\ud800"})
    until(lambda: "audit entries not written" in caplog.text)
    thread: Any = vars(journal)["_thread"]
    assert thread.is_alive()
    vars(journal)["_waiting"].clear()


def test_line_that_fails_in_any_way_does_not_end_the_journal() -> None:
    """A defect is logged, and the next try writes what waits."""

    class Broken:
        news: list[Any]
        asked = 0

        def ask(self, *commands: Command) -> list[Any]:
            self.asked += 1
            if self.asked < 3:
                raise RuntimeError("a defect")
            return ["0-1"] * len(commands)

        def confirm_changes(self) -> None:
            pass

    broken: Any = Broken()
    journal = Journal(broken, most_entries=10)
    note(journal, 1)
    until(lambda: broken.asked == 3)
    journal.close()
    assert 3 == broken.asked


@pytest.mark.parametrize(
    ("failures", "complaints"),
    [(["another"], 0), (["another", "full"], 0), (["full"] * 2, 1), (["full"] * 5, 1)],
)
def test_failure_to_confirm_that_the_next_try_mends_is_no_complaint(
    failures: list[str], complaints: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A data set that has just begun is one; a full disk is not, and is told of once."""
    left = failures[:]

    class Failing:
        def confirm_changes(self) -> None:
            if left:
                raise ConnectionError(left.pop(0))

    failing: Any = Failing()
    journal = Journal(failing, most_entries=10)
    journal.wake()
    journal.listen()
    until(lambda: not left)
    journal.close()
    assert complaints == caplog.text.count("changes not confirmed: full")
    assert "another" not in caplog.text


PROGRAM = """
import sys
from app.journal import Journal
from app.line import Line
journal = Journal(Line(sys.argv[1], timeout_s=10, watched=()), most_entries=1000)
journal.note({"jti": "1"})
if sys.argv[2] == "close":
    journal.close()
"""


@pytest.mark.parametrize("ending", ["close", "forget"])
@pytest.mark.parametrize("is_up", [True, False])
def test_thread_keeps_no_process_alive(server: RedisServer, ending: str, is_up: bool) -> None:
    """A worker that ends, ends; closed properly, what waits is written first."""
    if not is_up:
        server.kill()
    command = [sys.executable, "-c", PROGRAM, server.unix_url, ending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    if not is_up and ending == "close":
        assert "audit entries lost at shutdown: 1" in done.stderr
    if is_up and ending == "close":
        with server.client() as client:
            assert [1] == written(client)
