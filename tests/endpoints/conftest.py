"""A service that serves many random requests one after the other."""

from collections.abc import Iterator

import fakeredis
import pytest

from tests.service import Service, build_service


@pytest.fixture(scope="module")
def lasting_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Like `service`, for the examples of hypothesis: built once for a module."""
    connection = fakeredis.FakeRedis(decode_responses=True)
    made = build_service(connection, tmp_path_factory.mktemp("lasting") / "keys")
    made.add_client()
    yield made
    made.journal.close()
