"""What is noted about refused calls, for the dashboard's tail of them."""

import logging
from typing import Any

import fakeredis
import pytest

from tests.service import SECRET, Service

GRANT = {"grant_type": "client_credentials"}


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


def test_refused_request_of_an_endpoint_is_noted(service: Service) -> None:
    """By the error code that its client was told."""
    service.form("/token", {"grant_type": "x"}, {"X-Request-ID": "r-1"})
    service.http.simulate_get("/token")
    service.asked_by("/ott", grant_type="client_credentials", scope="admin")
    assert [
        {"reason": "invalid_client", "method": "POST", "route": "/token", "request_id": "r-1"},
        {"reason": "invalid_request", "method": "GET", "route": "/token"},
        {"reason": "invalid_scope", "client_id": "demo", "method": "POST", "route": "/ott"},
    ] == notes(service)


def test_client_is_named_when_it_is_one(service: Service) -> None:
    """What nobody is called may be a secret that somebody put in the wrong place."""
    for client_id in ("demo", "nobody", SECRET):
        service.form("/token", {**GRANT, "client_id": client_id, "client_secret": "wrong"})
    service.asked_by("/revoke", token=service.mint())
    assert ["demo", None, None] == [note.get("client_id") for note in notes(service)]


def test_what_goes_well_is_neither_noted_nor_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The happy path writes nothing."""
    caplog.set_level(logging.DEBUG, "portcullis")
    token, once = service.mint(), service.mint(path="/ott")
    for sent in (token, token, once):
        assert "ok" == service.reason(sent, **CALL)
    service.asked_by("/introspect", token=token)
    service.asked_by("/revoke", token=token)
    assert [] == notes(service)
    assert [] == [one for one in caplog.records if one.name.startswith("portcullis")]
