"""Clients that authenticate with a key of their own (RFC 7523), and whoever pretends to be one."""

import hmac
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from falcon.testing import Result
from jwt.algorithms import get_default_algorithms

from app.wrong_secrets import MOST
from tests.forgery import encode
from tests.identities import PrivateKey, key_set, new_key, private_jwk, public_jwk
from tests.service import ISSUER, SECRET, Service, basic, build_service

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MINE, OTHER = new_key(), new_key()
ENDPOINTS = ("/token", "/ott", "/revoke", "/introspect")
KEYED = {
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": key_set(public_jwk(MINE, kid="k1")),
}


@pytest.fixture
def service(service: Service) -> Service:
    """`keyed` has a key, and a secret in its record that must count for nothing."""
    service.add_client("keyed", **KEYED)
    return service


def claims(service: Service, **changes: object) -> dict[str, object]:
    """The claims of a good assertion; a change to `...` leaves the claim out."""
    good: dict[str, object] = {
        "iss": "keyed",
        "sub": "keyed",
        "aud": ISSUER,
        "iat": int(service.clock.now),
        "exp": int(service.clock.now) + 60,
        "jti": secrets.token_hex(8),
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def assertion(
    service: Service,
    key: PrivateKey = MINE,
    alg: str = "ES256",
    header: dict[str, object] | None = None,
    **changes: object,
) -> str:
    """Sign an assertion. The header may lie; the signature is made by `key` with `alg`."""
    said = {"alg": alg, "kid": "k1", **(header or {})}
    signed = f"{encode({k: v for k, v in said.items() if v is not ...})}"
    signed += f".{encode(claims(service, **changes))}"
    signature = get_default_algorithms()[alg].sign(signed.encode(), key)
    return f"{signed}.{encode(signature)}"


def ask(service: Service, text: str, path: str = "/token", **fields: str) -> Result:
    """POST with an assertion, with all that any of the endpoints needs."""
    sent = {
        "grant_type": "client_credentials",
        "token": "x",
        "client_assertion_type": TYPE,
        "client_assertion": text,
    }
    return service.form(path, {**sent, **fields})


def outcome(answer: Result) -> tuple[int, str]:
    return answer.status_code, answer.json["error"] if answer.status_code >= 400 else "ok"


REFUSED = (401, "invalid_client")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_assertion_is_taken_wherever_clients_authenticate(service: Service, path: str) -> None:
    """With and without client_id beside it; as a form and as JSON."""
    assert 200 == ask(service, assertion(service), path).status_code
    assert 200 == ask(service, assertion(service), path, client_id="keyed").status_code
    document = {
        "grant_type": "client_credentials",
        "token": "x",
        "client_assertion_type": TYPE,
        "client_assertion": assertion(service),
    }
    answer = service.http.simulate_post(path, json=document)
    assert 200 == answer.status_code


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "PS256", "RS256"])
def test_each_algorithm_works_with_its_kind_of_key(service: Service, alg: str) -> None:
    """With the algorithm named in the JWK, and without."""
    key = new_key(alg)
    for members in ({"kid": "k1", "alg": alg, "use": "sig"}, {}):
        service.add_client("keyed", **{**KEYED, "jwks": key_set(public_jwk(key, alg, **members))})
        assert 200 == ask(service, assertion(service, key, alg)).status_code


@pytest.mark.parametrize(
    "aud",
    [
        *(ISSUER, f"{ISSUER}/token", f"{ISSUER}/ott", [ISSUER], [ISSUER, f"{ISSUER}/token"]),
    ],
    ids=str,
)
def test_audience_is_the_issuer_or_a_token_endpoint(service: Service, aud: object) -> None:
    """As RFC 7523 §3 and its successor have it."""
    assert 200 == ask(service, assertion(service, aud=aud)).status_code


