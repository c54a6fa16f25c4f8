"""Samples of the last minutes: bounded, whole, and still there after a restart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.admin.history import KEPT_S, History
from app.admin.sampler import PERIOD_S, Sampler
from app.errors import StoreUnavailable
from app.exposition import Counted
from app.line import Command
from app.metrics import Metrics
from tests.fake_line import AskingLine

NOW = 4_000_000_000.0


def rows(history: History, after_s: float = 0.0) -> list[dict[str, float]]:
    """Each sample with its time as `t`."""
    return [
        dict(zip(["t", *json.loads(stretch.names)], json.loads(row), strict=True))
        for stretch in history.since(after_s)
        for row in stretch.rows
    ]


def test_samples_come_back_oldest_first(tmp_path: Path) -> None:
    """Those after a time that the page names."""
    history = History(tmp_path)
    for number in range(3):
        history.add(NOW + number, {"a": number, "b": number / 3})
    assert {"t": NOW + 2, "a": 2, "b": 0.666667} == rows(history)[-1]
    assert [NOW + 1, NOW + 2] == [row["t"] for row in rows(history, NOW)]
    assert [] == rows(history, NOW + 2)


def test_other_names_begin_a_stretch_of_their_own(tmp_path: Path) -> None:
    """A worker more has figures more, and what was before stays readable."""
    history = History(tmp_path)
    history.add(NOW, {"a": 1})
    history.add(NOW + 1, {"a": 2, "b": 3})
    history.add(NOW + 2, {"b": 4})
    assert [
        {"t": NOW, "a": 1},
        {"t": NOW + 1, "a": 2, "b": 3},
        {"t": NOW + 2, "b": 4},
    ] == rows(history)


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """At least the time that is promised, at most twice that."""
    history = History(tmp_path)
    for number in range(int(5 * KEPT_S / PERIOD_S)):
        history.add(NOW + number * PERIOD_S, {"a": number})
    kept = rows(history)
    last_s = NOW + 5 * KEPT_S - PERIOD_S
    assert KEPT_S <= last_s - kept[0]["t"] + PERIOD_S <= 2 * KEPT_S
    assert ["newer", "older"] == sorted(path.name for path in tmp_path.iterdir())


def test_next_worker_to_sample_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """A restart of the app leaves no gap in what is kept."""
    for number in range(3):
        History(tmp_path).add(NOW + 100 * number, {"a": number})
    assert [0, 1, 2] == [row["a"] for row in rows(History(tmp_path))]
    assert not (tmp_path / "older").exists()


def test_line_that_is_not_whole_yet_is_left_for_later(tmp_path: Path) -> None:
    """A reader may come while the writer writes."""
    history = History(tmp_path)
    history.add(NOW, {"a": 1})
    with (tmp_path / "newer").open("a") as file:
        file.write("[4000000002,")
    assert [{"t": NOW, "a": 1}] == rows(history)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_number_that_json_does_not_know_is_nought(tmp_path: Path, value: float) -> None:
    """One odd gauge must not blind every chart."""
    history = History(tmp_path)
    history.add(NOW, {"a": value})
    assert [{"t": NOW, "a": 0}] == rows(history)


def test_clock_that_was_set_back_begins_anew(tmp_path: Path) -> None:
    """What lies in the future is put aside, so that it ends."""
    history = History(tmp_path)
    history.add(NOW + 5 * KEPT_S, {"a": 1})
    history.add(NOW, {"a": 2})
    history.add(NOW + 1, {"a": 3})
    assert (tmp_path / "older").exists()
    assert [2, 3] == [row["a"] for row in rows(history)][-2:]


class _Line(AskingLine):
    """Answers what Redis would, or nothing."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def ask(self, *_: Command, meanwhile: Callable[[], object] | None = None) -> list[Any]:
        if not self._answers:
            raise StoreUnavailable("gone")
        return self._answers


INFO = "# Memory\r\nused_memory:1024\r\nmaxmemory:4096\r\naof_last_write_status:ok\r\n"


def sampled(tmp_path: Path, line: _Line) -> dict[str, float]:
    history = History(tmp_path)
    Sampler(Counted(Metrics(None), lambda: NOW), history, line, clock=lambda: NOW).sample()
    return rows(history)[0]


def test_sample_has_what_is_counted_and_how_redis_is(tmp_path: Path) -> None:
    """Under the names of /metrics."""
    found = sampled(tmp_path, _Line(INFO, 7, "123"))
    assert {
        "t": NOW,
        'portcullis_decisions_total{reason="ok"}': 0,
        "redis_up": 1,
        "redis_used_memory_bytes": 1024,
        "redis_max_memory_bytes": 4096,
        "redis_keys": 7,
        "redis_aof_ok": 1,
        "snapshot_taken_seconds": 123,
    }.items() <= found.items()


def test_sample_without_redis_has_the_same_names(tmp_path: Path) -> None:
    """So the chart of it falls to nought instead of ending."""
    away = sampled(tmp_path / "away", _Line())
    there = sampled(tmp_path / "there", _Line(INFO, 7, None))
    assert list(there) == list(away)
    assert (0, 0, 0) == (away["redis_up"], away["redis_keys"], there["snapshot_taken_seconds"])


def test_redis_that_denies_the_question_is_no_error(tmp_path: Path) -> None:
    """An account on somebody else's Redis may not be allowed INFO."""
    found = sampled(tmp_path, _Line(Exception("NOPERM"), Exception("NOPERM"), "9"))
    assert (1, 0, 9) == (found["redis_up"], found["redis_keys"], found["snapshot_taken_seconds"])


def test_what_would_be_too_much_is_left_out(tmp_path: Path) -> None:
    """Neither a series per client nor a histogram that no chart shows."""
    found = sampled(tmp_path, _Line(INFO, 7, None))
    assert len(found) < 250
    assert not any("client_id" in name for name in found)
    timed = [
        name for name in found if name.startswith("portcullis_request_duration_seconds_bucket")
    ]
    assert {"validate", "token"} == {name.split('"')[1] for name in timed}


def test_one_worker_samples_at_a_time(tmp_path: Path) -> None:
    """The next one takes over when the first has gone."""
    counted = Counted(Metrics(None), lambda: NOW)
    first, second = (Sampler(counted, History(tmp_path), _Line(INFO, 7, None)) for _ in range(2))
    assert [True, False, True] == [first.is_mine(), second.is_mine(), first.is_mine()]
    first.close()
    assert second.is_mine()
    second.close()
