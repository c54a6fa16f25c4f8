"""Authlib as a client and as a resource server of a running gateway, used as its docs say."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError  # type: ignore[import-untyped]
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url  # type: ignore[import-untyped]
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from joserfc.jwk import KeySet

from tests.e2e.third_party import (
    FOREIGN_RESOURCE,
    FOREIGN_SCOPE,
    GRANTED,
    METHODS,
    RESOURCES,
    SCOPES,
    WRONG_SECRET,
    Registration,
    registered,
    registered_with_reserved_secret,
)
from tests.stack import Stack

Metadata = dict[str, Any]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authlib insists on TLS in the metadata; a gateway under test has none."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="module")
def registration(stack: Stack) -> Iterator[Registration]:
    with registered(stack, "Authlib_eu-1.test") as made:
        yield made


@pytest.fixture(scope="module")
def metadata(registration: Registration) -> Metadata:
    answer = requests.get(get_well_known_url(registration.issuer, external=True), timeout=10)
    found: Metadata = answer.json()
    return found


def session_of(
    registration: Registration, metadata: Metadata, method: str, **options: object
) -> OAuth2Session:
    """A session that has been told the metadata, as Authlib's docs do it."""
    return OAuth2Session(
        registration.client_id,
        registration.secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=metadata["token_endpoint"],
        **options,
    )


class LocalValidator(JWTBearerTokenValidator):  # type: ignore[misc]
    """Authlib's resource server. It knows the issuer and where its keys are."""

    def __init__(self, metadata: Metadata, resource: str) -> None:
        super().__init__(metadata["issuer"], resource)
        self._jwks_uri = metadata["jwks_uri"]

    def get_jwks(self) -> KeySet:
        return KeySet.import_key_set(requests.get(self._jwks_uri, timeout=10).json())

    def validate(self, token: str, *scopes: str) -> dict[str, Any]:
        claims = self.authenticate_token(token)
        self.validate_token(claims, list(scopes), None)
        return dict(claims)


def test_metadata_passes_authlib_s_own_validation(
    registration: Registration, metadata: Metadata
) -> None:
    """All that RFC 8414 §2 asks of the document holds, and it names the issuer that was asked."""
    document = AuthorizationServerMetadata(metadata)
    # Required by §2, and yet §3.2 forbids it without elements: Authlib takes no side that a server
    # without an authorization endpoint could satisfy (erratum 7793).
    for name in set(document.REGISTRY_KEYS) - {"response_types_supported"}:
        getattr(document, f"validate_{name}")()
    assert registration.issuer == document["issuer"]
    assert ["client_credentials"] == document["grant_types_supported"]


@pytest.mark.parametrize("method", METHODS)
def test_authlib_mints_calls_introspects_and_revokes(
    registration: Registration, metadata: Metadata, method: str
) -> None:
    """A whole life of a token with one session, by its own methods."""
    with session_of(registration, metadata, method, scope="demo:read") as session:
        token = session.fetch_token(grant_type="client_credentials")
        assert ["Bearer", 3600, "demo:read"] == [token[name] for name in GRANTED]

        received = session.get(registration.url("/demo/read")).json()["headers"]
        assert registration.client_id == received["x-auth-client-id"]
        assert "authorization" not in received

        told = session.introspect_token(metadata["introspection_endpoint"]).json()
        claims = LocalValidator(metadata, RESOURCES[0]).validate(token["access_token"])
        assert {**claims, "active": True, "token_type": "Bearer"} == told

        assert 200 == session.revoke_token(metadata["revocation_endpoint"]).status_code
        told = session.introspect_token(metadata["introspection_endpoint"]).json()
        assert {"active": False} == told
        assert 401 == session.get(registration.url("/demo/read")).status_code


@pytest.mark.parametrize("method", METHODS)
def test_authlib_without_scope_gets_all(
    registration: Registration, metadata: Metadata, method: str
) -> None:
    """The least that one can write, `fetch_token()`, mints a token for all scopes."""
    with session_of(registration, metadata, method) as session:
        assert SCOPES == session.fetch_token()["scope"]


