"""A private Redis for all tests of the scripts, emptied between them."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redis
from tests.processes import listens
from tests.scripts.ops import Ops
from tests.stack import free_port, until


@pytest.fixture(scope="session")
def redis_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def redis_socket(redis_port: int) -> Iterator[Path]:
    """The unix socket of a redis-server that listens on loopback TCP too."""
    # A short path: a socket's has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="ops-") as folder:
        socket = Path(folder) / "redis.sock"
        options = {"port": redis_port, "bind": "127.0.0.1", "unixsocket": socket, "dir": folder}
        command = ["redis-server", "--save", "", "--loglevel", "warning"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until(lambda: listens(socket), what="redis-server listens")
            yield socket
        finally:
            server.terminate()
            server.wait(timeout=60)


@pytest.fixture
def ops(redis_socket: Path, redis_port: int, tmp_path: Path) -> Iterator[Ops]:
    """The scripts on an empty Redis, with no stack under RUN_DIR."""
    connection: Any = redis.Redis(unix_socket_path=str(redis_socket))
    connection.flushall()
    yield Ops(connection, redis_socket, redis_port, tmp_path / "run")
    connection.close()


@pytest.fixture
def keys(ops: Ops) -> Path:
    """Where the keys go: RUN_DIR/keys, which is not there yet."""
    return ops.run_dir / "keys"
