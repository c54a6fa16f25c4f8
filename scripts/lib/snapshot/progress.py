"""Where a run is: one line that is written over on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

_EVERY_S = {True: 0.1, False: 10.0}


class Progress:
    """Counts of one stage after the other. Says nothing when `is_silent`."""

    def __init__(self, *, is_silent: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or (sys.stderr if sys.stderr.isatty() else sys.stdout)
        self._is_terminal = self._stream.isatty()
        self._is_silent = is_silent and not self._is_terminal
        self._began_s = time.monotonic()
        self._said_s = self._began_s
        self._width = 0

    def at(self, stage: str, count: int, *, is_done: bool = False) -> None:
        """Say how far a stage is, unless that was said a moment ago."""
        now = time.monotonic()
        if self._is_silent or not (is_done or now - self._said_s >= _EVERY_S[self._is_terminal]):
            return
        self._said_s = now
        line = f"{now - self._began_s:7.1f} s  {stage}: {count:,}"
        if self._is_terminal:
            padded = line.ljust(self._width)
            self._width = len(line)
            print(f"\r{padded}", end="", file=self._stream, flush=True)
        else:
            print(line, file=self._stream, flush=True)

    def clear(self) -> None:
        """Leave the terminal's line to others."""
        if self._is_terminal and self._width:
            print("\r" + " " * self._width + "\r", end="", file=self._stream, flush=True)
            self._width = 0

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s


def peak_memory_mb() -> int:
    """Return the most memory that this process has held (Linux; 0 elsewhere)."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(one.split()[1]) // 1024 for one in lines if one.startswith("VmHWM:")), 0)