def test_mint_notes_the_method_and_not_a_secret(service: Service) -> None:
    """Ops see when the client's key was last used."""
    ask(service, assertion(service))
    service.journal.flush()
    assert ["private_key_jwt"] == list(service.redis.hgetall("used:keyed"))


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": ...},
    {"sub": ...},
    {"iss": "demo"},
    {"sub": "demo"},
    {"iss": "demo", "sub": "demo"},
    {"iss": ["keyed"]},
    {"aud": ...},
    {"aud": ""},
    {"aud": []},
    {"aud": "https://elsewhere.example"},
    {"aud": f"{ISSUER}/"},
    {"aud": f"{ISSUER}/introspect"},
    {"aud": [ISSUER, "https://elsewhere.example"]},
    {"aud": {ISSUER: 1}},
    {"aud": 1},
    {"exp": ...},
    {"exp": "4000000060"},
    {"exp": None},
    {"exp": True},
    {"exp": 1e300},
    {"nbf": 4_000_000_061},
    {"nbf": "soon"},
    {"iat": 4_000_000_061},
    {"jti": ...},
    {"jti": ""},
    {"jti": 7},
    {"jti": "x" * 257},
]


@pytest.mark.parametrize("changes", WRONG_CLAIMS, ids=str)
def test_assertion_with_wrong_claims_is_refused(service: Service, changes: dict[str, Any]) -> None:
    """One answer for all, and nothing of it is remembered."""
    assert REFUSED == outcome(ask(service, assertion(service, **changes)))
    assert [] == service.redis.keys("assertion:*")


@pytest.mark.parametrize(
    ("exp_s", "expected"),
    [(-1, REFUSED), (0, REFUSED), (1, (200, "ok")), (3660, (200, "ok")), (3661, REFUSED)],
)
def test_assertion_is_good_for_a_bounded_time(
    service: Service, exp_s: int, expected: tuple[int, str]
) -> None:
    """At `exp` itself it is too late; more than an hour ahead is too long."""
    text = assertion(service, exp=int(service.clock.now) + exp_s)
    assert expected == outcome(ask(service, text))


def test_assertion_works_once(service: Service) -> None:
    """On all endpoints together: whoever has seen it cannot use it."""
    text = assertion(service)
    assert 200 == ask(service, text, "/introspect").status_code
    assert [REFUSED] * 4 == [outcome(ask(service, text, path)) for path in ENDPOINTS]


def test_jti_is_remembered_until_its_assertion_is_dead(service: Service) -> None:
    """With a TTL, and for the client that used it: another may have the same."""
    assert 200 == ask(service, assertion(service, jti="same")).status_code
    assert REFUSED == outcome(ask(service, assertion(service, jti="same")))
    (key,) = service.redis.keys("assertion:*")
    assert 60 <= service.redis.ttl(key) <= 120
    service.add_client("second", **{**KEYED, "jwks": key_set(public_jwk(OTHER, kid="k1"))})
    theirs = assertion(service, OTHER, iss="second", sub="second", jti="same")
    assert 200 == ask(service, theirs).status_code


def test_refused_assertion_may_still_be_used(service: Service) -> None:
    """What is refused for another reason is not remembered."""
    text = assertion(service)
    assert 200 != ask(service, text[:-4] + "AAAA").status_code
    assert 200 == ask(service, text).status_code


def hmac_of_public_key(service: Service) -> str:
    """The oldest trick: HS256 with the public key's text for a secret (RFC 8725 §2.1)."""
    signed = f"{encode({'alg': 'HS256', 'kid': 'k1'})}.{encode(claims(service))}"
    signature = hmac.digest(KEYED["jwks"].encode(), signed.encode(), "sha256")
    return f"{signed}.{encode(signature)}"


def unsigned(service: Service) -> str:
    return f"{encode({'alg': 'none', 'kid': 'k1'})}.{encode(claims(service))}."


def unsigned_with_something(service: Service) -> str:
    return unsigned(service) + "AAAA"


def without_signature(service: Service) -> str:
    return assertion(service).rpartition(".")[0] + "."


def with_a_curve_of_its_own(service: Service) -> str:
    return assertion(service, new_key("ES384"), "ES384")


