"""RFC 8414 and RFC 7517: what other programs read of this server, and that it is true."""

from pathlib import Path
from typing import Any

import fakeredis
import jwt
import pytest

from app import tokens
from tests.forgery import NOW
from tests.service import DATASET, ISSUER, Service, add_key, basic, build_service

METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/.well-known/jwks.json"


def test_s2_metadata_names_what_is_served(service: Service) -> None:
    """Exactly these members: nothing is listed that does not work."""
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    algorithms = ["ES256", "ES384", "EdDSA", "PS256", "RS256"]
    expected = {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}{JWKS}",
        "revocation_endpoint": f"{ISSUER}/revoke",
        "introspection_endpoint": f"{ISSUER}/introspect",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"],
    }
    answer = service.http.simulate_get(METADATA)
    assert (200, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    assert expected == answer.json


def test_s2_listed_endpoints_answer(service: Service) -> None:
    """Each URL of the document leads to something that is served."""
    document = service.http.simulate_get(METADATA).json
    for name, url in document.items():
        if name.endswith("_endpoint"):
            path = url.removeprefix(ISSUER)
            fields = {"grant_type": "client_credentials", "token": "x"}
            assert 200 == service.form(path, fields, basic()).status_code
    assert 200 == service.http.simulate_get(document["jwks_uri"].removeprefix(ISSUER)).status_code


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080", "https://a.example/tenant"])
def test_s3_3_issuer_is_that_of_the_tokens_to_the_byte(keys_dir: Path, issuer: str) -> None:
    """What is configured stands unchanged in the document and in `iss`."""
    service = build_service(fakeredis.FakeRedis(decode_responses=True), keys_dir, issuer=issuer)
    service.add_client()
    token = service.mint()
    service.close()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert [issuer, issuer] == [service.http.simulate_get(METADATA).json["issuer"], claims["iss"]]


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_token_verifies_with_the_published_key(
    keys_dir: Path, redis_server: fakeredis.FakeServer, alg: str
) -> None:
    """A resource server needs the JWK set and nothing else (RFC 9068 §4)."""
    add_key(keys_dir, "k1", alg)
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    service = build_service(connection, keys_dir)
    service.add_client()
    token = service.mint()
    service.close()
    keys = jwt.PyJWKSet.from_dict(service.http.simulate_get(JWKS).json)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    # The service's clock is ahead of PyJWT's, which has no other than the true one.
    options: Any = {"verify_iat": False}
    claims = jwt.decode(
        token, key, algorithms=[alg], audience=ISSUER, issuer=ISSUER, options=options
    )
    assert "demo" == claims["sub"]


def test_rotation_publishes_signs_and_retires_in_turn(keys_dir: Path) -> None:
    """At each moment the set has every key that some live token may need, and no other."""
    add_key(keys_dir, "old", "ES256", 0)
    add_key(keys_dir, "shared", "HS256", NOW + 100)
    add_key(keys_dir, "new", "EdDSA", NOW + 200)
    service = build_service(fakeredis.FakeRedis(decode_responses=True), keys_dir)
    service.add_client()
    seen = []
    for service.clock.now in (NOW, NOW + 100, NOW + 200, NOW + 100 + 86_460):
        kid = jwt.get_unverified_header(service.mint())["kid"]
        keys = service.http.simulate_get(JWKS).json["keys"]
        seen.append((kid, [key["kid"] for key in keys]))
    service.close()
    assert [
        ("old", ["old", "new"]),
        ("shared", ["old", "new"]),
        ("new", ["old", "new"]),
        ("new", ["new"]),
    ] == seen


def test_tokens_of_an_overlapped_key_pass_until_they_expire(keys_dir: Path) -> None:
    """A rotation breaks no token."""
    add_key(keys_dir, "old", "ES256", 0)
    add_key(keys_dir, "new", "RS256", NOW + 10)
    service = build_service(fakeredis.FakeRedis(decode_responses=True), keys_dir)
    service.add_client(ttl_s="86400")
    service.clock.now = NOW + 9
    token = service.mint()
    reasons = []
    for service.clock.now in (NOW + 10, NOW + 86_408, NOW + 86_409):
        reasons.append(service.reason(token))
    service.close()
    assert ["ok", "ok", "expired"] == reasons


@pytest.mark.parametrize("path", [METADATA, JWKS])
def test_documents_are_for_get_and_may_be_kept_a_while(service: Service, path: str) -> None:
    """Shorter than a new key waits before it signs, so no verifier is ever surprised."""
    answer = service.http.simulate_get(path)
    assert "max-age=300" == answer.headers["Cache-Control"]
    assert 405 == service.http.simulate_post(path).status_code


def test_unknown_path_is_told_in_the_rfcs_form(service: Service) -> None:
    """404 with the JSON of every other error."""
    for path in ("/", "/token/", "/tokens", "/.well-known/", "/authorize"):
        answer = service.http.simulate_get(path)
        assert (404, "invalid_request") == (answer.status_code, answer.json["error"])


def test_signing_waits_for_no_clock_but_its_own(service: Service) -> None:
    """A token that was issued at the service's time is verified at the service's time."""
    key = service.keys.current().signer(NOW)
    token = tokens.issue(
        key,
        issuer=ISSUER,
        client_id="demo",
        audience=ISSUER,
        scope="",
        jti=f"{DATASET}.x",
        iat=NOW,
        exp=NOW + 1,
    )
    assert "ok" == service.reason(token)
    service.clock.now += 1
    assert "expired" == service.reason(token)
