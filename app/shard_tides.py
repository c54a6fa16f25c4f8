"""Has a shard of a cluster all that it once had? High-water marks as in tide.py, one per shard.

A mark lies in one of the shard's slots and goes with it. So a shard that comes back from an older
copy of its files, or without the last second before a power cut, is told from one that is whole.
What a replica lacks that takes over is trail.py's concern.
"""

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import StoreUnavailable
from app.lua import Ask, Script
from app.tide_file import TideFile

_PREFIX = "tide-"
_RAISE = Script("shard_tide")


class ShardTides:
    """The marks of one gateway, by number. For the lines of one worker, and their threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._changed: set[int] = set()
        self._files: dict[int, TideFile] = {}
        self.on_change: Callable[[], None] = lambda: None

    def saw(self, number: int) -> None:
        """Note that a shard has changed, until its mark has been raised after that."""
        with self._lock:
            is_new = number not in self._changed
            self._changed.add(number)
        if is_new:
            self.on_change()

    def raise_marks(self, ask: Ask) -> None:
        """Have each shard that has changed confirm what it has.

        What goes wrong with one keeps no other back, and is raised at the end: StoreUnavailable,
        ConnectionError when one has not what it had, TimeoutError when another worker is at it.
        """
        with self._lock:
            numbers, self._changed = self._changed, set()
        unconfirmed, why = numbers.copy(), None
        try:
            for number in numbers:
                try:
                    self._raise(number, ask)
                    unconfirmed.discard(number)
                except (OSError, StoreUnavailable) as error:
                    why = error
        finally:
            with self._lock:
                self._changed |= unconfirmed
        if why:
            raise why

    def why_older(self, dataset_id: str, numbers: Collection[int], ask: Ask) -> str | None:
        """Tell why a shard that has one of these marks is a copy from before; None if none is."""
        files = [(number, self._file(number)) for number in self._remembered() if number in numbers]
        known = [(number, file, file.read()) for number, file in files]
        questions = (("HGET", key_of(number), one.gateway) for number, _, one in known)
        for (number, file, one), reply in zip(known, ask(*questions) if known else (), strict=True):
            mark = int(_certain(reply) or 0)
            if why := one.why_older(dataset_id, mark):
                return f"shard {number}: {why}"
            if one.dataset != dataset_id:
                with file.locked():
                    file.write(file.read().adopting(dataset_id, mark))
        return None

    def _remembered(self) -> Iterable[int]:
        for path in self._directory.glob(f"{_PREFIX}*"):
            if path.name.removeprefix(_PREFIX).isdigit():
                yield int(path.name.removeprefix(_PREFIX))

    def _raise(self, number: int, ask: Ask) -> None:
        file = self._file(number)
        with file.locked():
            known = file.read()
            keys, args = [key_of(number)], (known.gateway, known.mark)
            dataset_id, mark = map(_certain, _RAISE.run(ask, keys, args, ("HGET", "dataset", "id")))
            if known.dataset and known.dataset != dataset_id:
                return  # Whoever asks next finds out what has become of it.
            if mark <= known.mark:
                raise ConnectionError(f"shard {number} has not what it had before")
            if dataset_id:
                file.write(replace(known, dataset=dataset_id, mark=mark))

    def _file(self, number: int) -> TideFile:
        with self._opening:  # It waits for the disk; who saw a change must not.
            if number not in self._files:
                self._files[number] = TideFile(self._directory, f"{_PREFIX}{number}")
            return self._files[number]


def key_of(number: int) -> str:
    """Return the key of a mark."""
    return f"tide:{{{number}}}"


def _certain(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise ConnectionError(str(reply))
    return reply
