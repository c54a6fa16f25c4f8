"""The gate while it remembers: what a warm request still asks, and what it must not miss."""

import fakeredis
import pytest

from tests.endpoints.conftest import Build
from tests.service import Service
from tests.unit.announcing_line import AnnouncingLine


@pytest.fixture
def warm(announced: Build) -> Service:
    """The app on a line that announces what a test says."""
    made = announced()
    made.add_client()
    return made


def jti_of(service: Service, token: str) -> str:
    return str(service.asked_by("/introspect", token=token).json["jti"])


def test_warm_request_asks_redis_nothing(warm: Service, line: AnnouncingLine) -> None:
    """Whatever the location asks of the token: scope, audience, route table."""
    warm.redis.hset("routes", "GET /orders", "orders:read")
    token = warm.mint()
    asked = {"X_Original_Method": "GET", "X_Original_URI": "/orders/1"}
    needs: list[dict[str, str]] = [
        {},
        {"X_Required_Scope": "orders:read"},
        {"X_Required_Scope": "@routes", **asked},
    ]
    for headers in needs:
        assert "ok" == warm.reason(token, **headers)
    before = line.round_trips
    assert ["ok"] * 3 == [warm.reason(token, **headers) for headers in needs]
    assert 0 == line.round_trips - before


def test_decision_is_not_remembered(warm: Service) -> None:
    """A token that passed one location is asked everything again at the next."""
    warm.redis.hset("routes", mapping={"GET /open": "", "GET /closed": "admin"})
    token = warm.mint(scope="orders:read")
    routed = {"X_Required_Scope": "@routes", "X_Original_Method": "GET"}
    reasons = [
        warm.reason(token, **headers)
        for headers in (
            {"X_Required_Scope": "orders:read"},
            {"X_Required_Scope": "orders:write"},
            {"X_Required_Audience": "urn:other"},
            {**routed, "X_Original_URI": "/open"},
            {**routed, "X_Original_URI": "/closed"},
            {**routed, "X_Original_URI": "/elsewhere"},
            {},
        )
    ]
    expected = ["ok", "missing_scope", "wrong_audience", "ok", "missing_scope", "unknown_route"]
    assert [*expected, "ok"] == reasons


def test_one_time_token_that_was_revoked_is_refused(warm: Service) -> None:
    """It is never warm: whether it is revoked is asked with its use, each time."""
    token, other = warm.mint(path="/ott"), warm.mint(path="/ott")
    jti = jti_of(warm, token)
    warm.redis.set(f"revoked:{jti}", "x")
    assert ["revoked", "revoked", "ok"] == [warm.reason(one) for one in (token, token, other)]


@pytest.mark.parametrize("request_id", ["r1", ""])
def test_spent_one_time_token_that_is_revoked_then_has_no_retry(
    warm: Service, request_id: str
) -> None:
    """A revocation comes before the retry of the request that used it."""
    token = warm.mint(path="/ott")
    jti = jti_of(warm, token)
    assert "ok" == warm.reason(token, X_Request_ID=request_id)
    warm.redis.set(f"revoked:{jti}", "x")
    assert "revoked" == warm.reason(token, X_Request_ID=request_id)


def test_rate_is_taken_from_warm_requests(warm: Service, line: AnnouncingLine) -> None:
    """A limited client costs a question each hundredth of a second's calls, and no more."""
    warm.add_client(rate_per_s="1000")
    token = warm.mint()
    warm.reason(token)
    before = line.round_trips
    assert {"ok"} == {warm.reason(token) for _ in range(9)}
    assert 0 == line.round_trips - before
    assert {"ok"} == {warm.reason(token) for _ in range(10)}
    assert 1 == line.round_trips - before


def test_mint_for_a_remembered_client_asks_redis_nothing(
    warm: Service, line: AnnouncingLine
) -> None:
    """Only a one-time token is armed in Redis before it is handed out."""
    warm.mint()
    trips = []
    for path in ("/token", "/ott"):
        before = line.round_trips
        warm.mint(path=path)
        trips.append(line.round_trips - before)
    assert [0, 1] == trips


def test_redis_that_is_gone_stops_what_has_to_ask(
    warm: Service, line: AnnouncingLine, redis_server: fakeredis.FakeServer
) -> None:
    """While the line is current a warm token passes; a cold or one-time one cannot be decided."""
    token, cold, once = warm.mint(), warm.mint(), warm.mint(path="/ott")
    warm.reason(token)
    redis_server.connected = False
    assert ["ok", "store_unavailable", "store_unavailable"] == [
        warm.reason(one) for one in (token, cold, once)
    ]
    line.is_up = False
    assert "store_unavailable" == warm.reason(token)
