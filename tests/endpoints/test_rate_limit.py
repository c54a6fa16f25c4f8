"""A client's own rate at the gate: 429, taken last, told when to come back."""

import pytest

from app.wrong_secrets import MOST
from tests.service import SECRET, Service

pytestmark = pytest.mark.usefixtures("still_redis")


def test_call_over_the_rate_is_told_to_wait(service: Service) -> None:
    """429 with Retry-After in whole seconds, without a challenge and without a body."""
    service.add_client(rate_per_s="1")
    token = service.mint()
    assert "ok" == service.reason(token)
    answer = service.validate(token)
    assert (429, "rate_limited", "1", b"") == (
        answer.status_code,
        answer.headers["X-Auth-Reason"],
        answer.headers["Retry-After"],
        answer.content,
    )
    assert "WWW-Authenticate" not in answer.headers


def test_rate_is_the_clients_not_the_tokens(service: Service) -> None:
    """Minting more tokens buys no more calls; another client has its own."""
    service.add_client("other")
    first, second, other = service.mint(), service.mint(), service.mint("other")
    service.add_client(rate_per_s="1")
    service.add_client("other", rate_per_s="1")
    assert ["ok", "rate_limited", "ok"] == [
        service.reason(token) for token in (first, second, other)
    ]


def test_client_without_a_rate_is_not_limited(service: Service) -> None:
    """No key is written for it either."""
    token = service.mint()
    assert {"ok"} == {service.reason(token) for _ in range(50)}
    assert [] == service.redis.keys("rate:*")


@pytest.mark.parametrize(
    "headers", [{"X_Required_Scope": "other"}, {"X_Required_Audience": "urn:x"}]
)
def test_refused_call_costs_nothing(service: Service, headers: dict[str, str]) -> None:
    """Only calls that would pass are counted."""
    service.add_client(rate_per_s="1")
    token = service.mint()
    for _ in range(5):
        service.reason(token, **headers)
    assert ["ok", "rate_limited"] == [service.reason(token) for _ in range(2)]


@pytest.mark.parametrize("rate_per_s", ["0", "-1", "1.5", "many", "1e3", " "])
def test_rate_that_is_no_number_from_one_decides_nothing(service: Service, rate_per_s: str) -> None:
    """A slip in redis-cli must not turn the limit off: 503 until it is corrected."""
    token = service.mint()
    service.redis.hset("client:demo", "rate_per_s", rate_per_s)
    assert "store_unavailable" == service.reason(token)


def test_rate_follows_a_change_at_once(service: Service) -> None:
    """The next call is counted by the new rate."""
    service.add_client(rate_per_s="1")
    token = service.mint()
    assert ["ok", "rate_limited"] == [service.reason(token) for _ in range(2)]
    service.redis.hset("client:demo", "rate_per_s", "")
    assert "ok" == service.reason(token)


def test_refusal_tells_the_rate(service: Service) -> None:
    """The RateLimit fields beside Retry-After: quota, window, what remains and until when."""
    token = service.mint()
    service.add_client(rate_per_s="1")
    service.reason(token)
    answer = service.validate(token)
    assert ('"client";q=1;w=1', '"client";r=0;t=1') == (
        answer.headers["RateLimit-Policy"],
        answer.headers["RateLimit"],
    )


@pytest.mark.parametrize("path", ["/token", "/ott"])
def test_mint_over_the_rate_is_told_to_wait(service: Service, path: str) -> None:
    """429 as an OAuth error; a request that fails otherwise has not been counted."""
    service.add_client(rate_per_s="1")
    for _ in range(3):
        assert 400 == service.asked_by(path, grant_type="client_credentials", scope="x").status_code
    service.mint(path=path)
    answer = service.asked_by(path, grant_type="client_credentials")
    assert (429, "temporarily_unavailable", "1") == (
        answer.status_code,
        answer.json["error"],
        answer.headers["Retry-After"],
    )
    assert '"client";q=1;w=1' == answer.headers["RateLimit-Policy"]


def guess(service: Service, address: str, client_id: str = "demo", secret: str = "wrong") -> int:
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return service.form("/token", fields, {"X-Real-IP": address}).status_code


@pytest.mark.parametrize("client_id", ["demo", "nobody"])
def test_guessing_is_slowed_and_the_client_is_not_locked_out(
    service: Service, client_id: str
) -> None:
    """429 after many, alike for names that are and are not; a right secret passes from anywhere."""
    statuses = [guess(service, "192.0.2.1", client_id) for _ in range(MOST + 2)]
    assert [401] * MOST + [429] * 2 == statuses
    assert 401 == guess(service, "192.0.2.2", client_id)
    for address in ("192.0.2.1", "192.0.2.2"):
        assert 200 == guess(service, address, secret=SECRET)


@pytest.mark.parametrize("path", ["/token", "/ott", "/revoke", "/introspect"])
def test_guessing_is_slowed_at_every_door(service: Service, path: str) -> None:
    """One count for all endpoints that take a secret, and it says how long to wait."""
    for _ in range(MOST):
        guess(service, "192.0.2.1")
    fields = {"client_id": "demo", "client_secret": "wrong", "token": "x"}
    answer = service.form(path, fields, {"X-Real-IP": "192.0.2.1"})
    assert (429, "60") == (answer.status_code, answer.headers["Retry-After"])
