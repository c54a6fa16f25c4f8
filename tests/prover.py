"""A client's own key, and the DPoP proofs that it can make, good and bad ones."""

import hashlib
import itertools
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from tests.forgery import encode

_JOSE = get_default_algorithms()
_NAMES = {"Ed25519": "EdDSA"}
_COUNT = itertools.count()


def ath_of(token: str) -> str:
    return encode(hashlib.sha256(token.encode()).digest())


class Prover:
    """A key pair. `jwk` is its public half, `private_jwk` the whole of it."""

    def __init__(self, alg: str = "ES256", bits: int = 2048) -> None:
        made: Any
        if alg == "ES256":
            made = ec.generate_private_key(ec.SECP256R1())
        elif alg in {"EdDSA", "Ed25519"}:
            made = ed25519.Ed25519PrivateKey.generate()
        else:
            made = rsa.generate_private_key(65537, bits)
        self.alg, self.key = alg, made
        self._signer: Any = _JOSE[_NAMES.get(alg, alg)]
        self.private_jwk = _plain(self._signer.to_jwk(made, as_dict=True))
        self.jwk = _plain(self._signer.to_jwk(made.public_key(), as_dict=True))

    @property
    def jkt(self) -> str:
        """RFC 7638, by the letter: the required members in order, without spaces."""
        needed = {
            "EC": ("crv", "kty", "x", "y"),
            "OKP": ("crv", "kty", "x"),
            "RSA": ("e", "kty", "n"),
        }
        members = {name: self.jwk[name] for name in needed[self.jwk["kty"]]}
        return encode(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())

    def proof(
        self,
        method: str,
        url: str,
        now: float,
        token: str | None = None,
        header: dict[str, object] | None = None,
        **changes: object,
    ) -> str:
        """A proof for one request; what is changed to `...`, of claims or `header`, is left out."""
        claims: dict[str, object] = {
            "jti": f"{next(_COUNT)}-{secrets.token_hex(8)}",
            "htm": method,
            "htu": url,
            "iat": now,
        }
        if token is not None:
            claims["ath"] = ath_of(token)
        shown = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk, **(header or {})}
        return self.signed(_without_dots(shown), _without_dots({**claims, **changes}))

    def signed(self, header: object, payload: object) -> str:
        """Sign whatever there is with the true key."""
        text = f"{encode(header)}.{encode(payload)}"
        return f"{text}.{encode(self._signer.sign(text.encode(), self.key))}"


def _plain(jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name != "key_ops"}


def _without_dots(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not ...}
