"""Nonces for DPoP proofs: made of time and key alone, kept nowhere (RFC 9449 §8). Pure."""

import hmac

from jwt.utils import base64url_encode

from app.keys import Key, KeyRing

STEP_S = 60


def new_nonce(ring: KeyRing, now: float) -> str:
    """Return the nonce of the moment. Every worker and gateway with these keys takes it."""
    ready = (key for key in reversed(ring.keys) if key.signs_from_s <= now)
    return _nonce(next(ready, ring.keys[-1]), _step(now))


def is_fresh(nonce: str, ring: KeyRing, now: float) -> bool:
    """Tell whether a nonce is of this minute, the one before, or a faster clock's next one."""
    steps = (_step(now), _step(now) - 1, _step(now) + 1)
    sent = nonce.encode("utf-8", "surrogatepass")
    return any(
        hmac.compare_digest(sent, _nonce(key, step).encode()) for key in ring.keys for step in steps
    )


def _step(now: float) -> int:
    return int(now // STEP_S)


def _nonce(key: Key, step: int) -> str:
    return base64url_encode(hmac.digest(key.nonce_key, str(step).encode(), "sha256")[:16]).decode()
