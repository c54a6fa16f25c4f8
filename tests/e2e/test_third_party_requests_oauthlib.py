"""requests-oauthlib as a client of a running gateway, PyJWT as a resource server."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError  # type: ignore[import-untyped]
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session  # type: ignore[import-untyped]

from tests.e2e.third_party import (
    FOREIGN_SCOPE,
    GRANTED,
    RESOURCES,
    SCOPES,
    WRONG_SECRET,
    Registration,
    registered,
)
from tests.stack import Stack

Metadata = dict[str, Any]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """oauthlib insists on TLS; a gateway under test has none."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="module")
def registration(stack: Stack) -> Iterator[Registration]:
    with registered(stack, "Oauthlib_eu-1.test") as made:
        yield made


@pytest.fixture(scope="module")
def metadata(registration: Registration) -> Metadata:
    """The library does not discover; the document is a plain GET away (RFC 8414 §3)."""
    url = registration.url("/.well-known/oauth-authorization-server")
    found: Metadata = requests.get(url, timeout=10).json()
    return found


BASIC_OR_POST = [
    pytest.param({}, id="client_secret_basic"),
    pytest.param({"include_client_id": True}, id="client_secret_post"),
]


def session_of(registration: Registration, scope: str | None = None) -> OAuth2Session:
    return OAuth2Session(client=BackendApplicationClient(registration.client_id, scope=scope))


@pytest.mark.parametrize("how", BASIC_OR_POST)
def test_requests_oauthlib_mints_calls_introspects_and_revokes(
    registration: Registration, metadata: Metadata, how: dict[str, bool]
) -> None:
    """A whole life of a token; what the library has no method for goes over its session."""
    mine = HTTPBasicAuth(registration.client_id, registration.secret)
    client = BackendApplicationClient(registration.client_id, scope="demo:read")
    with OAuth2Session(client=client) as session:
        token = session.fetch_token(
            metadata["token_endpoint"], client_secret=registration.secret, **how
        )
        assert ["Bearer", 3600, ["demo:read"]] == [token[name] for name in GRANTED]

        received = session.get(registration.url("/demo/read")).json()["headers"]
        assert registration.client_id == received["x-auth-client-id"]
        assert "authorization" not in received

        asked = {"token": token["access_token"]}
        told = session.post(metadata["introspection_endpoint"], asked, auth=mine).json()
        assert (True, "demo:read") == (told["active"], told["scope"])

        url, headers, body = client.prepare_token_revocation_request(
            metadata["revocation_endpoint"], token["access_token"]
        )
        assert 200 == session.post(url, body, headers=headers, auth=mine).status_code
        told = session.post(metadata["introspection_endpoint"], asked, auth=mine).json()
        assert {"active": False} == told
        assert 401 == session.get(registration.url("/demo/read")).status_code


def test_requests_oauthlib_session_revokes_its_own_token(
    registration: Registration, metadata: Metadata
) -> None:
    """An empty POST with the session's token is enough: no secret, no parameter."""
    with session_of(registration) as session:
        session.fetch_token(metadata["token_endpoint"], client_secret=registration.secret)
        assert 200 == session.post(metadata["revocation_endpoint"]).status_code
        assert 401 == session.get(registration.url("/demo/read")).status_code


@pytest.mark.parametrize("include_client_id", [None, True])
def test_requests_oauthlib_with_auth_object_gets_all_scopes(
    registration: Registration, metadata: Metadata, include_client_id: bool | None
) -> None:
    """The documented `auth=HTTPBasicAuth(...)` works, also with the id said again."""
    mine = HTTPBasicAuth(registration.client_id, registration.secret)
    with session_of(registration) as session:
        token = session.fetch_token(
            metadata["token_endpoint"], auth=mine, include_client_id=include_client_id
        )
    assert SCOPES.split() == token["scope"]


def test_requests_oauthlib_picks_a_resource(registration: Registration, metadata: Metadata) -> None:
    """`resource` goes through, and PyJWT with the published keys takes the token there only."""
    with session_of(registration) as session:
        token = session.fetch_token(
            metadata["token_endpoint"], client_secret=registration.secret, resource=RESOURCES[1]
        )["access_token"]
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)

    def claims_at(resource: str) -> dict[str, Any]:
        issuer = metadata["issuer"]
        return jwt.decode(token, key, algorithms=["ES256"], audience=resource, issuer=issuer)

    assert registration.client_id == claims_at(RESOURCES[1])["client_id"]
    with pytest.raises(jwt.InvalidAudienceError):
        claims_at(RESOURCES[0])


@pytest.mark.parametrize("how", BASIC_OR_POST)
def test_requests_oauthlib_raises_its_own_errors(
    registration: Registration, metadata: Metadata, how: dict[str, bool]
) -> None:
    """Refusals arrive as the class that oauthlib has for the code, with our description."""
    for secret, scope, class_, (error, description) in [
        ("wrong", None, InvalidClientError, WRONG_SECRET),
        (registration.secret, "demo:admin", InvalidScopeError, FOREIGN_SCOPE),
    ]:
        with session_of(registration, scope) as session, pytest.raises(class_) as raised:
            session.fetch_token(metadata["token_endpoint"], client_secret=secret, **how)
        assert (error, description) == (raised.value.error, raised.value.description)
