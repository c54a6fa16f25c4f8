"""Is the process alive, and can it decide: two questions, two answers."""

import fakeredis
import pytest

from tests.service import Service


@pytest.mark.parametrize("path", ["/health", "/health/live"])
@pytest.mark.parametrize("is_up", [True, False])
def test_live_process_says_ok_whatever_redis_does(
    service: Service, redis_server: fakeredis.FakeServer, path: str, is_up: bool
) -> None:
    """Restarting the process would not bring Redis back."""
    redis_server.connected = is_up
    answer = service.http.simulate_get(path)
    assert (200, {"status": "ok"}) == (answer.status_code, answer.json)


def test_readiness_names_each_dependency(
    service: Service, redis_server: fakeredis.FakeServer
) -> None:
    """200 when all are up, 503 when one is down, and which."""
    ready = service.http.simulate_get("/health/ready")
    redis_server.connected = False
    down = service.http.simulate_get("/health/ready")
    redis_server.connected = True
    again = service.http.simulate_get("/health/ready")
    assert [200, 503, 200] == [one.status_code for one in (ready, down, again)]
    assert "ok" == ready.json["status"]
    expected = {"redis": "ok", "dataset": "ok", "feed": "asking every time"}
    assert expected == ready.json["dependencies"]
    assert "unavailable" == down.json["status"]
    assert "ok" != down.json["dependencies"]["redis"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_for_get(service: Service, path: str) -> None:
    """Nothing else is served there."""
    assert 405 == service.http.simulate_post(path).status_code


def test_readiness_names_a_restore_that_has_not_ended(service: Service) -> None:
    """Until it has, every request is 503, and a person should know why."""
    service.redis.delete("dataset")
    service.redis.hset("dataset", "restoring", "0a1b2c3d")
    answer = service.http.simulate_get("/health/ready")
    assert 503 == answer.status_code
    expected = "a restore has begun and has not ended"
    assert expected == answer.json["dependencies"]["dataset"]
    refused = service.asked_by("/token", grant_type="client_credentials")
    assert (503, True) == (refused.status_code, "Retry-After" in refused.headers)
