"""The whole life of a token, in process."""

from tests.service import Service


def test_token_minted_used_and_revoked_is_refused(service: Service) -> None:
    """A token passes where its scope is enough, and nowhere once it is revoked."""
    token = service.mint(scope="orders:read")
    assert "ok" == service.reason(token, X_Required_Scope="orders:read")
    assert "missing_scope" == service.reason(token, X_Required_Scope="orders:write")
    assert service.asked_by("/introspect", token=token).json["active"] is True
    assert 200 == service.asked_by("/revoke", token=token).status_code
    assert "revoked" == service.reason(token, X_Required_Scope="orders:read")
    assert {"active": False} == service.asked_by("/introspect", token=token).json


def test_one_time_token_serves_one_request_and_its_retry(service: Service) -> None:
    """The request that spent a token may be retried; another one may not use it."""
    token = service.mint(path="/ott")
    outcomes = [service.reason(token, X_Request_ID=one) for one in ("first", "first", "second")]
    assert ["ok", "ok", "spent"] == outcomes
