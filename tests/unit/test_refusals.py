"""Which refusals are noted, and what a note says."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from app.errors import Expired, InvalidScope, MissingScope, OAuthError, Refused
from app.refusals import MOST_A_SECOND, Refusals

NOW = 4_000_000_000.0


def noted(refusal: Refused | OAuthError, **changes: Any) -> Mapping[str, str]:
    """The one note about a refusal."""
    notes: list[Mapping[str, str]] = []
    call = {"client_id": "demo", "method": "GET", "target": "/x", "request_id": "r"} | changes
    Refusals(notes.append).note(refusal, **call)
    (note,) = notes
    return note


def test_note_says_what_is_known_of_the_call() -> None:
    """Reason, client, call and request; what is empty is left out."""
    assert {
        "reason": "missing_scope",
        "client_id": "demo",
        "method": "GET",
        "route": "/x",
        "needed": "orders:write",
        "request_id": "r",
    } == noted(MissingScope("orders:write"))
    assert {"reason": "expired", "route": "/x"} == noted(
        Expired(), client_id="", method="", request_id=""
    )


@pytest.mark.parametrize("target", ["/a?token=secret", "/a#secret", "/a?x#secret", "/a?b?secret"])
def test_query_is_not_noted(target: str) -> None:
    """Somebody may have put a token there."""
    assert "/a" == noted(Expired(), target=target)["route"]


def test_what_a_caller_sends_is_bounded_and_text() -> None:
    """Neither a long path nor bytes that are no UTF-8 get in the way."""
    assert 257 == len(noted(Expired(), target="/" + "a" * 5000)["route"])
    assert 16 == len(noted(Expired(), method="A" * 5000)["method"])
    assert "/\\udcff" == noted(Expired(), target="/\udcff")["route"]


def test_flood_of_one_reason_is_sampled_and_hides_no_other() -> None:
    """A few a second of each, and how many more there were."""
    notes: list[Mapping[str, str]] = []
    refusals = Refusals(notes.append)

    def refuse(refusal: Refused, now: float) -> bool:
        if is_due := refusals.is_due(refusal.reason, now):
            refusals.note(refusal, client_id="", method="", target="/", request_id="")
        return is_due

    flood = [refuse(Expired(), NOW + number / 1000) for number in range(900)]
    assert [True] * MOST_A_SECOND + [False] * (900 - MOST_A_SECOND) == flood
    assert refuse(MissingScope("a"), NOW + 0.9)
    assert refuse(Expired(), NOW + 1)
    assert str(900 - MOST_A_SECOND) == notes[-1]["more"]
    assert ["more" in note for note in notes[:-1]] == [False] * (MOST_A_SECOND + 1)
    assert refuse(Expired(), NOW + 1.1)
    assert "more" not in notes[-1]


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line, without those of every line."""
    plain = vars(logging.makeLogRecord({})) | {"message": "", "asctime": ""}
    return [
        {name: value for name, value in vars(one).items() if name not in plain}
        for one in caplog.records
    ]


def test_note_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The same fields; at INFO, for that a client errs is no error of the gateway."""
    caplog.set_level(logging.INFO)
    note = noted(Expired())
    assert [note] == logged(caplog)
    assert ["INFO refused: expired"] == [f"{one.levelname} {one.msg}" for one in caplog.records]


def test_error_of_an_endpoint_is_noted_by_its_code() -> None:
    """What RFC 6749 calls it."""
    assert "invalid_scope" == noted(InvalidScope("too much"))["reason"]


def test_end_of_a_flood_is_logged_with_its_size(caplog: pytest.LogCaptureFixture) -> None:
    """Though nothing of its kind comes any more; and once."""
    caplog.set_level(logging.INFO)
    refusals = Refusals(lambda _: None)
    for _ in range(MOST_A_SECOND + 7):
        refusals.is_due("expired", NOW)
    refusals.settle(NOW + 0.9)
    assert [] == logged(caplog)
    refusals.settle(NOW + 1)
    refusals.settle(NOW + 2)
    assert [{"reason": "expired", "more": "7"}] == logged(caplog)