def test_authlib_picks_a_resource(registration: Registration, metadata: Metadata) -> None:
    """`resource` goes through and becomes the audience; another resource refuses the token."""
    with session_of(registration, metadata, METHODS[0]) as session:
        token = session.fetch_token(resource=RESOURCES[1])["access_token"]
    assert RESOURCES[1] == LocalValidator(metadata, RESOURCES[1]).validate(token)["aud"]
    with pytest.raises(InvalidTokenError):
        LocalValidator(metadata, RESOURCES[0]).validate(token)


def test_authlib_validates_the_token_as_rfc_9068(
    registration: Registration, metadata: Metadata
) -> None:
    """Authlib's resource server takes the claims, and holds the scope against what it needs."""
    with session_of(registration, metadata, METHODS[0], scope="demo:read") as session:
        token = session.fetch_token()["access_token"]
    validator = LocalValidator(metadata, RESOURCES[0])
    claims = validator.validate(token, "demo:read")
    assert (registration.client_id, "demo:read") == (claims["sub"], claims["scope"])
    with pytest.raises(InsufficientScopeError):
        validator.validate(token, "demo:write")


def test_authlib_renews_a_token_that_is_about_to_end(stack: Stack, metadata: Metadata) -> None:
    """A session mints anew by itself when less than its leeway of a minute is left."""
    with (
        registered(stack, "short-lived", ttl_s="59") as registration,
        session_of(registration, metadata, METHODS[0]) as session,
    ):
        session.fetch_token()
        url = registration.url("/demo/any")
        jtis = {session.get(url).json()["headers"]["x-auth-jti"] for _ in range(2)}
    assert 2 == len(jtis)


def test_authlib_fetches_a_one_time_token(registration: Registration, metadata: Metadata) -> None:
    """Another address is all it takes: the token from /ott is good for one call."""
    with session_of(registration, metadata, METHODS[0]) as session:
        session.fetch_token(registration.url("/ott"))
        calls = [session.get(registration.url("/demo/any")) for _ in range(2)]
    assert [200, 401] == [answer.status_code for answer in calls]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("asked", "error"),
    [({"scope": "demo:admin"}, FOREIGN_SCOPE), ({"resource": "urn:elsewhere"}, FOREIGN_RESOURCE)],
)
def test_authlib_raises_its_own_error(
    registration: Registration,
    metadata: Metadata,
    method: str,
    asked: dict[str, str],
    error: tuple[str, str],
) -> None:
    """What the client may not have arrives as OAuthError with our code and description."""
    with (
        session_of(registration, metadata, method) as session,
        pytest.raises(OAuthError) as raised,
    ):
        session.fetch_token(**asked)
    assert error == (raised.value.error, raised.value.description)


@pytest.mark.parametrize("method", METHODS)
def test_authlib_learns_of_a_wrong_secret(
    registration: Registration, metadata: Metadata, method: str
) -> None:
    """A wrong secret arrives as OAuthError, with the code that RFC 6749 §5.2 has for it."""
    mistaken = Registration(registration.issuer, registration.client_id, "wrong")
    with (
        session_of(mistaken, metadata, method) as session,
        pytest.raises(OAuthError) as raised,
    ):
        session.fetch_token()
    assert WRONG_SECRET == (raised.value.error, raised.value.description)


@pytest.mark.parametrize("method", METHODS)
def test_secret_of_reserved_characters_authenticates(
    stack: Stack, metadata: Metadata, method: str
) -> None:
    """For the header Authlib does not form-encode: who has chosen such a secret does it for it."""
    with registered_with_reserved_secret(stack) as registration:
        secret = (
            quote_plus(registration.secret)
            if method == "client_secret_basic"
            else registration.secret
        )
        shown = Registration(registration.issuer, registration.client_id, secret)
        with session_of(shown, metadata, method) as session:
            assert SCOPES == session.fetch_token()["scope"]
