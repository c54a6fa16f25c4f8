"""Client assertions: who I am, signed with a key of mine (RFC 7521 §4.2, RFC 7523 §3). Pure."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from app.errors import InvalidClient, Malformed
from app.key_sets import ALGORITHMS, KeySet
from app.segments import decode, read_object

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_S = 3_600
"""How long an assertion may be good, and so for how long its `jti` is remembered."""

_SKEW_S = 60
"""How far ahead the client's clock may run."""

_LONGEST_JTI = 256
_MOST_TRIED = 4
_TYPES = {"jwt", "client-authentication+jwt"}
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_JWS = PyJWS(algorithms=ALGORITHMS)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says; nobody has vouched for any of it yet."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def kid(self) -> str | None:
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    @property
    def client_id(self) -> str:
        sub = self.claims.get("sub")
        return sub if isinstance(sub, str) else ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A good assertion's one use: the key to remember it by, and for how many seconds."""

    key: str
    ttl_s: int


def read_assertion(text: str) -> Assertion:
    """Read an assertion without believing it; raise InvalidClient."""
    try:
        if not _COMPACT.fullmatch(text):
            raise Malformed("not three segments of base64url")
        header, claims, _ = text.split(".")
        return Assertion(text, read_object(decode(header)), read_object(decode(claims)))
    except Malformed as error:
        raise InvalidClient(detail=f"the assertion is malformed: {error}") from error


def check_assertion(
    assertion: Assertion, keys: KeySet, *, audiences: Collection[str], now: float, leeway_s: int
) -> Proof:
    """Return the use that an assertion is good for; raise InvalidClient.

    `audiences` are this server's names. Whether it was used before is not known here.
    """
    _check_signature(assertion, keys)
    claims, client_id = assertion.claims, assertion.client_id
    if not client_id or claims.get("iss") != client_id:
        raise InvalidClient(detail="iss and sub of the assertion are not both the client's id")
    aud = claims.get("aud")
    named = aud if isinstance(aud, list) else [aud]
    # An audience besides us could pass the assertion on to us before its client does.
    if not named or not all(isinstance(one, str) and one in audiences for one in named):
        raise InvalidClient(detail="aud of the assertion is not this server alone")
    exp = _check_times(claims, now, leeway_s)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        raise InvalidClient(detail="jti of the assertion is not a string, or too long")
    digest = hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Proof(f"assertion:{client_id}:{digest}", int(exp - now) + leeway_s + _SKEW_S)


def _check_signature(assertion: Assertion, keys: KeySet) -> None:
    """The algorithm must be on our list and fit the key; the header only says which of these."""
    alg, typ = assertion.header.get("alg"), assertion.header.get("typ", "JWT")
    if alg not in ALGORITHMS:
        raise InvalidClient(detail="alg of the assertion is not one that is taken")
    if not isinstance(typ, str) or typ.lower() not in _TYPES or "crit" in assertion.header:
        raise InvalidClient(detail="the assertion is a JWT of another kind")
    for one in keys.find(assertion.kid, alg)[:_MOST_TRIED]:
        try:
            _JWS.decode(assertion.text, one.key, algorithms=[alg])
        except (PyJWTError, ValueError):
            continue
        return
    raise InvalidClient(detail="no key of the client has signed the assertion")


def _check_times(claims: dict[str, Any], now: float, leeway_s: int) -> float:
    exp = _time(claims, "exp")
    if exp is None or now >= exp + leeway_s:
        raise InvalidClient(detail="exp of the assertion is not there, or has passed")
    if exp > now + LONGEST_S + _SKEW_S:
        raise InvalidClient(detail=f"exp of the assertion is more than {LONGEST_S} s ahead")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and begins > now + _SKEW_S:
            raise InvalidClient(detail=f"{name} of the assertion is in the future")
    return exp


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise InvalidClient(detail=f"{name} of the assertion is not a time")
    return value
