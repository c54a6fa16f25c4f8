"""More load than the gateway can carry: what it accepts it answers in time, the rest early.

OVERLOAD_S changes for how long.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.faults import between
from tests.faults.flood import Flood
from tests.stack import AS_SHIPPED, Stack, until
from tests.wire import request

SECONDS = float(os.environ.get("OVERLOAD_S", "4"))
CONNECTIONS = 600
ROOM_S = 10
"""Two seconds, and room for a machine that has others to serve."""


@pytest.fixture(scope="module")
def busy() -> Iterator[Stack]:
    """A worker that remembers one token only: every other request costs a signature and a trip."""
    with Stack(WORKERS="1", WARM_TOKENS="1", **AS_SHIPPED) as made:
        yield made


@pytest.fixture(params=[0, 4], ids=["few cores", "slow redis"])
def stack(busy: Stack, request: pytest.FixtureRequest) -> Iterator[tuple[Stack, int]]:
    """The same, and how many times its capacity it is asked for at least.

    Callers, nginx and the worker share the cores, so that nobody can ask for four times as much.
    With a Redis that takes a millisecond or two the worker waits, and the callers have its core.
    """
    if not request.param:
        yield busy, 0
        return

    def late(data: bytes) -> Iterable[bytes]:
        time.sleep(0.0015)  # the fault itself
        return (data,)

    with between(busy, late):
        yield busy, request.param


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def decisions_ms(stack: Stack, since_s: float, status: int) -> list[float]:
    """Return how long each decision took since then, shortest first, as nginx's log has it."""

    def written(most: int) -> bytes:
        with (stack.run_dir / "log" / "access.json").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - most))
            return log.read()

    # Each worker of nginx writes in pieces: what came last need not be at the very end.
    last = str(stack.call("/demo/none").header("X-Request-ID")).encode()
    until(lambda: last in written(2**20), what="the log is written")
    entries = map(json.loads, written(2**40).splitlines())
    return sorted(
        1000 * float(entry["auth_time_s"])
        for entry in entries
        if entry["status"] == status and datetime.fromisoformat(entry["time"]).timestamp() > since_s
    )


def test_accepted_requests_stay_quick_and_the_rest_are_told_to_come_back(
    stack: tuple[Stack, int],
) -> None:
    """p99 of what is accepted under 250 ms, memory flat, and all is well again soon.

    On a slow machine under half of what everybody would wait if nobody were turned away.
    """
    gateway, times = stack
    tokens = [gateway.mint() for _ in range(4)]
    asked = [request("GET", "/demo/read", token=token) for token in tokens]
    with closing(Flood(gateway.address, asked, 16)) as within:
        alone = within.run(1.0)
    (worker,) = gateway.workers()
    with closing(Flood(gateway.address, asked, CONNECTIONS)) as beyond:
        beyond.run(1.0)
        began_s, before_mib = time.time(), resident_mib(worker)
        seen = beyond.run(SECONDS)
        after_mib = resident_mib(worker)
    ended = time.monotonic()
    while gateway.call("/demo/read", tokens[0]).status != 200:
        assert time.monotonic() - ended < ROOM_S
    took_ms = decisions_ms(gateway, began_s, 200)
    p99_ms = took_ms[len(took_ms) * 99 // 100]
    print(
        f"\n{alone.a_second(200):,.0f} a second within capacity; beyond it, asked "
        f"{seen.a_second():,.0f} times a second: {seen.a_second(200):,.0f} accepted, p99 "
        f"{p99_ms:.0f} ms ({seen.p99_ms():.0f} to the caller); {dict(seen.statuses)}; "
        f"{after_mib - before_mib:+.1f} MiB"
    )
    assert seen.a_second() > alone.a_second(200) * times
    assert {200, 503} == set(seen.statuses)
    assert 0 == seen.without_retry_after
    queue_ms = 1000 * CONNECTIONS / alone.a_second(200)
    assert p99_ms < max(250, queue_ms / 2)
    assert seen.a_second(200) > alone.a_second(200) / 8
    assert after_mib - before_mib < 4
