"""Every mint and revocation leaves an entry: who, what, when, from where."""

import pytest

from tests.service import Service, basic

FROM = {"X-Real-IP": "192.0.2.7", "X-Request-ID": "req-1"}
GRANT = {"grant_type": "client_credentials", "scope": "orders:read"}


@pytest.mark.parametrize(
    ("path", "detail"), [("/token", "orders:read"), ("/ott", "once orders:read")]
)
def test_mint_is_written_down(service: Service, path: str, detail: str) -> None:
    """With the jti by which the token can be revoked, and never the token."""
    token = service.form(path, GRANT, {**basic(), **FROM}).json["access_token"]
    jti = service.validate(token).headers["X-Auth-Jti"]
    expected = {
        "event": "mint",
        "who": "demo",
        "client_id": "demo",
        "jti": jti,
        "detail": detail,
        "from": "192.0.2.7",
        "request_id": "req-1",
    }
    assert [expected] == service.audit("mint")


@pytest.mark.parametrize("request_id", ["a b", "x" * 129, "r;1", "\u00e9"])
def test_request_id_of_another_form_is_left_out(service: Service, request_id: str) -> None:
    """The gateway makes sane ones; anything else did not come from it."""
    service.form("/token", GRANT, {**basic(), "X-Request-ID": request_id})
    (entry,) = service.audit("mint")
    assert "request_id" not in entry


def test_refused_requests_leave_no_entry(service: Service) -> None:
    """The audit trail is not for strangers to fill."""
    for _ in range(3):
        service.form("/token", GRANT, basic(secret="wrong"))
        service.form("/token", {**GRANT, "scope": "other"}, basic())
        service.form("/token", {**GRANT, "grant_type": "password"}, basic())
        service.form("/revoke", {"token": "x"}, basic())
    service.journal.flush()
    assert 0 == service.redis.xlen("audit")


def test_no_entry_holds_a_secret_or_a_token(service: Service) -> None:
    """Names and identifiers only."""
    token = service.mint()
    service.asked_by("/revoke", token=token)
    written = str(service.audit("mint") + service.audit("revoke"))
    assert not any(part in written for part in token.split("."))
    assert "correct-horse" not in written
