"""The public listener on the real stack: each endpoint, its status, headers and body."""

import base64
import json
import subprocess
import urllib.parse
from typing import Any

import pytest

from tests.e2e.mixed_load import read
from tests.stack import Stack
from tests.wire import Answer, ask, form, request

GRANT = {"grant_type": "client_credentials"}
JSON = {"Content-Type": "application/json"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic (RFC 6749 §2.3.1)."""
    pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(secret)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def credentials(stack: Stack) -> dict[str, str]:
    client_id, secret = stack.demo
    return {"client_id": client_id, "client_secret": secret}


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and OAuth error code, after a look at the shape that every error has."""
    body = answer.json()
    assert {"error", "error_description"} == set(body)
    assert "no-store" == answer.header("Cache-Control")
    assert "application/json" == answer.header("Content-Type")
    return answer.status, body["error"]


@pytest.mark.parametrize("path", ["/token", "/ott"])
def test_mint_answers_as_the_rfc_says(stack: Stack, path: str) -> None:
    """RFC 6749 §5.1: the four members, and headers that forbid storing."""
    answer = stack.form(path, GRANT, basic(*stack.demo))
    body = answer.json()
    assert 200 == answer.status
    assert {"access_token", "token_type", "expires_in", "scope"} == set(body)
    assert ("Bearer", 3600, "demo:read demo:write") == (
        body["token_type"],
        body["expires_in"],
        body["scope"],
    )
    assert ("no-store", "no-cache") == (answer.header("Cache-Control"), answer.header("Pragma"))
    assert "application/json" == answer.header("Content-Type")


@pytest.mark.parametrize(("path", "is_once"), [("/token", None), ("/ott", True)])
def test_token_is_an_rfc_9068_access_token(stack: Stack, path: str, is_once: bool | None) -> None:
    """Header and claims are those of RFC 9068 §2; only a one-time token says `once`."""
    header, payload, _ = stack.mint(path=path, scope="demo:read").split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload)]
    head, claims = decoded
    assert ("at+jwt", "ES256") == (head["typ"], head["alg"])
    assert {"typ", "alg", "kid"} == set(head)
    names = {"iss", "sub", "client_id", "aud", "iat", "exp", "jti", "scope"}
    assert names | ({"once"} if is_once else set()) == set(claims)
    assert (stack.url, "demo", "demo", stack.url) == (
        claims["iss"],
        claims["sub"],
        claims["client_id"],
        claims["aud"],
    )
    assert ("demo:read", 3600, is_once) == (
        claims["scope"],
        claims["exp"] - claims["iat"],
        claims.get("once"),
    )


def test_json_body_mints_as_a_form_does(stack: Stack) -> None:
    """/token takes application/json with the same member names."""
    body = json.dumps({**GRANT, **credentials(stack), "scope": "demo:write"}).encode()
    answer = stack.call("/token", method="POST", headers=JSON, body=body)
    assert (200, "demo:write") == (answer.status, answer.json()["scope"])


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"client_secret": "wrong"}, 401, "invalid_client"),
    ({"client_id": "nobody"}, 401, "invalid_client"),
    ({"client_secret": ""}, 401, "invalid_client"),
    ({"scope": "demo:read admin"}, 400, "invalid_scope"),
    ({"scope": "\"'"}, 400, "invalid_scope"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": ""}, 400, "invalid_request"),
    ({"scope": ["demo:read", "demo:write"]}, 400, "invalid_request"),
    ({"resource": "https://elsewhere.example"}, 400, "invalid_target"),
]


@pytest.mark.parametrize(("fields", "status", "error"), REFUSED)
def test_refused_mint_names_its_error(
    stack: Stack, fields: dict[str, Any], status: int, error: str
) -> None:
    """RFC 6749 §5.2, RFC 8707 §2: each mistake has its own code."""
    asked = {**GRANT, **credentials(stack), **fields}
    assert (status, error) == error_of(stack.form("/token", asked))


MALFORMED = [
    (request("POST", "/token", {"Content-Type": "text/plain"}, b"grant_type=x"), 400),
    (request("POST", "/token", JSON, b'{"grant_type":'), 400),
    (form("/token", "a=" + "b" * 16_000), 401),
    (form("/token", "a=" + "b" * 20_000), 413),
    (form("/token", "a=" + "b" * 2_000_000), 413),
]


@pytest.mark.parametrize(("data", "status"), MALFORMED)
def test_malformed_mint_is_an_invalid_request(stack: Stack, data: bytes, status: int) -> None:
    """Wrong type, broken JSON, a body over 16 KiB: RFC errors, by nginx or by the app alike."""
    found = error_of(ask(stack.address, data))
    assert (status, "invalid_client" if status == 401 else "invalid_request") == found


def test_two_ways_to_authenticate_at_once_are_refused(stack: Stack) -> None:
    """RFC 6749 §2.3: one method per request."""
    answer = stack.form("/token", {**GRANT, **credentials(stack)}, basic(*stack.demo))
    assert (400, "invalid_request") == error_of(answer)


