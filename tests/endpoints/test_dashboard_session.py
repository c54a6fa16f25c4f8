"""Signing in to the dashboard: one token, and no way to guess it or to lock its owner out."""

import hmac
from typing import Any

import pytest

from app.admin import session
from app.admin.problems import TooManyTries
from tests.dashboard import ADMIN_TOKEN, Dashboard


def test_admin_token_opens_a_session(dashboard: Dashboard) -> None:
    """The page then says so, and the trail who came from where."""
    assert not dashboard.get("api/about")["is_signed_in"]
    dashboard.sign_in()
    about = dashboard.get("api/about")
    assert (True, True) == (about["can_change"], about["is_signed_in"])
    (entry,) = dashboard.service.audit("admin_sign_in")
    assert {
        "event": "admin_sign_in",
        "who": "admin",
        "from": "127.0.0.1",
        "request_id": "r-1",
    } == entry


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "x",
        ADMIN_TOKEN[:-1],
        f"{ADMIN_TOKEN}x",
        ADMIN_TOKEN.upper(),
        "\u00e9",
        "\ud800",
        None,
        5,
    ],
    ids=repr,
)
def test_wrong_token_opens_nothing(dashboard: Dashboard, shown: object) -> None:
    """One answer for all of them, and no challenge that makes a browser ask by itself."""
    answer = dashboard.post("api/session", {"token": shown}, expected=401)
    assert "not_signed_in" == answer["error"]
    assert [] == dashboard.service.audit("admin_sign_in")


def test_token_and_session_are_compared_in_constant_time(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far a guess is right must not show in how long the answer takes."""
    compared: list[str | bytes] = []
    compare = hmac.compare_digest

    def note(one: Any, other: Any) -> bool:
        compared.append(one)
        return compare(one, other)

    dashboard.sign_in()
    dashboard.session = dashboard.session[:-2]  # too short to be compared
    monkeypatch.setattr(hmac, "compare_digest", note)
    dashboard.post("api/session", {"token": "guess"}, expected=401)
    assert not dashboard.get("api/about")["is_signed_in"]
    dashboard.sign_in()
    assert dashboard.get("api/about")["is_signed_in"]
    assert [b"guess", ADMIN_TOKEN.encode()] == [one for one in compared if isinstance(one, bytes)]
    assert 3 == len(compared)


def test_session_ends_by_itself(dashboard: Dashboard) -> None:
    """Good until its last second, and not in the next one."""
    dashboard.sign_in()
    dashboard.service.clock.now += session.SESSION_S - 1
    dashboard.post("api/clients/demo/disable")
    dashboard.service.clock.now += 1
    answer = dashboard.post("api/clients/demo/enable", expected=401)
    assert "the session has ended: sign in again" == answer["error_description"]


@pytest.mark.parametrize("at", [0, 5, 12, 20, 40, -1])
def test_changed_session_is_none(dashboard: Dashboard, at: int) -> None:
    """Its end, its nonce and its signature belong together."""
    dashboard.sign_in()
    good = list(dashboard.session)
    good[at] = "1" if good[at] != "1" else "2"
    dashboard.session = "".join(good)
    dashboard.post("api/clients/demo/disable", expected=401)


def test_session_of_another_admin_token_is_none(dashboard: Dashboard) -> None:
    """A new ADMIN_TOKEN ends every session."""
    now = dashboard.service.clock.now
    other = "another-admin-token-0123456789-abcdef"
    dashboard.session = session.Sessions(other).begin(other, now)
    dashboard.post("api/clients/demo/disable", expected=401)


def wrong_tries(dashboard: Dashboard, count: int) -> list[int]:
    """Try a wrong token; return the statuses."""
    headers = {"Content-Type": "application/json"}
    answers = (
        dashboard.ask("POST", "api/session", headers=headers, body='{"token": "guess"}')
        for _ in range(count)
    )
    return [answer.status_code for answer in answers]


def test_sixth_wrong_try_within_a_minute_has_to_wait(dashboard: Dashboard) -> None:
    """Then not even the right token is looked at, for as long as Retry-After says."""
    assert [401] * 5 + [429] * 2 == wrong_tries(dashboard, 7)
    metrics = dashboard.service.http.simulate_get("/metrics").text
    assert "portcullis_dashboard_sign_ins_failed_total 7.0" in metrics
    headers = {"Content-Type": "application/json"}
    body = f'{{"token": "{ADMIN_TOKEN}"}}'
    answer = dashboard.ask("POST", "api/session", headers=headers, body=body)
    assert (429, "60") == (answer.status_code, answer.headers["Retry-After"])
    dashboard.service.clock.now += 60
    dashboard.sign_in()


def test_clock_that_is_set_back_locks_nobody_out(dashboard: Dashboard) -> None:
    """The minute is over then, as nobody can tell how much of it was left."""
    wrong_tries(dashboard, 6)
    dashboard.service.clock.now -= 3600
    dashboard.sign_in()
    assert [401] * 5 + [429] == wrong_tries(dashboard, 6)


def test_wrong_tries_of_others_lock_nobody_out(dashboard: Dashboard) -> None:
    """Neither an admin who is in already, nor one at another address."""
    dashboard.sign_in()
    wrong_tries(dashboard, 6)
    dashboard.post("api/clients/demo/disable")
    elsewhere = {"Content-Type": "application/json", "X-Real-IP": "10.0.0.1"}
    body = f'{{"token": "{ADMIN_TOKEN}"}}'
    assert 200 == dashboard.ask("POST", "api/session", headers=elsewhere, body=body).status_code


def test_addresses_that_are_remembered_are_bounded() -> None:
    """A thousand addresses, the oldest makes room."""
    tries = session.Tries()
    for number in range(1100):
        for _ in range(5):
            tries.note_wrong(f"address {number}", 0.0)
    tries.check("address 99", 1.0)
    with pytest.raises(TooManyTries):
        tries.check("address 100", 1.0)
