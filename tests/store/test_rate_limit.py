"""The rate of a client: a burst of one second, then an even pace."""

from math import ceil
from pathlib import Path
from typing import Any

import pytest

import redis
from app.lua import Script
from tests.store.conftest import Backend

SCRIPT = (Path(__file__).parents[2] / "redis" / "rate_limit.lua").read_text()
SECOND_US = 1_000_000
FULL_US = 1_900_000
"""A little less than what would be taken for a clock that was set back."""


def now_us(backend: Backend) -> int:
    seconds, micros = backend.redis.time()
    return int(seconds) * SECOND_US + int(micros)


AHEAD = """
local t = redis.call('TIME')
redis.call('SET', KEYS[1], string.format('%.0f', t[1] * 1000000 + t[2] + ARGV[1]))
"""


def at_once(
    backend: Backend, *calls: tuple[int, int], ahead_us: int | None = None
) -> list[tuple[int, float]]:
    """Take from a rate again and again while no time passes, each time (rate, calls wanted).

    Return for each how many were taken, and the seconds to wait. `ahead_us` is where to begin.
    """
    pipe = backend.redis.pipeline(transaction=True)
    if ahead_us is not None:
        pipe.eval(AHEAD, 1, "rate:demo", ahead_us)
    for call in calls:
        pipe.eval(SCRIPT, 1, "rate:demo", *call)
    replies: Any = pipe.execute()
    return [(took, wait_ms / 1000) for took, wait_ms in replies[-len(calls) :]]


def taken(backend: Backend, rate_per_s: int, calls: int, ahead_us: int | None = None) -> list[int]:
    """Take call after call at once; return 0 for each, or the seconds to wait."""
    found = at_once(backend, *[(rate_per_s, 1)] * calls, ahead_us=ahead_us)
    assert all((took == 1) == (wait_s == 0) for took, wait_s in found)
    return [ceil(wait_s) for _, wait_s in found]


def retry_after(backend: Backend, rate_per_s: int, client_id: str = "demo") -> int:
    """Take one call; return 0, or the seconds to wait."""
    took, wait_s = backend.store.take(f"rate:{client_id}", rate_per_s=rate_per_s, wanted=1)
    assert (took == 1) == (wait_s == 0)
    return ceil(wait_s)


def test_first_second_may_be_used_at_once(backend: Backend) -> None:
    """As many calls as the rate says pass in a burst, the next is told to wait."""
    assert [0, 1] == taken(backend, 1, 2)
    backend.redis.delete("rate:demo")
    assert [0] * 1000 == taken(backend, 1000, 1000)


@pytest.mark.parametrize("rate_per_s", [1, 2, 1000])
@pytest.mark.parametrize("ahead_us", [-60 * SECOND_US, 0, SECOND_US, FULL_US])
def test_wait_is_counted_from_the_calls_taken(
    backend: Backend, rate_per_s: int, ahead_us: int
) -> None:
    """The state is when the calls so far would have arrived at an even pace.

    Who is ahead of it has to wait until there is room for one call in the second to come.
    """
    arrival_us = now_us(backend) + ahead_us
    backend.redis.set("rate:demo", str(arrival_us))
    found_s = backend.store.take("rate:demo", rate_per_s=rate_per_s, wanted=1)[1]
    room_at_us = arrival_us - SECOND_US + SECOND_US // rate_per_s
    assert found_s >= (room_at_us - now_us(backend)) / SECOND_US
    assert found_s <= max(0, ahead_us / SECOND_US - 1 + 1 / rate_per_s) + 0.001


@pytest.mark.parametrize("back_s", [3, 60, 86_400])
def test_clock_that_is_set_back_shuts_nobody_out(backend: Backend, back_s: int) -> None:
    """No calls were ever taken so far ahead, and the key's own end is as far away."""
    assert [0, 1] == taken(backend, 1, 2, ahead_us=back_s * SECOND_US)
    assert -1 != backend.redis.pttl("rate:demo") <= 2000


def test_half_a_second_gives_half_the_burst_back(backend: Backend) -> None:
    """At 20 a second a client that is a second ahead minus a half may make some 10 calls."""
    free = taken(backend, 20, 40, ahead_us=SECOND_US // 2).count(0)
    assert 9 <= free < 40


def test_waiting_what_is_told_is_enough(backend: Backend) -> None:
    """Seconds are rounded up: whoever waits them is let through."""
    start_us = now_us(backend)
    backend.redis.set("rate:demo", str(start_us + FULL_US))
    wait_s = retry_after(backend, 1)
    arrival_us = int(str(backend.redis.get("rate:demo")))
    backend.redis.set("rate:demo", str(arrival_us - wait_s * SECOND_US))
    assert 0 == retry_after(backend, 1)


def test_refused_call_is_not_counted(backend: Backend) -> None:
    """Asking again and again does not push the end of the wait away."""
    waits_s = [wait_s for _, wait_s in at_once(backend, *[(1, 1)] * 5, ahead_us=FULL_US)]
    assert all(0 < wait_s <= 1.9 for wait_s in waits_s)


def test_clients_have_rates_of_their_own(backend: Backend) -> None:
    """One client's burst is nothing to another."""
    assert [2] == taken(backend, 1, 1, ahead_us=FULL_US)
    assert 0 == retry_after(backend, 1, "other")


def test_state_ends_by_itself(backend: Backend) -> None:
    """A client that is quiet for two seconds has its whole burst back, and takes no memory."""
    ask, look = backend.store.line.ask, (("PTTL", "rate:demo"),)
    _, left_ms = Script("rate_limit").run(ask, ["rate:demo"], (5, 1), after=look)
    assert 0 < left_ms <= 2000


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("rate", ["0", "-1", "1.5", "many", "", "nan"])
def test_script_refuses_what_is_no_rate(backend: Backend, rate: str, wrong: int) -> None:
    """Before it writes anything."""
    with pytest.raises(redis.ResponseError, match="RATE"):
        backend.eval("rate_limit", ["rate:demo"], *(["5", rate] if wrong else [rate, "5"]))
    assert [] == backend.redis.keys("*")


def test_as_many_are_taken_as_are_wanted_and_left(backend: Backend) -> None:
    """Shares of what a second allows; the last is what remains."""
    assert 1 == backend.store.take("rate:demo", rate_per_s=1, wanted=5)[0]
    ((taken, wait_s),) = at_once(backend, (10, 5), ahead_us=FULL_US)
    assert 0 == taken
    # Nine tenths of a second until there is room at all, and half a second for five of ten.
    assert 0.5 < wait_s <= 1.4


def test_sum_of_all_shares_is_the_rate(backend: Backend) -> None:
    """However many take, and however much at a time."""
    backend.redis.set("rate:demo", str(now_us(backend)))
    taken = [backend.store.take("rate:demo", rate_per_s=5000, wanted=50)[0] for _ in range(100)]
    assert 5000 == sum(taken)
