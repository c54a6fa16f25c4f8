"""Services of other kinds than the usual one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from tests.dashboard import Dashboard, build_dashboard
from tests.service import Service, build_service
from tests.unit.announcing_line import AnnouncingLine

Build = Callable[..., Service]
"""Takes settings, as build_service does."""


@pytest.fixture(scope="module")
def lasting_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Like `service`, for the examples of hypothesis: built once for a module."""
    connection = fakeredis.FakeRedis(decode_responses=True)
    made = build_service(connection, tmp_path_factory.mktemp("lasting") / "keys")
    made.add_client()
    yield made
    made.close()


@pytest.fixture
def line(redis_server: fakeredis.FakeServer) -> AnnouncingLine:
    """A line that can be lost, and announces what a test says."""
    return AnnouncingLine(fakeredis.FakeRedis(server=redis_server, decode_responses=True))


@pytest.fixture
def announced(
    keys_dir: Path, redis_server: fakeredis.FakeServer, line: AnnouncingLine
) -> Iterator[Build]:
    """Builds services on that line, with settings of the test's own."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    with ExitStack() as stack:

        def build(**settings: Any) -> Service:
            made = build_service(connection, keys_dir, line, **settings)
            stack.callback(made.close)
            return made

        yield build


@pytest.fixture
def dashboard(keys_dir: Path, redis_server: fakeredis.FakeServer) -> Iterator[Dashboard]:
    """The app on fakeredis with a dashboard that may change things."""
    connection = fakeredis.FakeRedis(
        server=redis_server, decode_responses=True, encoding_errors="surrogateescape"
    )
    made = build_dashboard(connection, keys_dir)
    yield made
    made.service.close()


@pytest.fixture
def looking(service: Service) -> Dashboard:
    """A dashboard that may only look."""
    return Dashboard(service)