FORGED: list[Callable[[Service], str]] = [
    hmac_of_public_key,
    unsigned,
    unsigned_with_something,
    without_signature,
    with_a_curve_of_its_own,
    lambda service: assertion(service, OTHER),
    lambda service: assertion(service, OTHER, header={"kid": ...}),
    lambda service: assertion(service, header={"kid": "k2"}),
    lambda service: assertion(service, header={"alg": "ES384"}),
    lambda service: assertion(service, header={"alg": "none"}),
    lambda service: assertion(service, header={"alg": "HS256"}),
    lambda service: assertion(service, header={"alg": ["ES256"]}),
    lambda service: assertion(service, header={"typ": "at+jwt"}),
    lambda service: assertion(service, header={"typ": "dpop+jwt"}),
    lambda service: assertion(service, header={"typ": 1}),
    lambda service: assertion(service, header={"crit": ["exp"]}),
    lambda service: assertion(service, header={"b64": False, "crit": ["b64"]}),
    lambda service: assertion(service, header={"b64": True, "crit": ["b64"]}),
    lambda service: assertion(
        service, OTHER, header={"kid": ..., "jwk": public_jwk(OTHER), "jku": "https://evil"}
    ),
    lambda service: assertion(service) + ".x",
    *(lambda _, text=text: text for text in ("x.y.z", "...", "x")),
]


@pytest.mark.parametrize("forge", FORGED)
def test_forged_assertion_is_refused(service: Service, forge: Callable[[Service], str]) -> None:
    """Other key, other algorithm, no signature, a JWT of another kind, none at all."""
    assert REFUSED == outcome(ask(service, forge(service)))


def test_key_counts_only_with_its_own_algorithms(service: Service) -> None:
    """A key that says RS256 of itself signs nothing with PS256."""
    key = new_key("RS256")
    registered = key_set(public_jwk(key, "RS256", kid="k1", alg="RS256"))
    service.add_client("keyed", **{**KEYED, "jwks": registered})
    assert REFUSED == outcome(ask(service, assertion(service, key, "PS256")))
    assert 200 == ask(service, assertion(service, key, "RS256")).status_code


def test_client_id_of_another_beside_an_assertion_is_refused(service: Service) -> None:
    """RFC 7521 §4.2: it must identify the same client."""
    assert REFUSED == outcome(ask(service, assertion(service), client_id="demo"))


def test_client_with_a_key_cannot_use_a_secret(service: Service) -> None:
    """Not even a right one that was left in its record."""
    for path in ENDPOINTS:
        assert REFUSED == outcome(
            service.asked_by(path, "keyed", grant_type="client_credentials", token="x")
        )
        answer = service.form(path, {"grant_type": "client_credentials"}, basic("keyed"))
        assert REFUSED == outcome(answer)


def test_client_with_a_secret_cannot_use_a_key(service: Service) -> None:
    """Even if its record has one: the record names the method, or it is the secret."""
    service.redis.hdel("client:keyed", "token_endpoint_auth_method")
    assert REFUSED == outcome(ask(service, assertion(service)))


@pytest.mark.parametrize("state", [{"status": "disabled"}, None])
def test_client_that_is_disabled_or_gone_is_refused(
    service: Service, state: dict[str, str] | None
) -> None:
    """Its key is of no use then."""
    if state:
        service.add_client("keyed", **{**KEYED, **state})
    else:
        service.redis.delete("client:keyed")
    assert REFUSED == outcome(ask(service, assertion(service)))


