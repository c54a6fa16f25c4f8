"""The rate of a client: a burst of one second, then an even pace."""

from math import ceil

import pytest

import redis
from tests.store.conftest import Backend

SECOND_US = 1_000_000
FULL_US = 1_900_000
"""A little less than what would be taken for a clock that was set back."""


def now_us(backend: Backend) -> int:
    seconds, micros = backend.redis.time()
    return int(seconds) * SECOND_US + int(micros)


def taken(backend: Backend, rate_per_s: int, calls: int) -> list[int]:
    return [retry_after(backend, rate_per_s) for _ in range(calls)]


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
    backend.redis.set("rate:demo", str(now_us(backend) + back_s * SECOND_US))
    assert [0, 1] == taken(backend, 1, 2)
    assert 0 < backend.redis.pttl("rate:demo") <= 2000


def test_half_a_second_gives_half_the_burst_back(backend: Backend) -> None:
    """At 100 a second a client that is a second ahead minus a half may make some 50 calls."""
    backend.redis.set("rate:demo", str(now_us(backend) + SECOND_US // 2))
    free = next(n for n in range(20_000) if retry_after(backend, 100))
    assert free >= 49


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
    state = str(now_us(backend) + FULL_US)
    backend.redis.set("rate:demo", state)
    assert all(taken(backend, 1, 5))
    assert state == backend.redis.get("rate:demo")


def test_clients_have_rates_of_their_own(backend: Backend) -> None:
    """One client's burst is nothing to another."""
    backend.redis.set("rate:demo", str(now_us(backend) + FULL_US))
    assert [True, 0] == [
        retry_after(backend, 1) > 0,
        retry_after(backend, 1, "other"),
    ]


def test_state_ends_by_itself(backend: Backend) -> None:
    """A client that is quiet for two seconds has its whole burst back, and takes no memory."""
    retry_after(backend, 5)
    assert 0 < backend.redis.pttl("rate:demo") <= 2000


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("rate", ["0", "-1", "1.5", "many", "", "nan"])
def test_script_refuses_what_is_no_rate(backend: Backend, rate: str, wrong: int) -> None:
    """Before it writes anything."""
    with pytest.raises(redis.ResponseError, match="RATE"):
        backend.eval("rate_limit", ["rate:demo"], *(["5", rate] if wrong else [rate, "5"]))
    assert [] == backend.redis.keys("*")


def test_as_many_are_taken_as_are_wanted_and_left(backend: Backend) -> None:
    """Shares of what a second allows; the last is what remains."""
    shares = [backend.store.take("rate:demo", rate_per_s=1, wanted=5)[0]]
    backend.redis.set("rate:demo", str(now_us(backend) + FULL_US))
    refused = backend.store.take("rate:demo", rate_per_s=10, wanted=5)
    assert ([1], 0) == (shares, refused[0])
    # Nine tenths of a second until there is room at all, and half a second for five of ten.
    assert 0.5 < refused[1] <= 1.4


def test_sum_of_all_shares_is_the_rate(backend: Backend) -> None:
    """However many take, and however much at a time."""
    backend.redis.set("rate:demo", str(now_us(backend)))
    taken = [backend.store.take("rate:demo", rate_per_s=5000, wanted=50)[0] for _ in range(100)]
    assert 5000 == sum(taken)
