"""A client, its dated secrets, and what it may be granted (RFC 6749 §2.3, §3.3; RFC 8707)."""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe
from typing import Any

from app.errors import InvalidClient, InvalidScope, InvalidTarget
from app.methods import FIELDS as METHOD_FIELDS
from app.methods import UNSAID, Method, flag

CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
FIELDS = (
    *("name", "status", "scopes", "audiences", "ttl_s", "rate_per_s"),
    *("secrets", "created_at", "updated_at", "dpop_bound_access_tokens", *METHOD_FIELDS),
)
"""Of a client's record. Others may be there, for whoever put them: nobody here reads them."""

_FROM_ONE = re.compile(r"[1-9][0-9]{0,8}")
_SALT = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{64}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
LONGEST_TTL_S = 86_400
"""No token lives longer: a constant, so that a not-before outlives every token by any tool."""

LONGEST_SCOPE = 2048
"""Characters. The scope travels in a response header, which nginx holds in one 4 KiB buffer."""


@dataclass(frozen=True, slots=True)
class Secret:
    """The keyed hash of one secret, and when it is good. Epoch seconds; 0 means no end."""

    id: str
    salt: str
    hash: str
    not_before_s: int
    not_after_s: int

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> "Secret":
        """Build a secret from one entry of a client's `secrets`; raise if it is of another form."""
        secret = cls(
            id=str(entry["id"]),
            salt=entry["salt"],
            hash=entry["hash"],
            not_before_s=int(entry["not_before_s"]),
            not_after_s=int(entry["not_after_s"]),
        )
        if not _SALT.fullmatch(secret.salt) or not _HASH.fullmatch(secret.hash):
            raise ValueError("salt or hash is not hex")
        return secret

    def is_good_at(self, now: float) -> bool:
        return self.not_before_s <= now and (not self.not_after_s or now < self.not_after_s)


_NO_SECRET = Secret("", "0" * 32, "0" * 64, 0, 1)


@dataclass(frozen=True, slots=True)
class Client:
    """What Redis holds under `client:{id}`. Rates are per second, times in seconds."""

    client_id: str
    is_active: bool
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    ttl_s: int | None
    rate_per_s: int | None
    secrets: tuple[Secret, ...]
    method: Method = UNSAID
    is_certificate_bound: bool = False
    """Its tokens are good only with the certificate that they were minted with (RFC 8705 §3)."""
    is_dpop_bound: bool = False
    """It gets no token without proving that it has a key (RFC 9449 §5.2)."""

    @classmethod
    def from_fields(cls, client_id: str, fields: Mapping[str, str]) -> "Client":
        """Build a client from its hash; raise ValueError or KeyError when it cannot be read."""
        try:
            secrets = tuple(Secret.from_entry(entry) for entry in json.loads(fields["secrets"]))
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ValueError("a client's secrets cannot be read") from error
        return cls(
            client_id=client_id,
            is_active=fields["status"] == "active",
            scopes=tuple(fields["scopes"].split()),
            audiences=tuple(fields.get("audiences", "").split()),
            ttl_s=_from_one(fields.get("ttl_s")),
            rate_per_s=_from_one(fields.get("rate_per_s")),
            secrets=secrets,
            method=Method.from_fields(fields),
            is_certificate_bound=flag(fields.get("tls_client_certificate_bound_access_tokens")),
            is_dpop_bound=flag(fields.get("dpop_bound_access_tokens")),
        )


def _from_one(text: str | None) -> int | None:
    """Return a whole number from 1, None for an empty field; raise ValueError for others."""
    if not text:
        return None
    if not _FROM_ONE.fullmatch(text):
        raise ValueError("a client's lifetime or rate is not a whole number from 1")
    return int(text)


def new_secret() -> tuple[str, Secret]:
    """Return a new secret of 256 random bits, and what is stored of it (scripts/lib/secrets.sh)."""
    text, salt = token_urlsafe(32), token_hex(16)
    return text, Secret(token_hex(4), salt, _keyed_hash(salt, text.encode()), 0, 0)


def _keyed_hash(salt: str, shown: bytes) -> str:
    return hmac.digest(salt.encode(), shown, "sha256").hex()


def authenticate(client: Client | None, secret: str, now: float) -> tuple[Client, Secret]:
    """Return the client and the secret that matched; raise InvalidClient.

    Unknown, disabled and mistaken clients take the same steps, so that time tells nothing: two
    hashes are always computed and compared, whatever there is to compare with.
    """
    secrets = (*(client.secrets if client else ()), _NO_SECRET, _NO_SECRET)[:2]
    # JSON can name half a surrogate pair: a wrong secret like any other.
    shown = secret.encode("utf-8", "surrogatepass")
    matched = None
    for candidate in secrets:
        if hmac.compare_digest(
            _keyed_hash(candidate.salt, shown), candidate.hash
        ) and candidate.is_good_at(now):
            matched = candidate
    if matched is None or client is None or not client.is_active:
        raise InvalidClient
    return client, matched


def grant_scope(client: Client, requested: str | None) -> str:
    """Return the scope of a new token, space-separated; raise InvalidScope (RFC 6749 §3.3)."""
    if requested is None:
        granted = client.scopes
    else:
        if not _SCOPE.fullmatch(requested):
            raise InvalidScope("scope is malformed")
        granted = tuple(dict.fromkeys(requested.split(" ")))
        if not set(granted) <= set(client.scopes):
            raise InvalidScope("scope exceeds what the client is allowed")
    scope = " ".join(granted)
    if len(scope) > LONGEST_SCOPE:
        raise InvalidScope(f"scope is longer than {LONGEST_SCOPE} characters")
    return scope


def grant_audience(client: Client, resources: Sequence[str], default: str) -> str | list[str]:
    """Return the `aud` of a new token; raise InvalidTarget (RFC 8707 §2).

    Resources are absolute URIs there; an audience of the client's that is none may be named too.
    """
    if not resources:
        return client.audiences[0] if client.audiences else default
    allowed = client.audiences or (default,)
    for resource in resources:
        if resource not in allowed:
            raise InvalidTarget("resource is not one of the client's audiences")
        if "#" in resource:
            raise InvalidTarget("resource must have no fragment")
    chosen = list(dict.fromkeys(resources))
    return chosen[0] if len(chosen) == 1 else chosen
