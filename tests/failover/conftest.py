"""One group of sentinels, and one gateway on it, for all tests here. Each leaves both whole."""

from collections.abc import Iterator

import pytest

from tests.failover.sentinel_group import SentinelGroup
from tests.stack import AS_SHIPPED, Stack


@pytest.fixture(scope="package")
def group() -> Iterator[SentinelGroup]:
    with SentinelGroup() as group:
        yield group


@pytest.fixture(scope="package")
def stack(group: SentinelGroup) -> Iterator[Stack]:
    """A gateway that acknowledges what a replica has."""
    with Stack(REDIS_URL=group.url, REPLICAS_TO_ACK="1", **AS_SHIPPED) as stack:
        yield stack
