"""Public keys of clients: JWK sets, read strictly (RFC 7517 §5). Pure."""

import json
from base64 import b64decode
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

from app.certificates import thumbprint

ALGORITHMS = ("ES256", "ES384", "EdDSA", "PS256", "RS256")
"""Asymmetric ones alone: with any other, who can check a signature could make it."""

_MOST_KEYS = 20
_OF_CURVE = {"P-256": ("ES256",), "P-384": ("ES384",), "Ed25519": ("EdDSA",)}
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"))
_JOSE = get_default_algorithms()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key, and the only algorithms that it may be used with."""

    kid: str | None
    algorithms: tuple[str, ...]
    key: Any


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys for signatures, and the thumbprints of the certificates (`x5c`) beside them."""

    keys: tuple[PublicKey, ...]
    certificates: frozenset[str]

    def knows(self, kid: str | None) -> bool:
        """Tell whether there is a key of that name."""
        return any(key.kid == kid for key in self.keys)

    def find(self, kid: str | None, alg: str) -> tuple[PublicKey, ...]:
        """Return the keys that may have made a signature. A key without a name may be any."""
        named = (key for key in self.keys if kid is None or key.kid in {None, kid})
        return tuple(key for key in named if alg in key.algorithms)


@lru_cache(256)
def read_key_set(text: str) -> KeySet:
    """Read a JWK set; raise ValueError for what is not one, or holds what must not be known here.

    Keys of other kinds, or for other uses, are left out (RFC 7517 §5).
    """
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("the JWK set is too deep") from error
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list) or not all(isinstance(jwk, dict) for jwk in jwks):
        raise ValueError("not a JWK set")
    if len(jwks) > _MOST_KEYS:
        raise ValueError(f"a JWK set of more than {_MOST_KEYS} keys")
    if any(_PRIVATE & jwk.keys() for jwk in jwks):
        raise ValueError("the JWK set holds a private or a shared key")
    keys = (_public_key(jwk) for jwk in jwks)
    certificates = (_certificate(jwk) for jwk in jwks if "x5c" in jwk)
    return KeySet(tuple(key for key in keys if key), frozenset(certificates))


def _public_key(jwk: dict[str, Any]) -> PublicKey | None:
    kid, algorithms = jwk.get("kid"), _algorithms(jwk)
    if not algorithms or not isinstance(kid, str | None):
        return None
    try:
        key = _JOSE[algorithms[0]].from_jwk(jwk)
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        if "x5c" in jwk:
            return None  # It is there for its certificate.
        raise ValueError("a key of the JWK set cannot be read") from error
    if isinstance(key, RSAPublicKey) and not 2048 <= key.key_size <= 8192:
        return None
    return PublicKey(kid, algorithms, key)


def _algorithms(jwk: dict[str, Any]) -> tuple[str, ...]:
    """Return what a key may be used with, by its kind and by what it says of itself."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list):
        return ()
    if "verify" not in operations:
        return ()
    of_kind: tuple[str, ...] = ()
    match jwk.get("kty"):
        case "EC" | "OKP":
            of_kind = _OF_CURVE.get(str(jwk.get("crv")), ())
        case "RSA":
            of_kind = ("PS256", "RS256")
    return tuple(alg for alg in of_kind if jwk.get("alg", alg) == alg)


def _certificate(jwk: dict[str, Any]) -> str:
    """Return the thumbprint of the key's own certificate, the first of the chain (§4.7)."""
    chain = jwk["x5c"]
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise ValueError("an x5c of the JWK set is not a chain")
    return thumbprint(b64decode(chain[0], validate=True))
