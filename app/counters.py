"""Counts of one worker, in a small file that all workers of a gateway can read.

An increment is an addition in mapped memory: nothing is called, and nothing is lost when the worker
is killed. A counter never goes back: the next worker to start adds what dead ones left to a file of
their own. A gauge is a state of a living worker and ends with it.
"""

import fcntl
import logging
import mmap
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_BYTES = 8
_ENDED = "ended"
_LIFE = re.compile(r"[0-9]+-[0-9]+")
_LAYOUT, _NUMBER, _FIRST = 0, 1, 2
"""Before the counts: a mark of their names and order, and the worker's number."""

log = logging.getLogger("portcullis.counters")


@dataclass(frozen=True, slots=True)
class Life:
    """A living worker: a small number, which a later one takes over, its counts and gauges."""

    number: int
    pid: int
    counts: Mapping[str, int]


class Counters:
    """`counts[index[name]] += 1` counts. `directory` None: this worker alone, in memory.

    An addition is a read and a write, so an index belongs to one thread of a worker.
    """

    def __init__(
        self, directory: Path | None, counters: Sequence[str], gauges: Sequence[str]
    ) -> None:
        self._directory = directory
        self._gauges = tuple(gauges)
        names = (*counters, *gauges)
        self.index: Mapping[str, int] = {name: at for at, name in enumerate(names, _FIRST)}
        self._words = _FIRST + len(names)
        self._layout = zlib.crc32("\n".join(names).encode())
        memory, number = mmap.mmap(-1, self._words * _BYTES), 1
        if directory is not None:
            try:
                memory, number = self._begin(directory)
            except OSError as error:
                # A full disk is no reason not to serve.
                log.error("the counts of this worker are lost: %s: %s", directory, error)
        self.counts = memoryview(memory).cast("Q")
        self.counts[_NUMBER] = number

    def totals(self) -> dict[str, int]:
        """Return each count over all workers that ever were, each gauge over those that are."""
        return self.look()[0]

    def look(self) -> tuple[dict[str, int], list[Life]]:
        """Return the totals and the living workers of one moment."""
        if self._directory is None:
            lives = [self._life(os.getpid(), list(self.counts))]
            return dict(lives[0].counts), lives
        with locked(self._directory):
            with suppress(OSError):
                self._bury()
            ended = self._read(self._directory / _ENDED)
            lives = [self._life(_pid_of(path.name), self._read(path)) for path in self._lives()]
        sums = {name: ended[at] for name, at in self.index.items()}
        for life in lives:
            for name, count in life.counts.items():
                sums[name] += count
        return sums, sorted(lives, key=lambda life: life.number)

    def _life(self, pid: int, words: Sequence[int]) -> Life:
        counts = {name: words[at] for name, at in self.index.items()}
        return Life(words[_NUMBER], pid, counts)

    def _begin(self, directory: Path) -> tuple[mmap.mmap, int]:
        """Return the memory of this life and its number; raise OSError when there is no room."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(directory):
            self._bury()
            taken = {self._read(path)[_NUMBER] for path in self._lives()}
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
            path = directory / _life_of(os.getpid())
            try:
                return self._map(path, number), number
            except OSError:
                path.unlink(missing_ok=True)
                raise

    def _lives(self) -> list[Path]:
        """Return the files of workers, of dead ones too unless they have been buried."""
        assert self._directory is not None  # noqa: S101 - for the type checker
        return [path for path in self._directory.iterdir() if _LIFE.fullmatch(path.name)]

    def _map(self, path: Path, number: int) -> mmap.mmap:
        with path.open("w+b") as file:
            file.write(self._layout.to_bytes(_BYTES, "little"))
            file.write(number.to_bytes(_BYTES, "little"))
            # Taken now: a disk that is full when a count is first written would end the process.
            os.posix_fallocate(file.fileno(), 0, self._words * _BYTES)
            return mmap.mmap(file.fileno(), self._words * _BYTES)

    def _read(self, path: Path) -> list[int]:
        """Return a file's words; one of another version, with other names, counts for nothing."""
        content = path.read_bytes() if path.exists() else b""
        words = memoryview(content[: len(content) // _BYTES * _BYTES]).cast("Q")
        if len(words) == self._words and words[_LAYOUT] == self._layout:
            return list(words)
        number = words[_NUMBER] if len(words) > _NUMBER else 0
        return [self._layout, number, *[0] * (self._words - _FIRST)]

    def _bury(self) -> None:
        """Add the counters of dead workers to those of all ended ones. Under the lock."""
        assert self._directory is not None  # noqa: S101 - for the type checker
        dead = [path for path in self._lives() if not _is_alive(path.name)]
        if not dead:
            return
        sums = self._read(self._directory / _ENDED)
        for path in dead:
            sums = [one + other for one, other in zip(sums, self._read(path), strict=True)]
        sums[_LAYOUT], sums[_NUMBER] = self._layout, 0
        for gauge in self._gauges:
            sums[self.index[gauge]] = 0
        fresh = self._directory / f"{_ENDED}.new"
        fresh.write_bytes(b"".join(value.to_bytes(_BYTES, "little") for value in sums))
        fresh.rename(self._directory / _ENDED)
        for path in dead:
            path.unlink()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only one of all workers to change what is in the folder."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pid_of(life: str) -> int:
    return int(life.partition("-")[0])


def _is_alive(life: str) -> bool:
    """A process that has ended and that nobody has asked about yet is still there, as a zombie."""
    try:
        state, start = _state_and_start(_pid_of(life))
    except (ValueError, OSError):
        return False
    return state not in {"Z", "X"} and life == f"{_pid_of(life)}-{start}"


def _life_of(pid: int) -> str:
    """Return a name that no later process of the same pid has: pid and start time."""
    return f"{pid}-{_state_and_start(pid)[1]}"


def _state_and_start(pid: int) -> tuple[str, str]:
    stat = Path("/proc", str(pid), "stat").read_text("latin-1")
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]
