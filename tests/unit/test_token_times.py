"""When a token begins and ends, to the second (RFC 7519 §4.1.4 to §4.1.6)."""

from typing import Any

import pytest

from app import tokens
from app.errors import Refused
from app.keys import Key, KeyRing
from tests.forgery import NOW, good_header, good_payload, sign
from tests.service import ISSUER

EXP = NOW + 60


def outcome(ring: KeyRing, token: str, now: float = NOW, leeway_s: int = 0) -> str:
    try:
        tokens.verify(token, ring, issuer=ISSUER, now=now, leeway_s=leeway_s)
    except Refused as refusal:
        return refusal.reason
    return "ok"


@pytest.mark.parametrize(
    ("now", "leeway_s", "expected"),
    [
        (EXP - 1, 0, "ok"),
        (EXP - 0.001, 0, "ok"),
        (EXP, 0, "expired"),
        (EXP + 1, 0, "expired"),
        (EXP, 1, "ok"),
        (EXP + 0.999, 1, "ok"),
        (EXP + 1, 1, "expired"),
        (EXP + 59.999, 60, "ok"),
        (EXP + 60, 60, "expired"),
    ],
)
def test_token_is_dead_at_its_exp(
    ring: KeyRing, key: Key, now: float, leeway_s: int, expected: str
) -> None:
    """`now` must be before `exp`: at `exp` itself it is too late; leeway moves that moment."""
    token = sign(key, good_header(key), good_payload(exp=EXP))
    assert expected == outcome(ring, token, now, leeway_s)


@pytest.mark.parametrize(
    ("nbf", "leeway_s", "expected"),
    [
        (NOW - 1, 0, "ok"),
        (NOW, 0, "ok"),
        (NOW + 1, 0, "not_yet_valid"),
        (NOW + 1, 1, "ok"),
        (NOW + 61, 60, "not_yet_valid"),
        ("now", 0, "malformed"),
        (None, 0, "malformed"),
    ],
)
def test_token_is_not_valid_before_its_nbf(
    ring: KeyRing, key: Key, nbf: object, leeway_s: int, expected: str
) -> None:
    """`nbf` is honoured when it is there, though this server never writes it."""
    token = sign(key, good_header(key), good_payload(nbf=nbf))
    assert expected == outcome(ring, token, NOW, leeway_s)


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (NOW - 10**6, "ok"),
        (NOW, "ok"),
        (NOW + 1, "ok"),
        (NOW + 60, "ok"),
        (NOW + 61, "not_yet_valid"),
        (NOW + 10**6, "not_yet_valid"),
    ],
)
def test_token_from_the_future_is_not_yet_valid(
    ring: KeyRing, key: Key, iat: int, expected: str
) -> None:
    """Another gateway's clock may run a minute ahead, and no more."""
    token = sign(key, good_header(key), good_payload(iat=iat, exp=NOW + 10**7))
    assert expected == outcome(ring, token)


@pytest.mark.parametrize("claim", ["exp", "iat"])
@pytest.mark.parametrize(
    "text",
    [
        "1e400",
        "-1e400",
        "1e10",
        "-1",
        "true",
        "null",
        '"4000000060"',
        str(2**63),
        str(2**53 + 1),
        "9" * 5000,
        "NaN",
        "Infinity",
        "-Infinity",
        "4000000060.0",
        "4000000060.5",
        "[4000000060]",
        "{}",
        "04000000060",
        "\u0664\u0660",
    ],
)
def test_absurd_time_is_malformed(ring: KeyRing, key: Key, claim: str, text: str) -> None:
    """A time is a whole number of seconds that a clock can show; no other JSON value is one."""
    good: dict[str, Any] = good_payload()
    members = [f'"{name}":"{value}"' for name, value in good.items() if name not in {"iat", "exp"}]
    other = f'"{"iat" if claim == "exp" else "exp"}":{good["iat" if claim == "exp" else "exp"]}'
    payload = "{" + ",".join([*members, other, f'"{claim}":{text}']) + "}"
    assert "malformed" == outcome(ring, sign(key, good_header(key), payload.encode()))


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_missing_time_is_malformed(ring: KeyRing, key: Key, claim: str) -> None:
    """A token without an end has no end to wait for."""
    token = sign(key, good_header(key), good_payload(**{claim: ...}))
    assert "malformed" == outcome(ring, token)
