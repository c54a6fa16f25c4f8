"""The segments of a compact JWS, read strictly (RFC 7515 §3.1)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NoReturn

from app.errors import Malformed


def decode(segment: str) -> bytes:
    """Decode base64url in its one canonical spelling; raise Malformed (RFC 4648 §3.5)."""
    try:
        decoded = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError as error:
        raise Malformed("a segment is not base64url") from error
    if urlsafe_b64encode(decoded).rstrip(b"=").decode() != segment:
        raise Malformed("a segment has stray bits")
    return decoded


def read_object(signed: bytes) -> dict[str, Any]:
    """Read a JSON object strictly: no repeated member, no NaN; raise Malformed (RFC 8725 §2.4)."""
    try:
        payload = json.loads(
            signed, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("the payload cannot be read") from error
    if not isinstance(payload, dict):
        raise Malformed("the payload is not an object")
    return payload


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
