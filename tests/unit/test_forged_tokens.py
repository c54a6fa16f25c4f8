"""The known attacks on JWTs, one by one (RFC 8725 §2, §3)."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from app import tokens
from app.errors import Refused
from app.keys import ALGORITHMS, Key, KeyRing
from tests.forgery import (
    NOW,
    both_spellings,
    decode,
    encode,
    good_header,
    good_payload,
    respelled,
    sign,
)
from tests.service import ISSUER

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def reason(ring: KeyRing, token: str) -> str:
    with pytest.raises(Refused) as raised:
        tokens.verify(token, ring, issuer=ISSUER, now=NOW)
    return raised.value.reason


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 0, False, [], {}])
@pytest.mark.parametrize("signature", ["", "AA", "bm9uZQ"])
def test_unsigned_token_is_refused(ring: KeyRing, key: Key, alg: object, signature: str) -> None:
    """`none` in any spelling is no algorithm here (RFC 8725 §3.2)."""
    header = good_header(key, alg=alg)
    token = f"{encode(header)}.{encode(good_payload())}.{signature}"
    assert reason(ring, token) in {"malformed", "bad_signature"}


def test_unsigned_token_of_two_segments_is_refused(ring: KeyRing, key: Key) -> None:
    """Without a signature there is nothing to verify."""
    header = encode(good_header(key, alg="none"))
    assert "malformed" == reason(ring, f"{header}.{encode(good_payload())}")


def public_forms(key: Key) -> list[bytes]:
    """What an attacker can know of the key, in every form that a library may take as a secret."""
    jwk = key.public_jwk()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.verifying.public_bytes(serialization.Encoding.PEM, spki)
    der = key.verifying.public_bytes(serialization.Encoding.DER, spki)
    compact = json.dumps(jwk, separators=(",", ":")).encode()
    return [
        pem,
        pem.strip(),
        der,
        json.dumps(jwk).encode(),
        compact,
        key.kid.encode(),
        b"",
        b"0" * 32,
    ]


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("kid", ["own", "hs256"])
def test_public_key_used_as_a_shared_secret_is_refused(ring: KeyRing, alg: str, kid: str) -> None:
    """HS256 with the PEM, DER or JWK of a published key, under its kid or the shared one's."""
    key = ring.find(alg.lower(), NOW)
    header = good_header(key, alg="HS256", kid=key.kid if kid == "own" else kid)
    signed = f"{encode(header)}.{encode(good_payload())}"
    for secret in public_forms(key):
        mac = hmac.digest(secret, signed.encode(), "sha256")
        assert "bad_signature" == reason(ring, f"{signed}.{encode(mac)}")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_key_that_a_token_brings_along_is_not_looked_at(ring: KeyRing, key: Key, name: str) -> None:
    """The header cannot name or carry the key that it is verified with (RFC 8725 §3.5, §3.10)."""
    mine = Key(
        "mine",
        "ES256",
        0,
        2**60,
        made := ec.generate_private_key(ec.SECP256R1()),
        made.public_key(),
    )
    value = {"jwk": mine.public_jwk(), "x5c": ["AAAA"]}.get(name, "http://127.0.0.1:1/keys")
    for kid, expected in ((key.kid, "bad_signature"), ("mine", "unknown_key")):
        token = sign(mine, good_header(key, kid=kid, **{name: value}), good_payload())
        assert expected == reason(ring, token)


@pytest.mark.parametrize(
    "kid",
    [
        *(1, -1, 1.5, True, None, [], ["es256"], {}, {"es256": 1}),
        "../../../../dev/null",
        "/etc/passwd",
        "es256\x00",
        "es256\n",
        "'; --",
        "k" * 5000,
        "\ud800",
    ],
)
def test_kid_of_any_other_kind_names_no_key(ring: KeyRing, key: Key, kid: object) -> None:
    """A kid is a name to compare with, whatever a header puts there."""
    token = sign(key, good_header(key, kid=kid), good_payload())
    assert reason(ring, token) in {"malformed", "unknown_key"}


@pytest.mark.parametrize(
    "header",
    [
        '{{"typ":"at+jwt","alg":"none","kid":"{kid}","alg":"{alg}"}}',
        '{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}","alg":"none"}}',
        '{{"typ":"at+jwt","alg":"{alg}","kid":"other","kid":"{kid}"}}',
        '{{"typ":"JWT","typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}',
        '{{"typ":"at+jwt","typ":"JWT","alg":"{alg}","kid":"{kid}"}}',
        '{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}","kid":"other"}}',
    ],
)
def test_repeated_header_parameter_lets_nothing_through(
    ring: KeyRing, key: Key, header: str
) -> None:
    """However a parser reads a repeat, the signature covers the header as it was written."""
    raw = header.format(alg=key.alg, kid=key.kid).encode()
    good = sign(key, good_header(key), good_payload())
    forged = ".".join([encode(raw), *good.split(".")[1:]])
    assert reason(ring, forged) in {"bad_signature", "unknown_key", "wrong_type"}


