"""scripts/client: how a client authenticates, and what its tokens are bound to."""

import json
from pathlib import Path
from typing import Any

import pytest

import redis
from app.clients import Client
from app.key_sets import read_key_set
from tests.identities import Identity, identity, key_set, new_key, public_jwk
from tests.scripts.ops import Ops
from tests.scripts.test_lua import run

KEYS = key_set(public_jwk(new_key(), kid="k1"))
METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
SUBJECTS = [
    ("subject-dn", 'CN=a\\, "b",O=Ä,C=DE'),
    ("san-dns", "billing.example"),
    ("san-uri", "urn:acme:billing"),
    ("san-ip", "192.0.2.7"),
    ("san-email", "billing@acme.example"),
]


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(json.loads(KEYS), indent=2))
    return str(path)


def read(ops: Ops) -> Client:
    """The client as the app reads it."""
    return Client.from_fields("orders", ops.client())


def test_create_with_a_key_makes_no_secret(ops: Ops, jwks: str) -> None:
    """There is nothing to show, and nothing to log in with but the key."""
    made = ops.create("orders", "a", "--auth-method", "private_key_jwt", "--jwks", jwks)
    assert (None, None) == (made["client_secret"], made["secret_id"])
    found = read(ops)
    assert ("private_key_jwt", ()) == (found.method.name, found.secrets)
    assert json.loads(KEYS) == json.loads(found.method.jwks)


def test_create_for_a_person_says_that_there_is_no_secret(ops: Ops, jwks: str) -> None:
    """Instead of showing one."""
    words = ("--auth-method", "private_key_jwt", "--jwks", jwks)
    shown = ops.done("client", "create", "orders", "--scopes", "a", *words)
    assert "client_secret" not in shown
    assert "private_key_jwt" in shown


@pytest.mark.parametrize(("kind", "name"), SUBJECTS)
def test_client_is_known_by_one_name_of_its_certificate(ops: Ops, kind: str, name: str) -> None:
    """Setting another takes the one before away."""
    ops.create("orders", "a", "--auth-method", "tls_client_auth", "--tls-san-dns", "old.example")
    ops.done("client", "set", "orders", f"--tls-{kind}", name)
    assert (kind.replace("-", "_"), name) == read(ops).method.subject


def test_certificate_file_is_registered_by_itself(ops: Ops, tmp_path: Path) -> None:
    """The app finds the very certificate in the key set that the script makes of the file."""
    mine: Identity = identity()
    certificate, _ = mine.write(tmp_path, "mine")
    words = ("--auth-method", "self_signed_tls_client_auth", "--certificate", certificate)
    ops.create("orders", "a", *words)
    assert {mine.thumbprint} == read_key_set(read(ops).method.jwks).certificates


def test_place_of_the_keys_and_the_keys_exclude_each_other(ops: Ops, jwks: str) -> None:
    """The later one takes the place of the one before."""
    ops.create("orders", "a", "--auth-method", "private_key_jwt", "--jwks", jwks)
    ops.done("client", "set", "orders", "--jwks-uri", "https://keys.example/orders")
    method = read(ops).method
    assert ("", "https://keys.example/orders") == (method.jwks, method.jwks_uri)


def test_set_with_a_key_removes_the_secrets(ops: Ops, jwks: str) -> None:
    """And rotate refuses to make a new one, until the client is back at a secret."""
    ops.create()
    ops.done("client", "set", "orders", "--auth-method", "private_key_jwt", "--jwks", jwks)
    assert [] == ops.secrets()
    assert "without a secret" in ops.refusal("client", "rotate", "orders")
    ops.done("client", "set", "orders", "--auth-method", "secret")
    assert "" == read(ops).method.name
    assert ops.json("client", "rotate", "orders")["client_secret"]


def test_tokens_are_bound_and_unbound(ops: Ops) -> None:
    """A client with a secret may have bound tokens."""
    ops.create("orders", "a", "--certificate-bound", "true")
    assert read(ops).is_certificate_bound
    assert 1 == len(ops.secrets())
    ops.done("client", "set", "orders", "--certificate-bound", "false")
    assert not read(ops).is_certificate_bound


def test_show_tells_how_a_client_authenticates(ops: Ops, jwks: str) -> None:
    """For a person and for a program; other clients' documents are as they were."""
    ops.create()
    assert "token_endpoint_auth_method" not in ops.json("client", "show", "orders")
    words = ("--auth-method", "private_key_jwt", "--jwks", jwks, "--certificate-bound", "true")
    document = ops.json("client", "set", "orders", *words)
    told = ops.json("client", "show", "orders")
    assert document.items() <= told.items()
    assert json.loads(KEYS) == json.loads(told["jwks"])
    shown = ops.done("client", "show", "orders")
    assert "private_key_jwt" in shown
    assert "tls_client_certificate_bound_access_tokens" in shown


