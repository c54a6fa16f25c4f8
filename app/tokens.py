"""Issue and verify access tokens (RFC 9068). Pure: the keys and the time come as arguments."""

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_encode

from app.confirmation import Confirmation
from app.errors import (
    BadSignature,
    Expired,
    Malformed,
    NotYetValid,
    WrongIssuer,
    WrongType,
)
from app.keys import ALGORITHMS, JOSE, Key, KeyRing
from app.segments import decode, read_object

_JWS = PyJWS(algorithms=ALGORITHMS)
_JSON = json.JSONEncoder(separators=(",", ":"))
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_JTI = re.compile(
    r"[A-Za-z0-9_-]{1,64}(?:\.([0-9a-f]{1,13})\.([0-9a-f]{1,13}))?\.[A-Za-z0-9_-]{1,64}", re.ASCII
)
_LARGEST_TIME_S = 2**53

_FUTURE_S = 60
"""How far ahead another gateway's clock may run before its tokens are not yet valid."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that was signed here says. Times are epoch seconds (RFC 9068 §2.2).

    The last kills of its client and of all clients that its mint knew of (see gate.NotBefore).
    """

    client_id: str
    jti: str
    scope: str
    audiences: tuple[str, ...]
    iat: int
    exp: int
    is_once: bool
    own_kill_ms: int = 0
    global_kill_ms: int = 0
    confirmation: Confirmation | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The JOSE header of a token that nobody has vouched for yet."""

    kid: object
    alg: object
    typ: object


def new_jti(dataset_id: str, own_kill_ms: int = 0, global_kill_ms: int = 0) -> str:
    """Return an unguessable `jti` that is bound to the data set it can be revoked in.

    With the last kills that are known, so that the token is told from those that they killed:
    by what came first, not by what a clock said.
    """
    unguessable = secrets.token_urlsafe(16)
    if own_kill_ms or global_kill_ms:
        return f"{dataset_id}.{own_kill_ms:x}.{global_kill_ms:x}.{unguessable}"
    return f"{dataset_id}.{unguessable}"


def issue(
    key: Key,
    *,
    issuer: str,
    client_id: str,
    audience: str | list[str],
    scope: str,
    jti: str,
    iat: int,
    exp: int,
    is_once: bool = False,
    confirmation: Confirmation | None = None,
) -> str:
    """Sign an access token with the key's own algorithm (RFC 9068 §2)."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": client_id,
        "client_id": client_id,
        "aud": audience,
        "iat": iat,
        "exp": exp,
        "jti": jti,
        "scope": scope,
    }
    if is_once:
        claims["once"] = True
    if confirmation:
        claims["cnf"] = confirmation.claim()
    payload = base64url_encode(_JSON.encode(claims).encode()).decode()
    signed = f"{key.header}.{payload}"
    signature = JOSE[key.alg].sign(signed.encode(), key.signing)
    return f"{signed}.{base64url_encode(signature).decode()}"


def verify(token: str, ring: KeyRing, *, issuer: str, now: float, leeway_s: int = 0) -> Claims:
    """Return the claims of a token that this issuer signed and that is in its time.

    Raises the Refused that names what is wrong: Malformed, WrongType, UnknownKey, BadSignature,
    WrongIssuer, Expired or NotYetValid. Revocation is not known here.
    """
    key = ring.signer_of(token.partition(".")[0], now)
    if key is None:
        header = parse_header(token)
        payload = check_signature(token, header, find_key(header, ring, now))
    else:
        payload = check_own_signature(token, key)
    claims = check_claims(payload, issuer)
    check_times(payload, now, leeway_s)
    return claims


