"""What callers prove by DPoP: each proof is good once, on any worker (RFC 9449 §4.3, §8, §11.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.correlation import sane_request_id
from app.dpop import WINDOW_S, DpopRules, Proof, check_request, check_token, read_proof
from app.dpop_errors import (
    InvalidDpopProof,
    InvalidProof,
    NonceNeeded,
    ReplayedProof,
    UseDpopNonce,
)
from app.htu import origin_of
from app.metrics import Metrics
from app.nonces import is_fresh, new_nonce
from app.store import Store
from app.verifier import Verifier

_MARGIN_S = 5
"""A proof is remembered for longer than any gateway's clock would still take it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A DPoP header, and the request that it came with.

    `urls` are what the caller may call the one that it has called; `request_id` is nginx's.
    """

    header: str | None
    method: str
    urls: tuple[str, ...]
    request_id: str

    @classmethod
    def of_call(cls, environ: Mapping[str, Any]) -> "Shown":
        """Read what nginx says of a protected call; no client can say it."""
        return cls(
            environ.get("HTTP_DPOP"),
            environ.get("HTTP_X_ORIGINAL_METHOD") or "",
            (environ.get("HTTP_X_ORIGINAL_URL") or "",),
            sane_request_id(environ.get("HTTP_X_REQUEST_ID")),
        )


class DpopProofs:
    """Holds proofs against requests, tokens, the time, and what has been shown before."""

    def __init__(
        self, store: Store, verifier: Verifier, metrics: Metrics, rules: DpopRules
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._metrics = metrics
        self._bases = rules.bases
        self._origins = {origin_of(one) for one in (*rules.bases, *rules.origins)} - {None}
        self._needs_nonce = rules.needs_nonce

    def key_of(
        self, header: str | None, path: str, request_id: str, now: float, *, is_needed: bool
    ) -> str | None:
        """Return the thumbprint of the key that a token is to be bound to; None for a plain one.

        `path` is that of the endpoint. Raises InvalidDpopProof and UseDpopNonce.
        """
        if header is None and not is_needed:
            return None
        urls = tuple(f"{base}{path}" for base in self._bases)
        try:
            return self._check(Shown(header, "POST", urls, request_id), now).jkt
        except NonceNeeded as refusal:
            raise UseDpopNonce(refusal.nonce) from refusal
        except InvalidProof as refusal:
            raise InvalidDpopProof(f"the DPoP proof is not good: {refusal}") from refusal

    def check(self, shown: Shown, token: str, dpop_key: str, now: float) -> None:
        """Raise WrongProof unless the call proves that it has the key that its token is bound to.

        Raises StoreUnavailable when nobody knows whether the proof is new.
        """
        if not {origin_of(url) for url in shown.urls} <= self._origins:
            raise InvalidProof("the call came to an origin that is not in DPOP_ORIGINS")
        self._check(shown, now, token, dpop_key)

    def nonce(self, now: float) -> str | None:
        """Return the nonce for the next proof; None where none is asked for."""
        return new_nonce(self._verifier.ring(), now) if self._needs_nonce else None

    def _check(
        self, shown: Shown, now: float, token: str | None = None, dpop_key: str = ""
    ) -> Proof:
        proof = read_proof(shown.header)
        check_request(proof, shown.method, shown.urls, now)
        if token is not None:
            check_token(proof, token, dpop_key)
        self._check_nonce(proof, now)
        ttl_s = int(proof.iat + WINDOW_S - now) + _MARGIN_S
        if not self._store.is_first_showing(proof.mark(), shown.request_id, ttl_s):
            self._metrics.count("dpop_proofs_replayed")
            raise ReplayedProof("another request has shown it")
        return proof

    def _check_nonce(self, proof: Proof, now: float) -> None:
        if self._needs_nonce:
            ring = self._verifier.ring()
            if not is_fresh(proof.nonce or "", ring, now):
                self._metrics.count("dpop_nonces_asked_for")
                raise NonceNeeded(new_nonce(ring, now))
