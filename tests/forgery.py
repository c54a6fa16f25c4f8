"""Tokens written by hand: what an attacker, or a defect, could send."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

from jwt.algorithms import get_default_algorithms

from app.keys import Key
from tests.service import DATASET, ISSUER

NOW = 4_000_000_000
GOOD_PAYLOAD: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "demo",
    "client_id": "demo",
    "aud": ISSUER,
    "iat": NOW,
    "exp": NOW + 60,
    "jti": f"{DATASET}.abc",
    "scope": "orders:read",
}
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(data: bytes | object) -> str:
    """base64url without padding; what is not bytes is written as JSON first."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without verifying it."""
    payload: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return payload


def good_header(key: Key, **changes: object) -> dict[str, object]:
    return {"typ": "at+jwt", "alg": key.alg, "kid": key.kid, **changes}


def both_spellings(key: Key) -> list[dict[str, object]]:
    """Headers of two good tokens: as the key's own, and as anybody else would write it."""
    return [good_header(key), good_header(key, note="x")]


def good_payload(**changes: object) -> dict[str, object]:
    """The claims of a good token; a change to `...` leaves the claim out."""
    changed = {**GOOD_PAYLOAD, **changes}
    return {name: value for name, value in changed.items() if value is not ...}


def sign(key: Key, header: bytes | object, payload: bytes | object) -> str:
    """Sign with the true key, whatever the header says.

    A header without changes is spelled as the key's own tokens spell it, which are verified on a
    shorter way; any other one goes the whole way.
    """
    first = key.header if header == good_header(key) else encode(header)
    signed = f"{first}.{encode(payload)}"
    signature = get_default_algorithms()[key.alg].sign(signed.encode(), key.signing)
    return f"{signed}.{encode(signature)}"


def respelled(token: str) -> Iterator[str]:
    """Every other spelling of the same bytes: the unused bits at the end of a segment, altered."""
    segments = token.split(".")
    for place, segment in enumerate(segments):
        unused_bits = {2: 4, 3: 2}.get(len(segment) % 4, 0)
        last = _ALPHABET.index(segment[-1])
        for bits in range(1, 1 << unused_bits):
            other = segment[:-1] + _ALPHABET[last ^ bits]
            yield ".".join([*segments[:place], other, *segments[place + 1 :]])
