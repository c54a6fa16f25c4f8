"""Which snapshots have had their time. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Keep:
    """All snapshots of the last days; before that, for some weeks, the last one of each week."""

    days: int = 7
    weeks: int = 8

    def __str__(self) -> str:
        return f"all of {self.days} days, then one a week for {self.weeks} weeks"


def outdated(taken: Mapping[int, datetime], now: datetime, keep: Keep) -> list[int]:
    """Return the ids to drop, oldest first. The newest snapshot of all stays, however old.

    A week is Monday to Sunday (ISO 8601), in the zone of the times.
    """
    if not taken:
        return []
    order = sorted(taken, key=lambda one: (taken[one], one))
    last_of_week = {taken[one].isocalendar()[:2]: one for one in order}
    all_since = now - timedelta(days=keep.days)
    weekly_since = all_since - timedelta(weeks=keep.weeks)
    kept = {order[-1], max(taken)} | {one for one in order if taken[one] > all_since}
    kept |= {one for one in last_of_week.values() if taken[one] > weekly_since}
    return [one for one in order if one not in kept]