def parse_header(token: str) -> Header:
    """Read the header of a compact JWS in its one canonical spelling; raise Malformed, WrongType.

    Unused bits in the last character of a segment would let one token be written in several
    ways; such spellings are refused (RFC 4648 §3.5).
    """
    if not _COMPACT.fullmatch(token):
        raise Malformed("not three segments of base64url")
    try:
        fields = _JWS.get_unverified_header(token)
    except (PyJWTError, ValueError, RecursionError) as error:
        raise Malformed("the header cannot be read") from error
    header = Header(fields.get("kid"), fields.get("alg"), fields.get("typ"))
    if not isinstance(header.typ, str) or header.typ.lower() not in {
        "at+jwt",
        "application/at+jwt",
    }:
        raise WrongType("typ is not at+jwt")
    return header


def find_key(header: Header, ring: KeyRing, now: float) -> Key:
    """Return the key that the header names; raise UnknownKey. Nothing is ever fetched for it."""
    return ring.find(header.kid, now)


def check_signature(token: str, header: Header, key: Key) -> dict[str, Any]:
    """Return the payload if `key` signed it with its own algorithm; raise BadSignature, Malformed.

    The algorithm comes from the keyring, never from the token (RFC 8725 §3.1).
    """
    if header.alg != key.alg:
        raise BadSignature("alg is not the one that the kid is bound to")
    try:
        signed = _JWS.decode(token, key.verifying, algorithms=[key.alg])
    except (PyJWTError, ValueError) as error:
        raise BadSignature("the signature does not match") from error
    return read_object(signed)


def check_own_signature(token: str, key: Key) -> dict[str, Any]:
    """Do as `check_signature` for a token that begins as all of `key` do, in half the time.

    Its header is known to the letter, so only signature and payload are left to look at.
    """
    if not _COMPACT.fullmatch(token):
        raise Malformed("not three segments of base64url")
    signed, _, signature = token.rpartition(".")
    payload = signed.partition(".")[2]
    if not JOSE[key.alg].verify(signed.encode(), key.verifying, decode(signature)):
        raise BadSignature("the signature does not match")
    return read_object(decode(payload))


def check_claims(payload: dict[str, Any], issuer: str) -> Claims:
    """Return the claims, all there and of the right shape.

    Raises Malformed, WrongIssuer, and WrongProof for a confirmation that cannot be checked.
    """
    if payload.get("iss") != issuer:
        raise WrongIssuer("iss is not this server")
    aud = payload.get("aud")
    audiences = tuple(aud) if isinstance(aud, list) else (aud,)
    jti = _text(payload, "jti")
    known = _JTI.fullmatch(jti)
    claims = Claims(
        client_id=_text(payload, "client_id"),
        jti=jti,
        scope=_text(payload, "scope"),
        audiences=audiences,
        iat=_time(payload, "iat"),
        exp=_time(payload, "exp"),
        is_once=payload.get("once", False),
        own_kill_ms=int(known[1] or "0", 16) if known else 0,
        global_kill_ms=int(known[2] or "0", 16) if known else 0,
        confirmation=Confirmation.from_claim(payload["cnf"]) if "cnf" in payload else None,
    )
    if payload.get("sub") != claims.client_id or not known:
        raise Malformed("sub or jti is not as this server writes it")
    if not audiences or not all(isinstance(one, str) for one in audiences):
        raise Malformed("aud is neither a string nor strings")
    if not isinstance(claims.is_once, bool):
        raise Malformed("once is not a boolean")
    return claims


def check_times(payload: dict[str, Any], now: float, leeway_s: int) -> None:
    """Raise Expired or NotYetValid (RFC 7519 §4.1.4, §4.1.5). At `exp` itself it is too late."""
    if now >= _time(payload, "exp") + leeway_s:
        raise Expired("exp has passed")
    if "nbf" in payload and now + leeway_s < _time(payload, "nbf"):
        raise NotYetValid("nbf has not come")
    if _time(payload, "iat") > now + _FUTURE_S:
        raise NotYetValid("iat is in the future")


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is not a string")
    return value


def _time(payload: dict[str, Any], name: str) -> int:
    value = payload.get(name)
    if type(value) is not int or not 0 <= value <= _LARGEST_TIME_S:
        raise Malformed(f"{name} is not a whole number of seconds")
    return value
