"""A client's own rate at the gate: 429, taken last, told when to come back."""

import pytest

from tests.service import Service


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
    service.add_client(rate_per_s="1")
    service.add_client("other", rate_per_s="1")
    first, second, other = service.mint(), service.mint(), service.mint("other")
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
