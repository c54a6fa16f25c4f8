"""The bench's own judgement: which counts of answers are right, and when memory is flat."""

from typing import Any

import pytest

from bench.load import RanOut, WrongAnswer, check
from bench.soak import growth_mb

CONNECTIONS = 64


def counts(**changes: int) -> dict[str, Any]:
    """What load.lua prints of a run in which all went well and nothing was to be refused."""
    right = {"requests": 1_000, "refused": 0, "sent": 1_064, "sent_to_be_refused": 0, "ran_out": 0}
    return {**right, "connect": 0, "read": 0, "write": 0, "timeout": 0, **changes}


@pytest.mark.parametrize(
    "seen",
    [
        counts(),
        counts(sent_to_be_refused=20, refused=20),
        counts(sent_to_be_refused=200, refused=200 - CONNECTIONS),
        counts(sent_to_be_refused=1, refused=0),
    ],
)
def test_answers_as_expected_pass(seen: dict[str, Any]) -> None:
    """What is still on its way at the end of a run is sent, and answered by nobody."""
    check(seen, CONNECTIONS)


@pytest.mark.parametrize(
    "seen",
    [
        counts(refused=1),
        counts(sent_to_be_refused=20, refused=21),
        counts(sent_to_be_refused=200, refused=100),
        counts(requests=0),
        counts(timeout=1),
        counts(read=1),
        counts(connect=1),
        counts(write=1),
    ],
)
def test_answer_that_must_not_be_fails_the_run(seen: dict[str, Any]) -> None:
    """A refusal too many, a pass too many, no answer: no figure stands on such a run."""
    with pytest.raises(WrongAnswer):
        check(seen, CONNECTIONS)


def test_too_few_requests_is_told_from_wrong_answers() -> None:
    """A token that was to be new and was sent again makes the run void, not wrong."""
    with pytest.raises(RanOut, match="3 requests too few"):
        check(counts(ran_out=3), CONNECTIONS)
    with pytest.raises(RanOut, match="3 requests too few"):
        check(counts(ran_out=3, refused=3), CONNECTIONS)
    with pytest.raises(WrongAnswer):
        check(counts(ran_out=3, refused=4), CONNECTIONS)


def series(*sizes: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"requests": (i + 1) * 100, "resident_mb": list(one)} for i, one in enumerate(sizes)]


def test_growth_while_memory_fills_does_not_count() -> None:
    """Until a third of the requests, workers still meet tokens for the first time."""
    assert 0.5 == growth_mb(series((50, 50), (100, 99), (100, 99), (100, 99.5)))


def test_growth_of_one_worker_is_growth() -> None:
    """A leak in one worker is not averaged away by the others."""
    assert 9.0 == growth_mb(series((50, 50), (90, 90), (90, 95), (90, 99)))
