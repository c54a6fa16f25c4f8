"""One Redis for all tests here, emptied between them, as is the Postgres of all tests."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import redis
from tests.processes import listens, until
from tests.snapshot.vault import Vault
from tests.stack import free_port


@pytest.fixture(scope="session")
def redis_place() -> Iterator[tuple[Path, int]]:
    """The socket and the port of a Redis in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="vault-") as folder:
        socket, port = Path(folder) / "redis.sock", free_port()
        command = ["redis-server", "--save", "", "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--unixsocket", str(socket), "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                until(lambda: listens(socket), what="redis-server listens")
                yield socket, port
            finally:
                server.kill()


@pytest.fixture
def vault(postgres_url: str, redis_place: tuple[Path, int], tmp_path: Path) -> Iterator[Vault]:
    """The scripts on an empty Redis with a data set, and on an empty database."""
    socket, port = redis_place
    connection: Any = redis.Redis(unix_socket_path=str(socket), decode_responses=True)
    connection.flushall()
    with psycopg.connect(f"{postgres_url}postgres") as postgres:
        postgres.execute("DROP SCHEMA IF EXISTS portcullis CASCADE")
        postgres.commit()
        vault = Vault(
            connection, postgres, socket, port, f"{postgres_url}postgres", tmp_path / "run"
        )
        vault.begin_dataset()
        yield vault
    connection.close()
