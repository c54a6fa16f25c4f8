"""More changes than the socket holds: Redis has acknowledged them, but cannot announce them yet."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import redis
from app.line import Line
from tests.processes import state_of, until
from tests.service import Ticking

MORE_THAN_A_SOCKET_HOLDS = 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A Redis of its own, because it is frozen."""
    path = tmp_path / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        writer = redis.Redis(unix_socket_path=str(path))
        while True:
            try:
                writer.ping()
                break
            except redis.ConnectionError:
                assert process.poll() is None
        writer.close()
        yield process, path
        process.kill()


def test_line_is_not_current_while_changes_may_wait_behind_a_full_socket(
    server: tuple[subprocess.Popen[bytes], Path],
) -> None:
    """Frozen right after it acknowledged a thousand changes, Redis holds most of them back."""
    process, path = server
    clock = Ticking(100.0)
    line = Line(f"unix://{path}", timeout_s=5, heartbeat_s=60, monotonic=clock)
    line.ask(("PING",))
    assert line.is_current()
    with redis.Redis(unix_socket_path=str(path)) as writer:
        for number in range(MORE_THAN_A_SOCKET_HOLDS):
            writer.set(f"revoked:{number}", "x")
        os.kill(process.pid, signal.SIGSTOP)
        try:
            until(lambda: state_of(process.pid) == "T", what="redis stops")
            clock.step_s = 10  # The timeout is over by the first look.
            assert not line.is_current()
        finally:
            os.kill(process.pid, signal.SIGCONT)


def test_line_is_current_again_once_the_flood_is_taken_in(
    server: tuple[subprocess.Popen[bytes], Path],
) -> None:
    """Every change of a flood is in the news by the time that the line says it is current."""
    _, path = server
    line = Line(f"unix://{path}", timeout_s=5, heartbeat_s=60)
    line.ask(("PING",))
    with redis.Redis(unix_socket_path=str(path)) as writer:
        for number in range(MORE_THAN_A_SOCKET_HOLDS):
            writer.set(f"revoked:{number}", "x")
        assert line.is_current()
    told = {key for keys in line.take_news() if isinstance(keys, list) for key in keys}
    assert {f"revoked:{number}" for number in range(MORE_THAN_A_SOCKET_HOLDS)} <= told
