"""What is noted about refused calls, for the dashboard's tail of them."""

from typing import Any

import fakeredis

from tests.service import Service


def notes(service: Service) -> list[dict[str, str]]:
    """All that was noted, oldest first."""
    service.refused.flush()
    entries: Any = service.redis.xrange("refusals")
    return [entry for _, entry in entries]


CALL = {
    "X_Original_Method": "GET",
    "X_Original_URI": "/orders/7?token=secret",
    "X_Request_ID": "r-7",
}


def test_refused_call_is_noted_with_its_client(service: Service) -> None:
    """For a token that was signed here, whatever is wrong with it now."""
    token = service.mint(scope="orders:read")
    service.validate(token, X_Required_Scope="orders:write", **CALL)
    service.asked_by("/revoke", token=token)
    service.validate(token, **CALL)
    service.clock.now += 3600
    service.validate(token, **CALL)
    common = {"client_id": "demo", "method": "GET", "route": "/orders/7", "request_id": "r-7"}
    assert [
        {"reason": "missing_scope", "needed": "orders:write", **common},
        {"reason": "revoked", **common},
        {"reason": "expired", **common},
    ] == notes(service)


def test_expired_token_that_no_worker_knows_is_named_too(service: Service) -> None:
    """Its signature says whose it was."""
    token = service.mint()
    service.clock.now += 7200
    service.validate(token)
    assert [{"reason": "expired", "client_id": "demo"}] == notes(service)


def test_token_that_nobody_has_vouched_for_names_nobody(service: Service) -> None:
    """A claim without a signature would put words into the gateway's mouth."""
    token = service.mint()
    service.validate(token[:-8] + "A" * 8)
    service.validate("x.y")
    service.validate()
    expected = ["bad_signature", "malformed", "no_token"]
    assert [{"reason": reason} for reason in expected] == notes(service)


def test_allowed_call_is_not_noted(service: Service) -> None:
    """Nothing on success."""
    service.validate(service.mint(), **CALL)
    assert [] == notes(service)


def test_no_note_has_a_token(service: Service) -> None:
    """Neither whole nor in part."""
    token = service.mint()
    service.validate(token, X_Required_Scope="nothing", **CALL)
    service.validate(f"{token}x", **CALL)
    service.validate(f"x{token}", **CALL)
    text = str(notes(service))
    assert not any(part in text for part in (*token.split("."), "secret"))


def test_undecided_call_is_noted_when_redis_is_back(
    service: Service, redis_server: fakeredis.FakeServer
) -> None:
    """The call does not wait for the note."""
    token = service.mint()
    redis_server.connected = False
    assert "store_unavailable" == service.reason(token)
    redis_server.connected = True
    assert [{"reason": "store_unavailable", "client_id": "demo"}] == notes(service)
