"""What a caller of the ops listener sends twice costs the app no memory."""

import os
from pathlib import Path

import pytest

from tests.stack import Stack
from tests.wire import Connection, request

MOST_MIB = 12
"""Less than half of what so many of these requests would cost: 0.4 MB each."""

REQUESTS = 100


def resident_mib(stack: Stack) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in stack.workers())
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize(
    "path", ["/validate", "/metrics", "/explain", "/health/live", "/admin/", "/admin/api/about"]
)
def test_header_that_comes_many_times_is_not_kept(stack: Stack, path: str) -> None:
    """The app's HTTP parser loses memory over each; gateways pass on what their clients send."""
    plain, many = request("GET", path), request("GET", path, [("Many", "x" * 1000)] * 28)
    with Connection(stack.ops_address) as connection:
        statuses = [connection.ask(plain).status for _ in range(REQUESTS)]
        before = resident_mib(stack)
        assert statuses == [connection.ask(many).status for _ in range(REQUESTS)]
    assert resident_mib(stack) - before < MOST_MIB
