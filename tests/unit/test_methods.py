"""What a client's record says of how it authenticates, and that nothing of it fails open."""

import pytest

from app.clients import Client
from app.methods import SECRET_METHODS
from tests.service import client_fields

KEYS = '{"keys": []}'
ALL = (
    *SECRET_METHODS,
    *("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"),
)
NEEDED = {
    "private_key_jwt": {"jwks": KEYS},
    "self_signed_tls_client_auth": {"jwks_uri": "https://keys.example/billing"},
    "tls_client_auth": {"tls_client_auth_san_dns": "billing.example"},
}


def client(**fields: str) -> Client:
    return Client.from_fields("demo", client_fields(**fields))


@pytest.mark.parametrize("named", ["", *ALL])
def test_client_takes_no_other_method_than_its_own(named: str) -> None:
    """Where the record names none, a secret counts in both ways, as ever."""
    method = client(token_endpoint_auth_method=named, **NEEDED.get(named, {})).method
    expected = {named} if named else set(SECRET_METHODS)
    assert expected == {one for one in ALL if method.takes(one)}


@pytest.mark.parametrize(
    "fields",
    [
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "PRIVATE_KEY_JWT"},
        {"token_endpoint_auth_method": " "},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": KEYS, "jwks_uri": "https://k"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": "a.example",
            "tls_client_auth_san_uri": "urn:a",
        },
        {"tls_client_certificate_bound_access_tokens": "1"},
        {"tls_client_certificate_bound_access_tokens": "True"},
    ],
    ids=str,
)
def test_record_that_cannot_be_followed_is_unreadable(fields: dict[str, str]) -> None:
    """What is half said may be a restriction: so nothing is let in by it."""
    with pytest.raises(ValueError, match="client"):
        client(**fields)


def test_note_that_somebody_put_into_the_record_changes_nothing() -> None:
    """Ops may keep a team or a ticket there; it is no reason to shut a client out at night."""
    assert client(team="payments").is_active