@pytest.mark.parametrize(
    "extra", ['"sub":"demo"', '"exp":9000000000', '"x":1,"x":1', '"cnf":{"a":1,"a":2}']
)
def test_repeated_claim_is_malformed(ring: KeyRing, key: Key, extra: str) -> None:
    """A claim that is there twice means nothing (RFC 7519 §4), at any depth."""
    payload = json.dumps(good_payload())[:-1] + f",{extra}}}"
    for header in both_spellings(key):
        assert "malformed" == reason(ring, sign(key, header, payload.encode()))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_number_that_json_does_not_know_is_malformed(ring: KeyRing, key: Key, number: str) -> None:
    """Python would read it, other programs would not (RFC 8259 §6)."""
    payload = json.dumps(good_payload())[:-1] + f',"x":{number}}}'
    assert "malformed" == reason(ring, sign(key, good_header(key), payload.encode()))


@pytest.mark.parametrize("header", [{"b64": False}, {"b64": False, "crit": ["b64"]}])
def test_unencoded_payload_option_is_refused(
    ring: KeyRing, key: Key, header: dict[str, object]
) -> None:
    """An unencoded payload (RFC 7797) has no place in an access token."""
    token = sign(key, good_header(key, **header), good_payload())
    detached = ".".join([token.split(".")[0], "", token.split(".")[2]])
    assert ["malformed", "malformed"] == [reason(ring, one) for one in (token, detached)]


@pytest.mark.parametrize("payload", ["[]", '"text"', "7", "null", "true", "", "{", "{}{}"])
def test_payload_that_is_no_object_is_malformed(ring: KeyRing, key: Key, payload: str) -> None:
    """Claims are members of one JSON object (RFC 7519 §4)."""
    for header in both_spellings(key):
        assert "malformed" == reason(ring, sign(key, header, payload.encode() or b" "))


@pytest.mark.parametrize("header", ["[]", '"text"', "7", "null", "", "{", "{}{}", "\xff"])
def test_header_that_is_no_object_is_malformed(ring: KeyRing, key: Key, header: str) -> None:
    """The header is one JSON object in UTF-8 (RFC 7515 §4)."""
    token = sign(key, header.encode("latin-1") or b" ", good_payload())
    assert "malformed" == reason(ring, token)


def test_encrypted_token_of_five_segments_is_malformed(ring: KeyRing, key: Key) -> None:
    """A JWE is not read, and nothing of it decompressed (RFC 8725 §3.3)."""
    header = good_header(key, alg="dir", enc="A256GCM", zip="DEF")
    assert "malformed" == reason(ring, ".".join([encode(header), "AA", "AA", "AA", "AA"]))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_other_spelling_of_the_same_bytes_is_refused(ring: KeyRing, alg: str) -> None:
    """Unused bits at the end of a segment are zero: a token is written in one way only."""
    key = ring.find(alg.lower(), NOW)
    good = [
        sign(key, header, good_payload(x="y" * length))
        for length in range(3)
        for header in (good_header(key), good_header(key, x="y" * length))
    ]
    assert 6 == len([tokens.verify(token, ring, issuer=ISSUER, now=NOW) for token in good])
    found = {reason(ring, other) for token in good for other in respelled(token)}
    assert found <= {"malformed", "bad_signature"}


@pytest.mark.parametrize(
    "change", ["{}=", "{}==", "={}", " {}", "{} ", "{}\n", "{}.", ".{}", "{}\x00"]
)
def test_decorated_token_is_malformed(ring: KeyRing, key: Key, change: str) -> None:
    """Padding, spaces and stray dots are no part of a compact token (RFC 7515 §7.1)."""
    for header in both_spellings(key):
        token = sign(key, header, good_payload())
        assert "malformed" == reason(ring, change.format(token))


def test_standard_base64_spelling_is_malformed(ring: KeyRing, key: Key) -> None:
    """`+` and `/` belong to another alphabet."""
    token = next(
        one
        for n in range(1000)
        if {"-", "_"}
        <= set(one := sign(key, good_header(key, x="\u00bf\u00ff" * n), good_payload()))
    )
    assert "malformed" == reason(ring, token.replace("-", "+"))
    assert "malformed" == reason(ring, token.replace("_", "/"))


def test_mirrored_ecdsa_signature_is_another_signature_of_the_same_jti(
    ring: KeyRing, key: Key
) -> None:
    """(r, n - s) verifies as well: so a token is known by its jti, never by its characters."""
    token = sign(key, good_header(key), good_payload())
    signed, _, signature = token.rpartition(".")
    raw = decode(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    mirrored = raw[:32] + (P256_ORDER - s).to_bytes(32, "big")
    assert (r, P256_ORDER - s) == decode_dss_signature(encode_dss_signature(r, P256_ORDER - s))
    claims = tokens.verify(f"{signed}.{encode(mirrored)}", ring, issuer=ISSUER, now=NOW)
    assert good_payload()["jti"] == claims.jti


@pytest.mark.parametrize("signature", [b"\x00" * 64, b"\xff" * 64, b"\x00", b"\x00" * 65])
def test_zero_and_odd_ecdsa_signatures_are_refused(
    ring: KeyRing, key: Key, signature: bytes
) -> None:
    """r and s are from 1 to n - 1, and 32 bytes each (CVE-2022-21449)."""
    for first in (encode(good_header(key)), key.header):
        signed = f"{first}.{encode(good_payload())}"
        assert "bad_signature" == reason(ring, f"{signed}.{encode(signature)}")
