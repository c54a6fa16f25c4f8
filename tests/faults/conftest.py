"""A gateway for each file here, because all of them break it. Each test leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.stack import AS_SHIPPED, Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Whose Redis loses nothing when it is killed, however long the disk takes."""
    with Stack(APPENDFSYNC="always") as stack:
        yield stack


@pytest.fixture(scope="module")
def shipped() -> Iterator[Stack]:
    """For tests of how long it waits."""
    with Stack(**AS_SHIPPED) as stack:
        yield stack
