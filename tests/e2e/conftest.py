"""One gateway for all tests here: nginx, two workers, Redis and the demo upstream."""

from collections.abc import Iterator

import pytest

from tests.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running gateway. A test leaves it as it found it."""
    with Stack() as stack:
        yield stack
