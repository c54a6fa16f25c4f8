"""A revocation made to be heard of: how long that took, and when nobody heard."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redis
from app.canary import PREFIX, Canary
from app.errors import StoreUnavailable
from app.line import Line
from app.metrics import PROPAGATION, Metrics
from tests.processes import until
from tests.service import Clock, Ticking
from tests.unit.announcing_line import AnnouncingLine

Lines = tuple[Line, Line]


@pytest.fixture
def client(redis_socket: Path) -> Iterator["redis.Redis"]:
    with redis.Redis(unix_socket_path=str(redis_socket), decode_responses=True) as made:
        made.flushall()
        yield made


@pytest.fixture
def lines(redis_socket: Path) -> Iterator[Lines]:
    """One to write, one to listen."""
    url = f"unix://{redis_socket}"
    made = Line(url, timeout_s=5, watched=()), Line(url, timeout_s=5, watched=(PREFIX,))
    yield made
    for line in made:
        line.close()


def count(metrics: Metrics) -> int:
    return sum(metrics.look().durations(PROPAGATION).buckets)


def test_announcement_is_timed_and_nothing_stays_behind(
    lines: Lines, client: "redis.Redis"
) -> None:
    """Each one counts once; its key is gone at once, or soon when its worker dies."""
    metrics = Metrics(None)
    canary = Canary(*lines, metrics, monotonic=Ticking(0.0))
    took_s = [canary.send() for _ in range(3)]
    assert all(took is not None and 0 < took < 1 for took in took_s)
    assert (3, 0) == (count(metrics), metrics.look().totals["revocation_canaries_lost"])
    assert [] == client.keys("*")


def test_canaries_of_others_are_not_taken_for_ones_own(lines: Lines, client: "redis.Redis") -> None:
    """Nor are changes from before it was sent."""
    metrics, clock = Metrics(None), Clock(0.0)
    listener = AnnouncingLine(client)
    keys = [f"{PREFIX}other"]
    left_s: dict[str, Any] = {}

    def announce(seconds: float) -> None:
        if not left_s:
            left_s.update({str(key): client.ttl(str(key)) for key in client.keys(f"{PREFIX}*")})
        clock.now += seconds
        listener.announce(*keys)

    canary = Canary(lines[0], listener, metrics, monotonic=clock, sleep=announce)
    assert canary.send() is None
    assert (0, 1) == (count(metrics), metrics.look().totals["revocation_canaries_lost"])
    (own,) = left_s
    assert 0 < left_s[own] <= 2
    listener.announce(own)
    assert canary.send() is None
    keys.append(own)
    assert canary.send() is not None


def test_line_that_hears_nothing_sends_none(client: "redis.Redis", lines: Lines) -> None:
    """Where Redis announces nothing there is nothing to measure, and nothing wrong either."""
    url = f"unix://{client.connection_pool.connection_kwargs['path']}"
    deaf = Line(url, timeout_s=5, watched=())
    metrics = Metrics(None)
    client.config_resetstat()
    assert Canary(lines[0], deaf, metrics).send() is None
    deaf.close()
    calls: Any = client.info("commandstats")
    assert "cmdstat_set" not in calls
    assert (0, 0) == (count(metrics), metrics.look().totals["revocation_canaries_lost"])


def test_line_that_is_lost_meanwhile_is_not_taken_for_news(client: "redis.Redis") -> None:
    """That everything is in doubt says nothing of this one."""
    listener = AnnouncingLine(client)

    def lose(_: float) -> None:
        listener.is_up = False
        listener.news.append(None)

    with pytest.raises(StoreUnavailable):
        Canary(AnnouncingLine(client), listener, Metrics(None), sleep=lose).send()


def test_thread_goes_on_after_its_connections_were_lost(
    lines: Lines, client: "redis.Redis"
) -> None:
    """They are made anew for the next one."""
    metrics, pauses = Metrics(None), Clock(0.0)

    def pause(_: float) -> None:
        pauses.now += 1
        if pauses.now == 2:
            client.client_kill_filter(_type="normal", skipme=True)
        if count(metrics) > 3:
            threading.Event().wait()

    Canary(*lines, metrics, sleep=pause).start(1)
    until(lambda: count(metrics) > 3)
