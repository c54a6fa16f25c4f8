"""Fixtures that many tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import fakeredis
import hypothesis
import pytest

from tests.service import Service, build_service
from tests.snapshot import postgres

# Whoever starts the tests in the background makes them deaf to Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time: a test that fails here fails for everybody.
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("same")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a private Postgres, to which a database's name is to be added."""
    with postgres.cluster() as url:
        yield url


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def redis_server() -> fakeredis.FakeServer:
    """The fake Redis under `service`; `connected = False` stops it."""
    return fakeredis.FakeServer()


@pytest.fixture
def still_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the fake Redis' own TIME stand still, by which rates are counted."""
    still = SimpleNamespace(time=lambda: 1_000_000_000.0)
    monkeypatch.setattr("fakeredis.commands_mixins.server_mixin.time", still)


@pytest.fixture
def service(keys_dir: Path, redis_server: fakeredis.FakeServer) -> Iterator[Service]:
    """The app on fakeredis, with one client `demo`."""
    connection = fakeredis.FakeRedis(
        server=redis_server, decode_responses=True, encoding_errors="surrogateescape"
    )
    made = build_service(connection, keys_dir)
    made.add_client()
    yield made
    made.close()
