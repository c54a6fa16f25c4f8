"""Samples of the last minutes, in two small files that every worker can read.

A line of names, then a line per sample: its time and a number per name; a new line of names where
they change. Only the worker that samples writes. A file is full after ten minutes; the one before
it is kept until the next is.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEPT_S = 600
"""How far back a page that has just been opened can look."""

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples with the same names. Names and rows are JSON, a row is `[time_s, number, ...]`."""

    names: str
    rows: list[str] = field(default_factory=list)


class History:
    """`directory` None: nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._names: tuple[str, ...] = ()
        self._full_at_s = 0.0

    def add(self, now: float, sample: Mapping[str, float]) -> None:
        """Append a sample. For one thread of one process."""
        if self.directory is None:
            return
        lines = [json.dumps([round(now, 1), *map(_short, sample.values())], separators=(",", ":"))]
        newer = self.directory / "newer"
        if not 0 <= self._full_at_s - now <= KEPT_S:
            self._full_at_s = self._make_room(newer, now) + KEPT_S
            self._names = ()
        names = tuple(sample)
        if names != self._names:
            self._names = names
            lines.insert(0, json.dumps(names, separators=(",", ":")))
        with newer.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def since(self, after_s: float) -> list[Stretch]:
        """Return what was sampled after that time, oldest first."""
        if self.directory is None:
            return []
        both = (_stretches(self.directory / name, after_s) for name in ("older", "newer"))
        return [stretch for stretches in both for stretch in stretches if stretch.rows]

    def _make_room(self, newer: Path, now: float) -> float:
        """Put a full file aside; return when the one that is now written to begins."""
        newer.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        times = [_time_of(row) for stretch in _stretches(newer, 0.0) for row in stretch.rows]
        if times and 0 <= now - times[0] < KEPT_S:
            return times[0]
        if newer.exists():
            newer.replace(newer.with_name("older"))
        return now


def _short(value: float) -> float:
    """A whole number stays one: it is shorter. JSON knows no infinity."""
    if not math.isfinite(value):
        return 0
    return int(value) if value == int(value) else round(value, _DIGITS)


def _time_of(row: str) -> float:
    return float(row[1:].partition(",")[0])


def _stretches(path: Path, after_s: float) -> Iterator[Stretch]:
    """A last line that is not whole yet is left for the next time."""
    try:
        lines = path.read_text().split("\n")[:-1]
    except OSError:
        return
    stretch = Stretch("[]")
    for line in lines:
        if line.startswith('["'):
            yield stretch
            stretch = Stretch(line)
        elif _time_of(line) > after_s:
            stretch.rows.append(line)
    yield stretch
