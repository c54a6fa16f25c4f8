"""The store twice: on fakeredis, and on a real Redis that is started once and emptied each time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fakeredis
import pytest

import redis
from app.line import Line
from app.store import Connection, Store
from tests.fake_line import AskingLine
from tests.processes import redis_on_a_socket
from tests.service import Clock
from tests.store.feed_harness import RedisServer
from tests.store.tide_harness import Gateway


@dataclass
class Backend:
    """A store, and the test's own hand in its Redis. `new_line` is what another worker has."""

    name: str
    store: Store
    redis: "redis.Redis"
    new_line: Callable[[], Connection]

    def ends_at(self, key: str) -> int:
        """Return when a key ends, epoch seconds; -1 for never, -2 when there is none."""
        return int(self.redis.expiretime(key))

    def eval(self, script: str, keys: list[str], *args: str | int) -> Any:
        """Run one of redis/*.lua as the ops scripts do."""
        text = (Path(__file__).parents[2] / "redis" / f"{script}.lua").read_text()
        return self.redis.eval(text, len(keys), *keys, *args)


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    with redis_on_a_socket() as path:
        yield path


@pytest.fixture(params=["fakeredis", "redis"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each test runs on both."""
    new_line: Callable[[], Connection]
    options: Any = {"decode_responses": True, "encoding_errors": "surrogateescape"}
    if request.param == "fakeredis":
        server = fakeredis.FakeServer()
        connection: redis.Redis = fakeredis.FakeRedis(server=server, **options)
        new_line = lambda: AskingLine(fakeredis.FakeRedis(server=server, **options))  # noqa: E731
    else:
        path = request.getfixturevalue("redis_socket")
        connection = redis.Redis(unix_socket_path=str(path), **options)
        connection.flushall()
        new_line = lambda: Line(f"unix://{path}", timeout_s=5)  # noqa: E731
    lines: list[Connection] = []

    def kept_line() -> Connection:
        lines.append(new_line())
        return lines[-1]

    yield Backend(str(request.param), Store(kept_line(), clock=Clock()), connection, kept_line)
    for line in lines:
        if isinstance(line, Line):
            line.close()
    connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis for the tests of one file."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    """A person at redis-cli, more or less; the data is fresh."""
    server.fill()
    with server.client() as client:
        yield client


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A Redis of the test's own, and workers on it, as many as the test asks for."""
    with RedisServer() as server:
        gateway = Gateway(server, tmp_path / "state")
        yield gateway
        gateway.close()