def test_failed_basic_authentication_is_challenged(stack: Stack) -> None:
    """RFC 6749 §5.2: the scheme that was used is in WWW-Authenticate."""
    answer = stack.form("/token", GRANT, basic("demo", "wrong"))
    assert (401, "invalid_client") == error_of(answer)
    assert str(answer.header("WWW-Authenticate")).startswith("Basic realm=")


@pytest.mark.parametrize("path", ["/token", "/ott", "/revoke", "/introspect"])
def test_other_methods_are_not_allowed(stack: Stack, path: str) -> None:
    """The OAuth endpoints take POST only (RFC 6749 §3.2)."""
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        with stack.connect() as connection:
            connection.send(request(method, path))
            assert connection.socket.recv(12).endswith(b" 405"), method


def test_token_opens_what_its_scope_allows_and_nothing_else(stack: Stack) -> None:
    """The four demo locations ask for their own scope, or for any valid token."""
    token = stack.mint(scope="demo:read")
    calls = [
        ("GET", "/demo/read", 200),
        ("POST", "/demo/write", 403),
        ("GET", "/demo/any", 200),
        ("GET", "/demo/routed/read/deep", 200),
        ("POST", "/demo/routed/write", 403),
        ("POST", "/demo/routed/read", 403),
        ("GET", "/demo/routed/else", 403),
        ("GET", "/demo", 404),
    ]
    for method, path, status in calls:
        assert status == stack.call(path, token, method).status, (method, path)


def test_refusals_have_their_challenge_and_a_small_json_body(stack: Stack) -> None:
    """RFC 6750 §3: no code when nothing was sent, invalid_token, insufficient_scope with scope."""
    token = stack.mint(scope="demo:read")
    realm = 'Bearer realm="portcullis"'
    invalid = f'{realm}, error="invalid_token"'
    lacking = f'{realm}, error="insufficient_scope", scope="demo:write"'
    for sent, path, status, challenge in (
        (None, "/demo/read", 401, realm),
        (f"{token[:-4]}AAAA", "/demo/read", 401, invalid),
        (token, "/demo/write", 403, lacking),
    ):
        answer = stack.call(path, sent, "POST" if path == "/demo/write" else "GET")
        assert (status, challenge) == (answer.status, answer.header("WWW-Authenticate"))
        assert {"error", "error_description"} == set(answer.json())
        assert answer.header("Content-Type") == "application/json"


def test_revoke_is_silent_and_at_once(stack: Stack) -> None:
    """RFC 7009 §2.2: 200 without a body, for the unknown too; another client's token is refused."""
    other = stack.client_create("revoking", "demo:read")
    token, foreign = stack.mint(), stack.mint(other)
    for sent in (token, token, "no-token", f"{token}x"):
        answer = stack.asked_by(stack.demo, "/revoke", token=sent, token_type_hint="refresh_token")
        assert (200, b"") == (answer.status, answer.body)
    assert 401 == stack.call("/demo/any", token).status
    refused = stack.asked_by(stack.demo, "/revoke", token=foreign)
    assert (400, "unauthorized_client") == error_of(refused)
    assert 200 == stack.call("/demo/any", foreign).status
    assert 200 == stack.call("/revoke", foreign, "POST").status
    assert 401 == stack.call("/demo/any", foreign).status
    stack.script("client", "delete", "revoking", "--yes")


def test_introspection_tells_the_truth_and_spends_nothing(stack: Stack) -> None:
    """RFC 7662 §2.2: all members of a live token, only `active` of any other."""
    token = stack.mint(path="/ott", scope="demo:read")
    claims = read(token)
    for _ in range(2):
        found = stack.asked_by(stack.demo, "/introspect", token=token).json()
    assert found == {
        "active": True,
        "scope": "demo:read",
        "client_id": "demo",
        "sub": "demo",
        "aud": stack.url,
        "iss": stack.url,
        "iat": claims.exp - 3600,
        "exp": claims.exp,
        "jti": claims.jti,
        "token_type": "Bearer",
    }
    assert 200 == stack.call("/demo/read", token).status
    assert {"active": False} == stack.asked_by(stack.demo, "/introspect", token=token).json()


def test_foreign_tokens_are_shown_to_those_who_may_introspect(stack: Stack) -> None:
    """Other clients' tokens need the scope `introspect`; without it they look dead."""
    watcher = stack.client_create("watcher", "introspect")
    nosy = stack.client_create("nosy", "demo:read")
    token = stack.mint()
    assert stack.asked_by(watcher, "/introspect", token=token).json()["active"] is True
    assert {"active": False} == stack.asked_by(nosy, "/introspect", token=token).json()
    for name in ("watcher", "nosy"):
        stack.script("client", "delete", name, "--yes")


def test_printed_lines_work_as_pasted(stack: Stack) -> None:
    """What `make up` prints mints a token and calls a protected route."""
    lines = [line.strip() for line in stack.printed.splitlines() if "curl -s" in line]
    done = subprocess.run(
        ["sh", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=110, check=True
    )
    token, echo = done.stdout.splitlines()
    assert ("demo", "/demo/read") == (read(token).client_id, json.loads(echo)["path"])
