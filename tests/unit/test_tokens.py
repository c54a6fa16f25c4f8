"""Access tokens: what is written into them, and which rule refuses which token."""

import json
from typing import Any

import pytest

from app import errors, tokens
from app.errors import Refused
from app.keys import ALGORITHMS, Key, KeyRing
from app.tokens import Claims
from tests.forgery import GOOD_PAYLOAD, NOW, decode, good_header, good_payload, sign
from tests.service import DATASET, ISSUER


def issue(key: Key, **changes: Any) -> str:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "demo",
        "audience": ISSUER,
        "scope": "orders:read",
        "jti": f"{DATASET}.abc",
        "iat": NOW,
        "exp": NOW + 60,
    }
    return tokens.issue(key, **{**values, **changes})


def reason(ring: KeyRing, token: str, now: float = NOW, leeway_s: int = 0) -> str:
    with pytest.raises(Refused) as raised:
        tokens.verify(token, ring, issuer=ISSUER, now=now, leeway_s=leeway_s)
    return raised.value.reason


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_of_each_algorithm_verifies_as_it_was_issued(ring: KeyRing, alg: str) -> None:
    """What went in comes out, whichever algorithm signs."""
    token = issue(ring.find(alg.lower(), NOW), audience=["urn:a", "urn:b"], is_once=True)
    expected = Claims(
        client_id="demo",
        jti=f"{DATASET}.abc",
        scope="orders:read",
        audiences=("urn:a", "urn:b"),
        iat=NOW,
        exp=NOW + 60,
        is_once=True,
    )
    assert expected == tokens.verify(token, ring, issuer=ISSUER, now=NOW)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_issued_header_is_that_of_an_access_token(ring: KeyRing, alg: str) -> None:
    """`typ`, `alg` and `kid` and nothing else (RFC 9068 §2.1)."""
    token = issue(ring.find(alg.lower(), NOW))
    expected = {"typ": "at+jwt", "alg": alg, "kid": alg.lower()}
    assert expected == json.loads(decode(token.split(".")[0]))


def test_issued_payload_has_the_claims_of_the_profile_and_no_more(key: Key) -> None:
    """iss sub client_id aud iat exp jti scope (RFC 9068 §2.2); times are whole numbers."""
    payload = json.loads(decode(issue(key).split(".")[1]))
    assert GOOD_PAYLOAD == payload
    assert [int, int] == [type(payload[name]) for name in ("iat", "exp")]


def test_one_time_token_says_so(key: Key) -> None:
    """Only a one-time token carries `once`."""
    assert json.loads(decode(issue(key, is_once=True).split(".")[1]))["once"] is True


def test_new_jti_is_bound_to_the_data_set_and_never_the_same() -> None:
    """128 random bits after the data set's id, in characters that are safe in a key."""
    made = {tokens.new_jti(DATASET) for _ in range(1000)}
    assert 1000 == len(made)
    assert all(one.startswith(f"{DATASET}.") and len(one) == 8 + 1 + 22 for one in made)


@pytest.mark.parametrize("kills", [(0, 0), (1, 0), (0, 1), (1795230000123, 1795230000124)])
def test_kills_that_a_mint_knew_of_are_read_back_from_the_jti(kills: tuple[int, int]) -> None:
    """Signed along with the rest; the longest fits a key and a header with room to spare."""
    jti = tokens.new_jti(DATASET, *kills)
    claims = tokens.check_claims({**GOOD_PAYLOAD, "jti": jti}, ISSUER)
    assert kills == (claims.own_kill_ms, claims.global_kill_ms)
    assert len(jti) <= 8 + 1 + 22 + 2 * 12


@pytest.mark.parametrize(
    "rest",
    ["", ".", "a.b", "1.x.b", "1.2.3.b", "1..b", ".1.b", "-1.1.b", "+1.1.b", "A.1.b", "1.1.",
     "1.1.b ", "1_0.1.b", "0x1.1.b", "1.1.b\n", "1" * 14 + ".1.b", "\u0661.1.b"],
)  # fmt: skip
def test_jti_that_no_mint_makes_is_malformed(rest: str) -> None:
    """Two parts or four, and the kills in hexadecimal."""
    with pytest.raises(errors.Malformed):
        tokens.check_claims({**GOOD_PAYLOAD, "jti": f"{DATASET}.{rest}"}, ISSUER)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"typ": "JWT"}, "wrong_type"),
        ({"typ": "jwt"}, "wrong_type"),
        ({"typ": "at+jwt "}, "wrong_type"),
        ({"typ": "id+jwt"}, "wrong_type"),
        ({"typ": None}, "wrong_type"),
        ({"typ": 1}, "wrong_type"),
        ({"typ": ["at+jwt"]}, "wrong_type"),
        ({"kid": "unknown"}, "unknown_key"),
        ({"kid": None}, "malformed"),
        ({"kid": ""}, "unknown_key"),
        ({"kid": "ES256"}, "unknown_key"),
        ({"alg": "es256"}, "bad_signature"),
        ({"alg": None}, "bad_signature"),
        ({"alg": ["ES256"]}, "bad_signature"),
        ({"alg": "EdDSA"}, "bad_signature"),
        ({"kid": "eddsa"}, "bad_signature"),
        ({"kid": "eddsa", "alg": "EdDSA"}, "bad_signature"),
        ({"kid": "hs256", "alg": "HS256"}, "bad_signature"),
        ({"crit": ["exp"]}, "malformed"),
        ({"crit": []}, "malformed"),
        ({"crit": "b64"}, "malformed"),
    ],
)
def test_header_that_is_not_ours_is_refused(
    ring: KeyRing, key: Key, changes: dict[str, object], expected: str
) -> None:
    """Each rule about the header has its reason, even under a good signature."""
    token = sign(key, good_header(key, **changes), good_payload())
    assert expected == reason(ring, token)


