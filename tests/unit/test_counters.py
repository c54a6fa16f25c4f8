"""Counts that survive the worker that made them."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.counters import Counters
from tests.processes import state_of, until

NAMES, GAUGES = ["asked", "refused"], ["warm"]
COUNT_AND_WAIT = """
import sys
from pathlib import Path
from app.counters import Counters
from tests.processes import state_of, until
counters = Counters(Path(sys.argv[1]), ["asked", "refused"], ["warm"])
counters.counts[counters.index["asked"]] += int(sys.argv[2])
counters.counts[counters.index["warm"]] = 7
print("counted", flush=True)
sys.stdin.read()
"""


def another_worker(directory: Path, asked: int) -> subprocess.Popen[str]:
    """A process that has counted and lives until its input ends."""
    command = [sys.executable, "-c", COUNT_AND_WAIT, str(directory), str(asked)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert "counted\n" == worker.stdout.readline()
    return worker


def numbers(counters: Counters) -> list[int]:
    """The numbers of the living workers."""
    return [life.number for life in counters.look()[1]]


def kill(worker: subprocess.Popen[str]) -> None:
    with worker:
        os.kill(worker.pid, signal.SIGKILL)


@pytest.fixture
def counters(tmp_path: Path) -> Counters:
    return Counters(tmp_path / "metrics", NAMES, GAUGES)


def test_counts_of_all_workers_are_added_up(counters: Counters, tmp_path: Path) -> None:
    """Whoever is asked knows what the others have counted."""
    worker = another_worker(tmp_path / "metrics", 5)
    counters.counts[counters.index["asked"]] += 2
    try:
        assert {"asked": 7, "refused": 0, "warm": 7} == counters.totals()
        assert [1, 2] == numbers(counters)
    finally:
        kill(worker)


def test_killed_worker_leaves_its_counts_and_takes_its_gauges(
    counters: Counters, tmp_path: Path
) -> None:
    """SIGKILL loses nothing, however often, and no file stays behind for each."""
    for asked in (1, 10, 100):
        kill(another_worker(tmp_path / "metrics", asked))
    for _ in range(2):
        assert {"asked": 111, "refused": 0, "warm": 0} == counters.totals()
    assert [1] == numbers(counters)
    assert 3 == len(list((tmp_path / "metrics").iterdir()))


def test_worker_that_nobody_has_buried_is_dead(counters: Counters, tmp_path: Path) -> None:
    """A zombie counts no more, and keeps no gauge."""
    worker = another_worker(tmp_path / "metrics", 5)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: state_of(worker.pid) == "Z")
    assert {"asked": 5, "refused": 0, "warm": 0} == counters.totals()
    kill(worker)


def test_new_worker_keeps_what_the_ended_ones_counted(tmp_path: Path) -> None:
    """A restart of the whole gateway does not set a counter back."""
    kill(another_worker(tmp_path, 3))
    assert 3 == Counters(tmp_path, NAMES, GAUGES).totals()["asked"]


def test_file_of_another_process_with_the_same_pid_is_a_dead_ones(tmp_path: Path) -> None:
    """A pid comes back; a pid with a start time does not."""
    counters = Counters(tmp_path, NAMES, GAUGES)
    (own,) = [path for path in tmp_path.iterdir() if path.name.startswith(str(os.getpid()))]
    counters.counts[counters.index["asked"]] = 4
    (tmp_path / f"{os.getpid()}-1").write_bytes(own.read_bytes())
    counters.counts[counters.index["asked"]] = 0
    assert 4 == counters.totals()["asked"]
    assert own.exists()
    assert [1] == numbers(counters)


def test_file_with_other_names_counts_for_nothing(counters: Counters, tmp_path: Path) -> None:
    """After an upgrade the counters begin anew, as Prometheus knows how to read."""
    folder = tmp_path / "metrics"
    (own,) = folder.glob(f"{os.getpid()}-*")
    for number, content in enumerate((b"", b"\x01" * 7, b"\x01" * 8, b"\x01" * own.stat().st_size)):
        (folder / f"1-{number}").write_bytes(content)
        assert 0 == counters.totals()["asked"]


def test_counters_without_a_folder_are_this_workers_alone() -> None:
    """Nothing is written where nobody said where."""
    counters = Counters(None, NAMES, GAUGES)
    counters.counts[counters.index["refused"]] += 1
    assert {"asked": 0, "refused": 1, "warm": 0} == counters.totals()
    assert [1] == numbers(counters)


def test_number_of_an_ended_worker_is_given_to_a_new_one(
    counters: Counters, tmp_path: Path
) -> None:
    """Labels by number stay few, however often workers are replaced."""
    first, second = (another_worker(tmp_path / "metrics", 1) for _ in range(2))
    assert [1, 2, 3] == numbers(counters)
    kill(first)
    third = another_worker(tmp_path / "metrics", 1)
    found = {life.number: life.pid for life in counters.look()[1]}
    kill(second)
    kill(third)
    assert {1: os.getpid(), 2: third.pid, 3: second.pid} == found


def test_full_disk_costs_the_counts_and_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Room is taken when a worker starts: without any it counts for itself and says so."""

    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    counters = Counters(tmp_path / "metrics", ["a"], [])
    counters.counts[counters.index["a"]] += 1
    assert "No space left" in caplog.text
    assert [] == [path for path in (tmp_path / "metrics").iterdir() if path.name != "lock"]
    assert {"a": 0} == counters.totals()
