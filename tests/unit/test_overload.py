"""A queue that stands is cut; one that a pause has left behind is worked off."""

import pytest

from app.overload import Overload

NOW = 4_000_000_000.0


def late(overload: Overload, age_s: float, now: float) -> bool:
    return overload.is_late(repr(now - age_s), now)


def stand(overload: Overload, age_s: float = 0.2, now: float = NOW) -> float:
    """Let requests wait for as long, a millisecond each, until it is the usual wait."""
    for number in range(200):
        late(overload, age_s, now + number / 1000)
    return now + 0.2


def test_requests_that_a_pause_delayed_are_all_answered() -> None:
    """A worker that stood still for a second then answers what waits, however old."""
    overload = Overload()
    assert not late(overload, 0.001, NOW)
    assert not any(late(overload, 1.0, NOW + 1.0 + n / 20_000) for n in range(200))


def test_standing_queue_is_cut() -> None:
    """Whoever has waited for more than 150 ms is turned away, whoever has not is answered."""
    overload = Overload()
    now = stand(overload)
    assert [True, False, True] == [late(overload, age_s, now) for age_s in (0.16, 0.14, 0.9)]


def test_requests_that_have_not_waited_end_it() -> None:
    """Then a late one is what a pause has left behind, and is answered again."""
    overload = Overload()
    now = stand(overload)
    for number in range(100):
        assert not late(overload, 0.001, now + number / 1000)
    assert not late(overload, 0.2, now + 0.1)


def test_fresh_requests_in_between_do_not_hide_it() -> None:
    """The order in which a worker finds its connections ready is not that of their coming."""
    overload = Overload()
    for number in range(400):
        late(overload, 0.3 if number % 4 else 0.001, NOW + number / 1000)
    assert late(overload, 0.2, NOW + 0.4)


@pytest.mark.parametrize("started", ["", "x", "nan", "inf", "-inf", "1e400", "0", "4000000060"])
def test_what_is_no_time_of_this_clock_is_no_wait(started: str) -> None:
    """A gateway that says nonsense, or whose clock differs, is served like any other."""
    overload = Overload()
    now = stand(overload)
    assert not any(overload.is_late(started, now + n / 1000) for n in range(20))
    assert late(overload, 0.2, now)