@pytest.mark.parametrize("name", ["typ", "kid", "alg"])
def test_header_parameter_that_is_missing_is_refused(ring: KeyRing, key: Key, name: str) -> None:
    """Nothing is assumed for what the header does not say."""
    header = {one: value for one, value in good_header(key).items() if one != name}
    expected = {"typ": "wrong_type", "kid": "unknown_key", "alg": "bad_signature"}
    assert expected[name] == reason(ring, sign(key, header, good_payload()))


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"])
def test_typ_is_a_media_type_in_any_case(ring: KeyRing, key: Key, typ: str) -> None:
    """RFC 9068 §4 allows the full media type; media types have no case."""
    token = sign(key, good_header(key, typ=typ), good_payload())
    assert "demo" == tokens.verify(token, ring, issuer=ISSUER, now=NOW).client_id


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("iss", ..., "wrong_issuer"),
        ("iss", None, "wrong_issuer"),
        ("iss", [ISSUER], "wrong_issuer"),
        ("iss", ISSUER + "/", "wrong_issuer"),
        ("iss", ISSUER.upper(), "wrong_issuer"),
        ("sub", ..., "malformed"),
        ("sub", "another", "malformed"),
        ("client_id", ..., "malformed"),
        ("client_id", "another", "malformed"),
        ("client_id", ["demo"], "malformed"),
        ("aud", ..., "malformed"),
        ("aud", None, "malformed"),
        ("aud", [], "malformed"),
        ("aud", [1], "malformed"),
        ("aud", [ISSUER, None], "malformed"),
        ("aud", [[ISSUER]], "malformed"),
        ("aud", {"a": 1}, "malformed"),
        ("scope", ..., "malformed"),
        ("scope", ["orders:read"], "malformed"),
        ("jti", ..., "malformed"),
        ("jti", None, "malformed"),
        ("jti", 7, "malformed"),
        ("jti", ["x"], "malformed"),
        ("jti", "", "malformed"),
        ("jti", "a b", "malformed"),
        ("jti", "a\n", "malformed"),
        ("jti", "a:b", "malformed"),
        ("jti", "*", "malformed"),
        ("jti", "\u0661", "malformed"),
        ("jti", "x" * 129, "malformed"),
        ("once", 1, "malformed"),
        ("once", "true", "malformed"),
        ("once", None, "malformed"),
    ],
)
def test_claim_that_is_not_ours_is_refused(
    ring: KeyRing, key: Key, claim: str, value: object, expected: str
) -> None:
    """Each claim is there, of its type, and as this server writes it (RFC 9068 §2.2, §4)."""
    token = sign(key, good_header(key), good_payload(**{claim: value}))
    assert expected == reason(ring, token)


def test_alg_is_bound_to_the_kid_for_every_pair(ring: KeyRing) -> None:
    """A kid is good with one algorithm and no other (RFC 8725 §3.1)."""
    for one in ring.keys:
        for alg in (*ALGORITHMS, "none", "ES384", "PS256", "HS512"):
            token = sign(one, good_header(one, alg=alg), good_payload())
            if alg == one.alg:
                assert "demo" == tokens.verify(token, ring, issuer=ISSUER, now=NOW).client_id
            else:
                assert "bad_signature" == reason(ring, token)


def test_token_of_a_retired_key_is_of_an_unknown_key(ring: KeyRing, key: Key) -> None:
    """A key that has ended verifies nothing."""
    token = sign(key, good_header(key), good_payload(exp=NOW + 10**6))
    assert "unknown_key" == reason(ring, token, now=key.verifies_until_s)


def test_unknown_claims_and_header_parameters_are_ignored(ring: KeyRing, key: Key) -> None:
    """RFC 7519 §4: a claim that is not understood is ignored."""
    header = good_header(key, note="x")
    token = sign(key, header, good_payload(cnf={"jkt": "x"}, act={"sub": "y"}))
    assert "demo" == tokens.verify(token, ring, issuer=ISSUER, now=NOW).client_id


def test_refusal_text_holds_no_token(ring: KeyRing, key: Key) -> None:
    """People may read and log why; the token itself is not part of it."""
    for payload in (good_payload(iss="x"), good_payload(jti=7), good_payload(exp=NOW)):
        token = sign(key, good_header(key), payload)
        with pytest.raises(errors.Refused) as raised:
            tokens.verify(token, ring, issuer=ISSUER, now=NOW)
        assert not any(segment in str(raised.value) for segment in token.split("."))
