"""Whatever is sent as a token: it is refused with a reason, and nothing else ever happens."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import errors, tokens
from app.errors import Refused
from app.keys import ALGORITHMS, Key, KeyRing
from app.tokens import Claims
from tests.forgery import NOW, both_spellings, encode, good_header, good_payload, sign
from tests.service import ISSUER

REASONS = {
    one.reason
    for one in (
        *(errors.Malformed, errors.WrongType, errors.UnknownKey, errors.BadSignature),
        *(errors.WrongIssuer, errors.Expired, errors.NotYetValid),
    )
}
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
segments = st.one_of(
    st.binary(max_size=60).map(encode),
    json_values.map(encode),
    st.text(BASE64URL, max_size=60),
    st.text(max_size=30),
)


def reason(ring: KeyRing, token: str) -> str:
    with pytest.raises(Refused) as raised:
        tokens.verify(token, ring, issuer=ISSUER, now=NOW)
    return raised.value.reason


def outcome(ring: KeyRing, token: str) -> tuple[Claims | None, str]:
    try:
        return tokens.verify(token, ring, issuer=ISSUER, now=NOW), ""
    except Refused as refusal:
        return None, refusal.reason


def good_token(key: Key) -> str:
    return sign(key, good_header(key), good_payload())


def good_tokens(ring: KeyRing, alg: str) -> list[str]:
    """One for each way in which a token is verified."""
    key = ring.find(alg.lower(), NOW)
    return [sign(key, header, good_payload()) for header in both_spellings(key)]


@given(token=st.text() | st.lists(segments, max_size=6).map(".".join))
@settings(max_examples=300)
def test_arbitrary_text_is_refused(ring: KeyRing, token: str) -> None:
    """No text is a token unless a key here signed it."""
    assert reason(ring, token) in REASONS


@given(
    header=st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    payload=json_values,
    signature=st.binary(max_size=70),
    alg=st.sampled_from(ALGORITHMS),
)
@settings(max_examples=200)
def test_arbitrary_header_beside_the_true_names_is_refused(
    ring: KeyRing, header: dict[str, object], payload: object, signature: bytes, alg: str
) -> None:
    """Knowing kid, alg and typ gets nobody past the signature."""
    named = {**header, **good_header(ring.find(alg.lower(), NOW))}
    token = f"{encode(named)}.{encode(payload)}.{encode(signature or b'x')}"
    assert reason(ring, token) in {"malformed", "bad_signature"}


@given(changes=st.dictionaries(st.sampled_from(["typ", "alg", "kid", "crit", "b64"]), json_values))
@settings(max_examples=200)
def test_arbitrary_header_values_under_a_good_signature_are_decided(
    ring: KeyRing, changes: dict[str, object]
) -> None:
    """Any type in any parameter gives a refusal, or the header is still ours."""
    key = ring.find("hs256", NOW)
    token = sign(key, good_header(key, **changes), good_payload())
    claims, refusal = outcome(ring, token)
    assert refusal in REASONS or (claims and "demo" == claims.client_id)


@given(changes=st.dictionaries(st.sampled_from([*good_payload(), "nbf", "once"]), json_values))
@settings(max_examples=300)
def test_arbitrary_claims_under_a_good_signature_are_decided(
    ring: KeyRing, changes: dict[str, object]
) -> None:
    """Any type in any claim gives claims of the right types, or a refusal."""
    key = ring.find("hs256", NOW)
    token = sign(key, good_header(key), good_payload(**changes))
    claims, refusal = outcome(ring, token)
    assert claims or refusal in REASONS
    if claims:
        texts = (claims.client_id, claims.jti, claims.scope, *claims.audiences)
        assert {str} == {type(one) for one in texts}
        assert {int} == {type(one) for one in (claims.iat, claims.exp)}


@given(payload=st.binary(max_size=80) | json_values.map(lambda one: json.dumps(one).encode()))
@settings(max_examples=200)
def test_arbitrary_payload_under_a_good_signature_is_refused(ring: KeyRing, payload: bytes) -> None:
    """Bytes that are not our claims are refused, whoever signed them."""
    key = ring.find("hs256", NOW)
    assert reason(ring, sign(key, good_header(key), payload or b" ")) in REASONS


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_with_one_character_changed_is_refused(ring: KeyRing, alg: str) -> None:
    """Every position counts: another letter, its other case, or a sign that does not belong."""
    for token in good_tokens(ring, alg):
        for place, character in enumerate(token):
            for other in {"A", "_", ".", "=", character.swapcase()} - {character}:
                assert reason(ring, f"{token[:place]}{other}{token[place + 1 :]}") in REASONS


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_cut_short_or_grown_is_refused(ring: KeyRing, alg: str) -> None:
    """No part of a token is a token, and nothing may follow or precede it."""
    for token in good_tokens(ring, alg):
        length = len(token)
        cut = [token[:end] for end in range(length)] + [token[n:] for n in range(1, length)]
        grown = [f"{token}{one}" for one in BASE64URL] + [f"{one}{token}" for one in BASE64URL]
        doubled = [token[:place] + token[place:] * 2 for place in range(0, length, 7)]
        assert {reason(ring, other) for other in (*cut, *grown, *doubled)} <= REASONS


def test_segments_of_two_tokens_do_not_mix(ring: KeyRing) -> None:
    """Six good segments give two good tokens, and no third in any order."""
    key = ring.find("es256", NOW)
    for header in both_spellings(key):
        first = sign(key, header, good_payload()).split(".")
        second = sign(key, header, good_payload(scope="admin")).split(".")
        good = {tuple(first), tuple(second)}
        for mixed in set(itertools.permutations([*first, *second], 3)) - good:
            assert reason(ring, ".".join(mixed)) in REASONS


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_deep_nesting_is_refused_at_every_depth(ring: KeyRing, opening: str, closing: str) -> None:
    """Neither beyond the JSON reader's limit nor just below it does any other error get out."""
    key = ring.find("hs256", NOW)
    for depth in (*range(300, 1100, 5), *range(860, 1010), 6000):
        deep = f"{opening * depth}1{closing * depth}"
        header = json.dumps(good_header(key))[:-1] + f',"x":{deep}}}'
        forged = f"{encode(header.encode())}.{encode({})}.AAAA"
        assert reason(ring, forged) in {"malformed", "bad_signature"}
        payload = json.dumps(good_payload(iss="x"))[:-1] + f',"x":{deep}}}'
        signed = sign(key, good_header(key), payload.encode())
        assert reason(ring, signed) in {"malformed", "wrong_issuer"}


@pytest.mark.parametrize("size", [10**4, 10**5, 10**6])
def test_enormous_token_is_refused_in_time(ring: KeyRing, key: Key, size: int) -> None:
    """Size alone is no way to keep the verifier busy: the tests' own time limit is the judge."""
    for token in ("." * size, "A" * size, "A." * size, good_token(key) * (size // 300)):
        assert reason(ring, token) in REASONS
