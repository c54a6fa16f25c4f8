"""A server and a clock for each test."""

import pytest

from tests.sdk.token_server import Clock, TokenServer


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()
