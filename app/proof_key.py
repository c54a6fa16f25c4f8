"""The public key that signs a DPoP proof, as its header shows it (RFC 9449 §4.2, RFC 7638)."""

import json
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.utils import base64url_encode

from app.dpop_errors import InvalidProof
from app.errors import Malformed
from app.segments import decode, read_object

PROOF_ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")
"""Ed25519 is EdDSA by its other name (RFC 9864)."""

_JOSE: dict[str, Algorithm] = {
    alg: get_default_algorithms()["EdDSA" if alg == "Ed25519" else alg] for alg in PROOF_ALGORITHMS
}
_NEEDS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("e", "n")}
_KEY_TYPES = {"ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP", "PS256": "RSA", "RS256": "RSA"}
_SECRET = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_RSA_BITS = range(2048, 4097)
"""Longer ones would make whoever verifies work for whoever sends."""

_LONGEST_EXPONENT = 2**32
_LONGEST_HEADER = 2048
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A public key, the one algorithm that its proof names, and its thumbprint."""

    alg: str
    public: Any
    jkt: str

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Tell whether this key made the signature of `text`."""
        return bool(_JOSE[self.alg].verify(text.encode(), self.public, signature))


@lru_cache(maxsize=_REMEMBERED)
def read_key(segment: str) -> ProofKey:
    """Return the key in a proof's header, its first segment; raise InvalidProof.

    Remembered, because a client's proofs all begin with the same header.
    """
    if len(segment) > _LONGEST_HEADER:
        raise InvalidProof("its header is too long")
    try:
        header = read_object(decode(segment))
    except Malformed as error:
        raise InvalidProof("its header cannot be read") from error
    alg, jwk = header.get("alg"), header.get("jwk")
    if header.get("typ") != "dpop+jwt":
        raise InvalidProof("its typ is not dpop+jwt")
    if not isinstance(alg, str) or alg not in _KEY_TYPES:
        raise InvalidProof("its alg is none that is taken")
    if "crit" in header:
        raise InvalidProof("its header has a crit")
    if not isinstance(jwk, dict) or jwk.get("kty") != _KEY_TYPES[alg]:
        raise InvalidProof("its jwk is no key for its alg")
    if not _SECRET.isdisjoint(jwk):
        raise InvalidProof("its jwk is not public")
    try:
        return ProofKey(alg, _public_key(jwk), thumbprint(jwk))
    except (Malformed, ValueError) as error:
        raise InvalidProof("its jwk cannot be used") from error


def thumbprint(jwk: dict[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a public key (RFC 7638 §3)."""
    needed = {name: jwk[name] for name in sorted((*_NEEDS[jwk["kty"]], "kty"))}
    text = json.dumps(needed, separators=(",", ":"), sort_keys=True)
    return base64url_encode(sha256(text.encode()).digest()).decode()


def _public_key(jwk: dict[str, Any]) -> Any:
    """Raise ValueError or Malformed for what is no key, and for one of another size or curve."""
    if not all(isinstance(jwk.get(name), str) for name in _NEEDS[jwk["kty"]]):
        raise ValueError("a member is missing")
    if jwk["kty"] == "RSA":
        return _rsa_key(decode(jwk["n"]), decode(jwk["e"]))
    x = decode(jwk["x"])
    if jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(x)
    y = decode(jwk.get("y") or "")
    if jwk["crv"] != "P-256" or (len(x), len(y)) != (32, 32):
        raise ValueError("not the curve of the algorithm")
    numbers = EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1()
    )
    return numbers.public_key()


def _rsa_key(n: bytes, e: bytes) -> Any:
    modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    if n[:1] == b"\0" or e[:1] == b"\0" or exponent >= _LONGEST_EXPONENT:
        raise ValueError("not in the one way that RFC 7518 §6.3 writes it, or too large")
    if modulus.bit_length() not in _RSA_BITS:
        raise ValueError("too short or too long")
    return RSAPublicNumbers(exponent, modulus).public_key()
