"""Takes a sample of everything that is counted every two seconds, for the charts.

One worker of a gateway does it: the one that holds a lock, which the kernel passes on when that
worker ends.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from prometheus_client import Metric
from prometheus_client.registry import Collector

from app.admin.history import History
from app.errors import StoreUnavailable
from app.store import Connection

PERIOD_S = 2.0
_PER_CLIENT = "client_id"
_TIMED = {"validate", "token"}
"""Endpoints whose durations are charted: a histogram is many numbers."""

_FIGURES = {
    "used_memory": "redis_used_memory_bytes",
    "maxmemory": "redis_max_memory_bytes",
    "connected_clients": "redis_connected_clients",
    "instantaneous_ops_per_sec": "redis_operations_per_second",
    "uptime_in_seconds": "redis_uptime_seconds",
}

log = logging.getLogger("portcullis.sampler")


class Sampler:
    """`line` is its thread's alone."""

    def __init__(
        self,
        counted: Collector,
        history: History,
        line: Connection,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._counted = counted
        self._history = history
        self._line = line
        self._clock = clock
        self._lock: TextIO | None = None

    def start(self) -> None:
        """Sample for as long as this process lives, whenever no other worker does."""
        if self._history.directory is not None:
            threading.Thread(target=self._run, name="sampler", daemon=True).start()

    def sample(self) -> None:
        """Take one sample now."""
        found = self._of_workers() | self._of_redis()
        self._history.add(self._clock(), found)

    def is_mine(self) -> bool:
        """Tell whether this worker samples; the lock is kept until the process ends."""
        directory = self._history.directory
        if self._lock is None and directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (directory / "lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                return False
            self._lock = lock
        return True

    def close(self) -> None:
        """Let another worker sample."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _run(self) -> None:
        while True:
            try:
                if self.is_mine():
                    self.sample()
            except Exception:
                # Charts are no reason to end, and the next sample may go well.
                log.exception("no sample taken")
            time.sleep(PERIOD_S - time.time() % PERIOD_S)

    def _of_workers(self) -> dict[str, float]:
        """What /metrics says, but for what is too much to chart."""
        return {
            _name_of(sample.name, sample.labels): sample.value
            for family in self._counted.collect()
            for sample in family.samples
            if _is_charted(family, sample.labels)
        }

    def _of_redis(self) -> dict[str, float]:
        """How Redis is. The same names when it is away, with noughts."""
        began = time.perf_counter()
        try:
            info, keys, taken_s = self._line.ask(
                ("INFO",), ("DBSIZE",), ("HGET", "snapshot", "taken_s")
            )
        except StoreUnavailable:
            info, keys, taken_s = None, 0, None
        # An account on somebody else's Redis may not be allowed INFO: then it is an error.
        is_up = info is not None
        lines = dict(line.split(":", 1) for line in str(info).splitlines() if ":" in line)
        return {
            "redis_up": is_up,
            "redis_round_trip_seconds": time.perf_counter() - began if is_up else 0,
            "redis_keys": _number(keys),
            "redis_aof_ok": lines.get("aof_last_write_status", "ok") == "ok",
            "snapshot_taken_seconds": _number(taken_s),
            **{ours: _number(lines.get(theirs)) for theirs, ours in _FIGURES.items()},
        }


def _is_charted(family: Metric, labels: Mapping[str, str]) -> bool:
    is_timed = family.type != "histogram" or labels.get("endpoint", "validate") in _TIMED
    return is_timed and _PER_CLIENT not in labels


def _name_of(name: str, labels: dict[str, str]) -> str:
    """The name of a series as Prometheus writes it."""
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name


def _number(found: Any) -> float:
    """An answer that is no number, an error among them, counts as nought."""
    try:
        return float(found)
    except (TypeError, ValueError):
        return 0.0
