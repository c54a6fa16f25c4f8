"""One-time tokens at the gate: spent last, by one request and its retries."""

from pathlib import Path

import fakeredis
import pytest

from tests.service import Service, build_service


def test_request_and_its_retry_pass_and_no_other(service: Service) -> None:
    """nginx trying the next upstream with the same id is the same use."""
    token = service.mint(path="/ott")
    outcomes = [service.reason(token, X_Request_ID=one) for one in ("r1", "r1", "r2", "r1")]
    assert ["ok", "ok", "spent", "ok"] == outcomes


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "\u00e9", "r1,r1", "r1;"])
def test_request_without_a_sane_id_has_no_retry(service: Service, request_id: str) -> None:
    """What cannot be told from another request is a use of its own."""
    token = service.mint(path="/ott")
    outcomes = [service.reason(token, X_Request_ID=request_id) for _ in range(2)]
    assert ["ok", "spent"] == outcomes


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X_Required_Scope": "orders:delete"}, "missing_scope"),
        ({"X_Required_Audience": "urn:other"}, "wrong_audience"),
        ({"X_Required_Scope": "@routes", "X_Original_URI": "/x"}, "unknown_route"),
        ({"X_Required_Scope": "@routes", "X_Original_URI": "/.."}, "unknown_route"),
    ],
)
def test_refused_request_does_not_spend(
    service: Service, headers: dict[str, str], reason: str
) -> None:
    """A request that is refused for another reason leaves the token good."""
    token = service.mint(path="/ott")
    assert reason == service.reason(token, X_Request_ID="r1", **headers)
    assert "ok" == service.reason(token, X_Request_ID="r2")


@pytest.mark.usefixtures("still_redis")
def test_request_over_the_rate_does_not_spend(service: Service) -> None:
    """The rate is taken before the token is."""
    used, kept = service.mint(path="/ott"), service.mint(path="/ott")
    service.add_client(rate_per_s="1")
    assert ["ok", "rate_limited"] == [service.reason(one) for one in (used, kept)]
    service.redis.delete("rate:demo")
    assert "ok" == service.reason(kept)


def test_disabled_client_does_not_spend(service: Service) -> None:
    """Enabled again, its token still works once."""
    token = service.mint(path="/ott")
    service.redis.hset("client:demo", "status", "disabled")
    assert "client_disabled" == service.reason(token)
    service.redis.hset("client:demo", "status", "active")
    assert ["ok", "spent"] == [service.reason(token) for _ in range(2)]


def test_token_of_another_endpoint_works_any_number_of_times(service: Service) -> None:
    """Only `/ott` makes one-time tokens."""
    token = service.mint()
    assert ["ok"] * 3 == [service.reason(token, X_Request_ID=f"r{n}") for n in range(3)]


@pytest.mark.parametrize("leeway_s", [0, 30])
def test_unspent_note_is_gone_with_the_token(
    keys_dir: Path, redis_server: fakeredis.FakeServer, leeway_s: int
) -> None:
    """`ott:{jti}` lasts as long as the token is taken, and no longer."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    service = build_service(connection, keys_dir, leeway_s=leeway_s)
    service.add_client()
    service.mint(path="/ott")
    (key,) = service.redis.keys("ott:*")
    assert int(service.clock.now) + 3600 + leeway_s == service.redis.expiretime(str(key))
    service.close()


def test_token_whose_note_was_lost_is_spent(service: Service) -> None:
    """Nothing known about it means: not good."""
    token = service.mint(path="/ott")
    service.redis.delete(*service.redis.keys("ott:*"))
    assert "spent" == service.reason(token)


def test_one_time_token_is_armed_before_it_is_handed_out(service: Service) -> None:
    """What cannot be armed is not issued."""
    service.redis.set("used:demo", "not a hash")
    answer = service.asked_by("/ott", grant_type="client_credentials")
    assert 200 == answer.status_code
    assert 1 == len(service.redis.keys("ott:*"))
