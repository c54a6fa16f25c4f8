"""Declared staleness: what a location that allows it may still be told while Redis is gone."""

from time import monotonic

import pytest

import redis
from tests.endpoints.conftest import Build
from tests.service import Service
from tests.unit.announcing_line import AnnouncingLine

ALLOWED = {"X_Allow_Stale": "30"}


@pytest.fixture
def service(announced: Build) -> Service:
    """The app on a line that can be lost."""
    made = announced()
    made.add_client()
    return made


@pytest.fixture
def token(service: Service) -> str:
    """A token that the worker knows to be good."""
    token = service.mint()
    assert "ok" == service.reason(token)
    return token


def lose(line: AnnouncingLine, ago_s: float = 1.5) -> None:
    line.lose(monotonic() - ago_s)


def test_known_token_is_allowed_where_it_is_declared(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """204 as ever, with how old that is by which it was decided; elsewhere 503."""
    lose(line)
    answer = service.validate(token, **ALLOWED)
    assert (204, "ok") == (answer.status_code, answer.headers["X-Auth-Reason"])
    assert 1.5 <= float(answer.headers["X-Auth-Stale"]) < 30
    assert "demo" == answer.headers["X-Auth-Client-Id"]
    refused = service.validate(token)
    assert (503, "1") == (refused.status_code, refused.headers["Retry-After"])
    assert "X-Auth-Stale" not in refused.headers


def test_answer_that_redis_could_be_asked_about_does_not_say_stale(
    service: Service, token: str
) -> None:
    """A location that allows staleness has none while all is well."""
    answer = service.validate(token, **ALLOWED)
    assert 204 == answer.status_code
    assert "X-Auth-Stale" not in answer.headers


@pytest.mark.parametrize(
    ("declared", "ago_s", "reason"),
    [
        ("60", 30.0, "ok"),
        ("60", 60.1, "store_unavailable"),
        ("3600", 3500.0, "ok"),
        ("99999", 3500.0, "ok"),
        ("99999", 3601.0, "store_unavailable"),
        ("999999999999", 0.0, "store_unavailable"),
        ("0", 0.0, "store_unavailable"),
        ("", 0.0, "store_unavailable"),
        ("-1", 0.0, "store_unavailable"),
        ("+5", 0.0, "store_unavailable"),
        ("1.5", 0.0, "store_unavailable"),
        ("1e3", 0.0, "store_unavailable"),
        ("30 30", 0.0, "store_unavailable"),
        ("60s", 30.0, "ok"),
        ("60s", 60.1, "store_unavailable"),
        ("30m", 0.0, "store_unavailable"),
        ("30 s", 0.0, "store_unavailable"),
        ("s", 0.0, "store_unavailable"),
        ("inf", 0.0, "store_unavailable"),
        ("\xb2", 0.0, "store_unavailable"),
    ],
)
def test_staleness_is_whole_seconds_up_to_an_hour(
    service: Service, line: AnnouncingLine, token: str, declared: str, ago_s: float, reason: str
) -> None:
    """What is no such number allows nothing."""
    lose(line, ago_s)
    assert reason == service.reason(token, X_Allow_Stale=declared)


def test_what_the_location_needs_is_asked_all_the_same(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """Scope, audience, route table and lifetime are held against each call."""
    service.redis.hset("routes", mapping={"GET /open": "", "GET /closed": "admin"})
    routed = {"X_Required_Scope": "@routes", "X_Original_Method": "GET"}
    cases: list[tuple[dict[str, str], str]] = [
        ({"X_Required_Scope": "orders:read"}, "ok"),
        ({"X_Required_Scope": "admin"}, "missing_scope"),
        ({"X_Required_Scope": "orders:read @once"}, "missing_scope"),
        ({"X_Required_Audience": "urn:other"}, "wrong_audience"),
        ({**routed, "X_Original_URI": "/open"}, "ok"),
        ({**routed, "X_Original_URI": "/closed"}, "missing_scope"),
        ({**routed, "X_Original_URI": "/elsewhere"}, "unknown_route"),
    ]
    expected = [reason for _, reason in cases]
    assert expected == [service.reason(token, **headers) for headers, _ in cases]
    lose(line)
    assert expected == [service.reason(token, **ALLOWED, **headers) for headers, _ in cases]
    service.clock.now += 3600
    assert "expired" == service.reason(token, **ALLOWED)


def test_route_table_that_was_never_asked_for_is_not_known(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """What a route needs cannot be guessed."""
    service.redis.hset("routes", "GET /open", "")
    lose(line)
    asked = {"X_Required_Scope": "@routes", "X_Original_Method": "GET", "X_Original_URI": "/open"}
    assert "store_unavailable" == service.reason(token, **ALLOWED, **asked)


def test_one_time_token_is_never_allowed_without_redis(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """Only Redis knows whether it is spent, of one that has been seen before too."""
    once = service.mint(path="/ott")
    assert "ok" == service.reason(once, X_Request_ID="r1")
    lose(line)
    for request_id in ("r1", "r2"):
        assert "store_unavailable" == service.reason(once, X_Request_ID=request_id, **ALLOWED)
    assert "ok" == service.reason(token, **ALLOWED)


def test_unknown_and_broken_tokens_are_what_they_always_are(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """What needs no Redis is refused; what does cannot be decided."""
    never = service.mint()
    lose(line)
    found = [service.reason(one, **ALLOWED) for one in (never, f"{token}x", "x", None)]
    assert ["store_unavailable", "malformed", "malformed", "no_token"] == found


def test_rate_is_each_workers_own_without_redis(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """Nobody can share it then, so the worker allows the whole rate by itself."""
    service.add_client(rate_per_s="5")
    line.announce("client:demo")
    assert "ok" == service.reason(token)
    lose(line)
    for _ in range(2):
        found = [service.reason(token, **ALLOWED) for _ in range(7)]
        assert ["ok"] * 5 + ["rate_limited"] * 2 == found
        service.clock.now += 1


def test_redis_that_says_no_is_as_good_as_gone(
    service: Service, line: AnnouncingLine, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full, loading or changed its password: it cannot decide either."""
    service.add_client(rate_per_s="5")
    line.announce("client:demo")
    assert "ok" == service.reason(token)
    service.clock.now += 2
    says_no = [redis.ResponseError("OOM command not allowed")] * 9
    monkeypatch.setattr(line, "ask", lambda *commands, **_: says_no[: len(commands)])
    assert "store_unavailable" == service.reason(token)
    answer = service.validate(token, **ALLOWED)
    assert (204, "0.000") == (answer.status_code, answer.headers["X-Auth-Stale"])
    lose(line)
    assert "ok" == service.reason(token, **ALLOWED)


def test_stale_decisions_are_counted_apart(
    service: Service, line: AnnouncingLine, token: str
) -> None:
    """Each is a decision for `ok` as well."""
    lose(line)
    for _ in range(3):
        service.reason(token, **ALLOWED)
    service.reason(token)
    text = service.http.simulate_get("/metrics").text
    assert "\nportcullis_stale_decisions_total 3.0\n" in text
    assert '\nportcullis_decisions_total{reason="ok"} 4.0\n' in text
    assert '\nportcullis_decisions_total{reason="store_unavailable"} 1.0\n' in text
