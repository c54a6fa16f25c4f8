"""One gateway for all tests here: nginx, two workers, Redis and the demo upstream."""

from collections.abc import Iterator

import pytest

from tests.accounts_stack import AccountsStack
from tests.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running gateway. A test leaves it as it found it."""
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def accounts(stack: Stack) -> Iterator[AccountsStack]:
    """The accounts example behind that gateway. A test leaves it running."""
    accounts = AccountsStack(stack, ACCOUNTS_WORKERS="2")
    try:
        accounts.start()
        yield accounts
    finally:
        accounts.stop()
