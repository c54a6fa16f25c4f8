"""What has waited too long in a queue that stands is told to come back, at every door."""

import pytest

from tests.service import Service


def wait(service: Service, seconds: float) -> dict[str, str]:
    """Let a queue stand; return the header of a request in it."""
    for _ in range(100):
        service.clock.now += 0.001
        header = {"X-Request-Start": f"{service.clock.now - seconds:.3f}"}
        service.http.simulate_get("/validate", headers=header)
    return header


def test_gate_turns_away_without_looking_at_the_token(service: Service) -> None:
    """503 with Retry-After, bodyless like every answer to nginx."""
    token = service.mint()
    answer = service.validate(token, **wait(service, 0.2))
    assert (503, "overloaded", "1", b"") == (
        answer.status_code,
        answer.headers["X-Auth-Reason"],
        answer.headers["Retry-After"],
        answer.content,
    )


@pytest.mark.parametrize("path", ["/token", "/ott", "/revoke", "/introspect"])
def test_request_is_turned_away_unread(service: Service, path: str) -> None:
    """The OAuth error of a server that may be asked again, and nothing is stored."""
    answer = service.form(path, {}, wait(service, 0.2))
    assert (503, "temporarily_unavailable") == (answer.status_code, answer.json["error"])
    assert ("1", "no-store") == (answer.headers["Retry-After"], answer.headers["Cache-Control"])


def test_request_that_has_not_waited_is_served(service: Service) -> None:
    """A header of a gateway that is on time changes nothing."""
    token = service.mint()
    assert 204 == service.validate(token, **wait(service, 0.01)).status_code
