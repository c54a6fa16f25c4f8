"""A service that serves many random requests one after the other."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest

from tests.dashboard import Dashboard, build_dashboard
from tests.service import Service, build_service


@pytest.fixture(scope="module")
def lasting_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Like `service`, for the examples of hypothesis: built once for a module."""
    connection = fakeredis.FakeRedis(decode_responses=True)
    made = build_service(connection, tmp_path_factory.mktemp("lasting") / "keys")
    made.add_client()
    yield made
    made.journal.close()


@pytest.fixture
def dashboard(keys_dir: Path, redis_server: fakeredis.FakeServer) -> Iterator[Dashboard]:
    """The app on fakeredis with a dashboard that may change things."""
    connection = fakeredis.FakeRedis(
        server=redis_server, decode_responses=True, encoding_errors="surrogateescape"
    )
    made = build_dashboard(connection, keys_dir)
    yield made
    made.service.journal.close()


@pytest.fixture
def looking(service: Service) -> Dashboard:
    """A dashboard that may only look."""
    return Dashboard(service)