def test_show_tells_when_a_client_without_a_secret_last_minted(ops: Ops, jwks: str) -> None:
    """As it does of secrets: otherwise nobody knew whether a key is still in use."""
    ops.create("orders", "a", "--auth-method", "private_key_jwt", "--jwks", jwks)
    assert ops.json("client", "show", "orders")["last_used_s"] is None
    ops.redis.hset("used:orders", "private_key_jwt", "1795230000")
    assert 1795230000 == ops.json("client", "show", "orders")["last_used_s"]
    assert "2026-11-21T" in ops.done("client", "show", "orders")


def test_change_is_recorded_by_name_and_what_is_so_is_not(ops: Ops, jwks: str) -> None:
    """The trail says what has changed, and into what, when something has; keys are too long."""
    ops.create()
    words = ("client", "set", "orders", "--auth-method", "private_key_jwt", "--jwks", jwks)
    updated = []
    for _ in range(2):
        ops.done(*words)
        updated.append(ops.client()["updated_at"])
    assert updated[0] == updated[1]
    ops.done("client", "set", "orders", "--auth-method", "secret", "--certificate-bound", "true")
    entries = [one["detail"] for one in ops.audit() if one["event"] == "client_set"]
    assert [
        "jwks, token_endpoint_auth_method private_key_jwt",
        "tls_client_certificate_bound_access_tokens true, token_endpoint_auth_method removed",
    ] == entries


PRIVATE = json.dumps({"keys": [{**public_jwk(new_key()), "d": "AAAA"}]})


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ((), "", "say what to set"),
        (("--auth-method", "none"), "", "not one that is known"),
        (("--auth-method", "client_secret_jwt"), "", "not one that is known"),
        (("--auth-method", "private_key_jwt"), "", "needs jwks or jwks_uri"),
        (("--auth-method", "self_signed_tls_client_auth"), "", "needs jwks or jwks_uri"),
        (("--auth-method", "tls_client_auth"), "", "needs one name"),
        (("--jwks", "FILE", "--jwks-uri", "https://k"), KEYS, "exclude each other"),
        (("--tls-san-dns", "a", "--tls-san-uri", "b"), "", "exclude each other"),
        (("--jwks", "/nowhere"), "", "cannot read"),
        (("--jwks", "FILE"), "", "is empty"),
        (("--jwks", "FILE"), "{", "not a JWK set"),
        (("--jwks", "FILE"), '{"keys": []}', "not a JWK set"),
        (("--jwks", "FILE"), '{"keys": [{}]}', "without a kty"),
        (("--jwks", "FILE"), PRIVATE, "private"),
        (("--jwks", "FILE"), '{"keys": [{"kty": "oct", "k": "AA"}]}', "shared"),
        (("--jwks", "FILE"), "ä", "printable ASCII"),
        (("--jwks", "FILE"), "x" * 20_000, "longer than"),
        (("--jwks-uri", "ftp://keys.example/"), "", "not an http"),
        (("--jwks-uri", "https://user@keys.example/"), "", "not an http"),
        (("--jwks-uri", ""), "", "is empty"),
        (("--certificate", "FILE"), "junk", "not a certificate"),
        (("--certificate-bound", "yes"), "", "true or false"),
        (("--tls-subject-dn", "a\tb"), "", "control characters"),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_refused(
    ops: Ops, tmp_path: Path, words: tuple[str, ...], text: str, expected: str
) -> None:
    """One line, exit 2, and nothing has changed."""
    path = tmp_path / "file"
    path.write_text(text)
    given = [str(path) if word == "FILE" else word for word in words]
    ops.redis.hset("client:orders", "status", "active")
    assert expected in ops.refusal("client", "set", "orders", *given)


@pytest.mark.parametrize(
    "words", [("--auth-method", "private_key_jwt"), ("--auth-method", "none"), ("--jwks-uri", "x")]
)
def test_client_that_cannot_be_made_so_is_not_left_behind(ops: Ops, words: tuple[str, ...]) -> None:
    """It is registered as a whole, or not at all."""
    ops.refusal("client", "create", "new", "--scopes", "a", *words)


def test_unknown_client_is_refused(ops: Ops) -> None:
    """As by every verb."""
    line = ops.refusal("client", "set", "nobody", "--certificate-bound", "true")
    assert "no client nobody" in line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["1795230000"],
        ["1795230000", "jwks"],
        ["now", "jwks", ""],
        ["1795230000", "status", "disabled"],
        ["1795230000", "secrets", "[]"],
        ["1795230000", "jwks_uri", "", "jwks_uri", "https://k"],
        ["1795230000", "tls_client_certificate_bound_access_tokens", "1"],
        ["1795230000", "tls_client_auth_san_dns", "a\nb"],
    ],
)
def test_script_of_redis_refuses_what_it_cannot_store(ops: Ops, arguments: list[str]) -> None:
    """INVALID, before it writes."""
    ops.create()
    before: Any = ops.state()
    with pytest.raises(redis.ResponseError, match=r"^INVALID"):
        run(ops, "client_authentication", "client:orders", *arguments)
    assert before == ops.state()
