"""What a gateway remembers of its data set, beyond the life of its workers: a file that they share.

It is on the disk before it counts, because a power cut may take Redis' last second with it.
"""

import fcntl
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_MOST_ENDED = 100
_LOCK_WITHIN_S = 0.05
_LOOK_AGAIN_S = 0.002

log = logging.getLogger("portcullis.tide")


@dataclass(frozen=True, slots=True)
class Remembered:
    """The data set in force, the highest mark that it has confirmed, and the sets before it."""

    gateway: str
    dataset: str = ""
    mark: int = 0
    ended: tuple[str, ...] = ()

    def why_older(self, dataset: str, mark: int) -> str | None:
        """Tell why what Redis has now is a copy from before; None when it need not be."""
        if dataset in self.ended:
            return f"data set {dataset} has ended before"
        if dataset == self.dataset and mark < self.mark:
            return f"it was confirmed up to {self.mark}, and is at {mark}"
        return None

    def adopting(self, dataset: str, mark: int, *ended: str) -> "Remembered":
        """Return what to remember when another data set is in force."""
        gone = dict.fromkeys((*self.ended, self.dataset, *ended))
        kept = tuple(one for one in gone if one not in {"", dataset})
        return replace(self, dataset=dataset, mark=mark, ended=kept[-_MOST_ENDED:])


class TideFile:
    """`tide` in a directory that must survive. For the threads and the workers of one gateway."""

    def __init__(self, directory: Path, name: str = "tide") -> None:
        self._directory = directory
        self._path = directory / name
        self._in_process = threading.RLock()
        self._depth = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked(within_s=10):
            if not self._path.exists():
                self.write(Remembered(secrets.token_hex(4)))

    def read(self) -> Remembered:
        """Return what was written last. What cannot be read is gone, and said to be."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return Remembered(**{**found, "ended": tuple(found["ended"])})
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            log.error("%s cannot be read, so it begins anew: %s", self._path, error)
            fresh = Remembered(secrets.token_hex(4))
            with self.locked():
                self.write(fresh)
            return fresh

    def write(self, remembered: Remembered) -> None:
        """Replace all of it, on the disk. Under the lock."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(remembered), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        _sync(self._directory)

    @contextmanager
    def locked(self, within_s: float = _LOCK_WITHIN_S) -> Iterator[None]:
        """Be the only one who writes; raise TimeoutError when that cannot be had soon."""
        deadline = time.monotonic() + within_s
        if not self._in_process.acquire(timeout=within_s):
            raise TimeoutError("another thread is writing the tide file")
        try:
            if self._depth:
                yield
                return
            with self._path.with_suffix(".lock").open("w") as file:
                _lock(file.fileno(), deadline)
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
        finally:
            self._in_process.release()


def _lock(fd: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError("another worker is writing the tide file") from None
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
