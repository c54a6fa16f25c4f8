"""Processes and ports as the kernel tells of them, and waiting until something is so."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def until(check: Callable[[], T | None], timeout_s: float = 30.0, what: str = "") -> T:
    """Return what `check` returns as soon as it is truthy; fail when that takes too long."""
    deadline = time.monotonic() + timeout_s
    while True:
        if found := check():
            return found
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what or check}"
        time.sleep(0.01)


def state_of(pid: int) -> str:
    """Return the state letter of a process, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def name_of(pid: int) -> str:
    """Return what a process calls itself, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return state_of(pid) not in {"", "Z", "X"}


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    """SIGKILL a process that may have ended by itself, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), what=f"{pid} dies")


def listens(path: Path) -> bool:
    """Tell whether anybody takes connections at a unix socket; its file is there before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextmanager
def redis_on_a_socket() -> Iterator[Path]:
    """Start a Redis in a folder of its own, yield its unix socket, and kill it in the end."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        path = Path(folder) / "redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder) as process:
            try:
                until(lambda: listens(path), what="redis-server listens")
                yield path
            finally:
                process.kill()


_GIVEN: set[int] = set()


def free_port(lowest: int = 20_000) -> int:
    """Return a port that nobody holds, and never the same one twice.

    Outgoing connections are given ports above 32,767.
    """
    while True:
        port = random.randrange(lowest, lowest + 6_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port
