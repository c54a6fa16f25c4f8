"""Counts of one worker, in a small file that all workers of a gateway can read.

An increment is an addition in mapped memory: nothing is called, and nothing is lost when the worker
is killed. A counter never goes back: the next worker to start adds what dead ones left to a file of
their own. A gauge is a state of a living worker and ends with it.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_BYTES = 8
_ENDED = "ended"


class Counters:
    """`counts[index[name]] += 1` counts. `directory` None: this worker alone, in memory."""

    def __init__(
        self, directory: Path | None, counters: Sequence[str], gauges: Sequence[str]
    ) -> None:
        self._directory = directory
        self._counters = tuple(counters)
        names = (*counters, *gauges)
        self.index: Mapping[str, int] = {name: at for at, name in enumerate(names)}
        self._length = len(names) * _BYTES
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(directory):
                self._bury()
                memory = self._map(directory / _life_of(os.getpid()))
        else:
            memory = mmap.mmap(-1, self._length)
        self.counts = memoryview(memory).cast("Q")

    def totals(self) -> dict[str, int]:
        """Return each count over all workers that ever were, each gauge over those that are."""
        if self._directory is None:
            return dict(zip(self.index, self.counts, strict=True))
        with _locked(self._directory):
            self._bury()
            files = [self._read(path) for path in self._files()]
        return {name: sum(counts[at] for counts in files) for name, at in self.index.items()}

    def workers(self) -> int:
        """Return how many workers there are."""
        if self._directory is None:
            return 1
        return sum(path.name != _ENDED for path in self._files())

    def _files(self) -> list[Path]:
        assert self._directory is not None  # noqa: S101 - for the type checker
        files = (path for path in self._directory.iterdir() if path.is_file())
        return [path for path in files if path.name != "lock"]

    def _map(self, path: Path) -> mmap.mmap:
        with path.open("w+b") as file:
            file.truncate(self._length)
            return mmap.mmap(file.fileno(), self._length)

    def _read(self, path: Path) -> list[int]:
        """Return a file's counts; one of another version, with other names, counts for nothing."""
        content = path.read_bytes()
        if len(content) != self._length:
            return [0] * len(self.index)
        return list(memoryview(content).cast("Q"))

    def _bury(self) -> None:
        """Add the counters of dead workers to those of all ended ones. Under the lock."""
        assert self._directory is not None  # noqa: S101 - for the type checker
        dead = [path for path in self._files() if path.name != _ENDED and not _is_alive(path.name)]
        if not dead:
            return
        ended = self._directory / _ENDED
        sums = [0] * len(self.index)
        for path in [*dead, *([ended] if ended.exists() else [])]:
            sums = [one + other for one, other in zip(sums, self._read(path), strict=True)]
        sums[len(self._counters) :] = [0] * (len(sums) - len(self._counters))
        fresh = self._directory / f"{_ENDED}.new"
        fresh.write_bytes(b"".join(value.to_bytes(_BYTES, "little") for value in sums))
        fresh.rename(ended)
        for path in dead:
            path.unlink()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_alive(life: str) -> bool:
    pid = life.partition("-")[0]
    try:
        return life == _life_of(int(pid))
    except (ValueError, OSError):
        return False


def _life_of(pid: int) -> str:
    """Return a name that no later process of the same pid has: pid and start time."""
    stat = Path("/proc", str(pid), "stat").read_text("latin-1")
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"