@pytest.mark.parametrize(
    ("fields", "headers", "expected"),
    [
        ({"client_secret": SECRET}, {}, (400, "invalid_request")),
        ({}, basic("keyed"), (400, "invalid_request")),
        ({"client_assertion_type": ""}, {}, (400, "invalid_request")),
        ({"client_assertion": ""}, {}, (400, "invalid_request")),
        ({"client_assertion_type": "urn:x"}, {}, REFUSED),
        ({"client_assertion_type": TYPE.replace("jwt", "saml2")}, {}, REFUSED),
    ],
    ids=str,
)
def test_assertion_comes_alone_and_whole(
    service: Service, fields: dict[str, str], headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Two methods at once, or half of one, are refused (RFC 6749 §2.3)."""
    sent = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": assertion(service),
    }
    assert expected == outcome(service.form("/token", {**sent, **fields}, headers))


def test_assertion_in_the_address_is_refused(service: Service) -> None:
    """It would stand in logs."""
    answer = service.form(f"/token?client_assertion={assertion(service)}", {})
    assert (400, "invalid_request") == outcome(answer)


JWKS: list[Any] = [
    pytest.param("", id="empty"),
    pytest.param("{", id="no JSON"),
    pytest.param("[]", id="no set"),
    pytest.param('{"keys": [1]}', id="no keys"),
    pytest.param('{"keys": []}', id="no key"),
    pytest.param("[" * 5000, id="deep"),
    pytest.param(key_set({**private_jwk(MINE), "kid": "k1"}), id="private"),
    pytest.param(key_set({"kty": "oct", "k": "AAAA", "kid": "k1"}), id="shared"),
    pytest.param(key_set(public_jwk(MINE, kid="k1", use="enc")), id="for encryption"),
    pytest.param(key_set(public_jwk(MINE, kid="k1", key_ops=["sign"])), id="not for verifying"),
    pytest.param(key_set(public_jwk(MINE, kid="k1", alg="HS256")), id="of another algorithm"),
    pytest.param(key_set(public_jwk(MINE, kid="k1", x="AAAA")), id="off its curve"),
    pytest.param(key_set(*[public_jwk(MINE, kid="k1")] * 21), id="too many"),
]


@pytest.mark.parametrize("jwks", JWKS)
def test_client_whose_keys_cannot_be_used_is_refused(service: Service, jwks: str) -> None:
    """A private key in a record is somebody's mistake: it opens no door."""
    service.add_client("keyed", **{**KEYED, "jwks": jwks})
    assert ask(service, assertion(service)).status_code in {401, 503}


def test_short_rsa_key_is_left_out(service: Service) -> None:
    """RFC 7518 §3.3: 2048 bits or more."""
    short = rsa.generate_private_key(65537, 1024)
    service.add_client("keyed", **{**KEYED, "jwks": key_set(public_jwk(short, "RS256"))})
    assert REFUSED == outcome(ask(service, assertion(service, short, "RS256")))


def test_reason_is_for_the_log_alone(service: Service) -> None:
    """Whoever looks why a client cannot log in finds it; the client is told the same as ever."""
    answer = ask(service, assertion(service, aud="https://elsewhere.example"))
    assert "client authentication failed" == answer.json["error_description"]
    service.refused.flush()
    entries: Any = service.redis.xrange("refusals")
    assert ["aud of the assertion is not this server alone"] == [
        one["detail"] for _, one in entries
    ]


def test_wrong_assertions_are_slowed_like_wrong_secrets(service: Service) -> None:
    """So many a minute from one address."""
    statuses = [ask(service, assertion(service, OTHER)).status_code for _ in range(MOST + 1)]
    assert [401] * MOST + [429] == statuses
    assert 200 == ask(service, assertion(service)).status_code


def test_alias_of_the_token_endpoint_is_an_audience(service: Service, keys_dir: Path) -> None:
    """Where clients are asked for a certificate, the endpoints have a second name."""
    mtls = "https://mtls.auth.example"
    connection: Any = fakeredis.FakeRedis(decode_responses=True)
    other = build_service(connection, keys_dir, mtls_url=mtls)
    other.add_client("keyed", **KEYED)
    assert 200 == ask(other, assertion(other, aud=f"{mtls}/token")).status_code
    assert REFUSED == outcome(ask(service, assertion(service, aud=f"{mtls}/token")))
    other.close()


def test_metadata_lists_the_method_and_its_algorithms(service: Service) -> None:
    """RFC 8414 §2: asymmetric ones alone."""
    document = service.http.simulate_get("/.well-known/oauth-authorization-server").json
    for name in ("token", "revocation", "introspection"):
        assert "private_key_jwt" in document[f"{name}_endpoint_auth_methods_supported"]
        algorithms = document[f"{name}_endpoint_auth_signing_alg_values_supported"]
        assert ["ES256", "ES384", "EdDSA", "PS256", "RS256"] == algorithms
    assert "tls_client" not in json.dumps(document)
