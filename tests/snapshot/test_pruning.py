"""Which snapshots are dropped: all of some days stay, then the last of each week."""

from datetime import UTC, datetime, timedelta

import pytest
from snapshot.pruning import Keep, outdated

NOW = datetime(2026, 11, 21, 3, 17, tzinfo=UTC)  # a Saturday


def nightly(nights: int) -> dict[int, datetime]:
    """One snapshot a night, the last one now; ids rise with time."""
    return {nights - ago: NOW - timedelta(days=ago) for ago in range(nights)}


def kept(taken: dict[int, datetime], keep: Keep) -> list[str]:
    """The days that stay, oldest first."""
    gone = outdated(taken, NOW, keep)
    return [f"{when:%m-%d}" for one, when in sorted(taken.items()) if one not in gone]


def test_nightly_snapshots_thin_out() -> None:
    """Of a hundred nights: the last seven, then the Sundays of the eight weeks before."""
    assert [
        "09-20", "09-27", "10-04", "10-11", "10-18", "10-25", "11-01", "11-08",
        "11-15", "11-16", "11-17", "11-18", "11-19", "11-20", "11-21",
    ] == kept(nightly(100), Keep())  # fmt: skip


def test_dropping_each_night_keeps_the_same_as_dropping_once() -> None:
    """A week's last one is still there when its time comes."""
    taken: dict[int, datetime] = {}
    for ago in reversed(range(100)):
        now = NOW - timedelta(days=ago)
        taken[100 - ago] = now
        for one in outdated(taken, now, Keep()):
            del taken[one]
    assert kept(nightly(100), Keep()) == [f"{when:%m-%d}" for when in taken.values()]


def test_a_second_of_a_day_stays_as_long_as_its_days() -> None:
    """Somebody took one by hand before an upgrade."""
    taken = {1: NOW - timedelta(days=3, hours=2), 2: NOW - timedelta(days=3), 3: NOW}
    assert [] == outdated(taken, NOW, Keep())
    assert [1, 2] == outdated(taken, NOW, Keep(days=1, weeks=0))


@pytest.mark.parametrize(("ago", "is_kept"), [(6.99, True), (7, False), (7.01, False)])
def test_days_end_to_the_second(ago: float, is_kept: bool) -> None:
    """Seven times 24 hours before the newest."""
    taken = {1: NOW - timedelta(days=ago), 2: NOW - timedelta(days=6.5), 3: NOW}
    assert is_kept == (1 not in outdated(taken, NOW, Keep(weeks=0)))


def test_newest_stays_however_old() -> None:
    """And so does the one with the greatest id: a clock that was wrong must not drop it."""
    old = {1: NOW - timedelta(days=900), 2: NOW - timedelta(days=1000)}
    assert [] == outdated(old, NOW, Keep(0, 0))
    assert [] == outdated({}, NOW, Keep())


def test_a_snapshot_of_the_future_stays() -> None:
    """A clock that ran ahead is no reason to drop one."""
    assert [] == outdated({1: NOW + timedelta(days=400), 2: NOW}, NOW, Keep())
