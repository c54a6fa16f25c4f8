"""DPoP proofs: what one has to be, for a request and for a token (RFC 9449 §4). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from jwt.utils import base64url_encode

from app.confirmation import Confirmation, token_type
from app.dpop_errors import InvalidProof, WrongDpopProof
from app.errors import Malformed
from app.htu import normalized
from app.proof_key import read_key
from app.segments import decode, read_object

WINDOW_S = 60
"""How far, either way, a proof's `iat` may be from the clock here."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_LONGEST_JTI = 256


@dataclass(frozen=True, slots=True)
class DpopRules:
    """What this gateway asks of proofs.

    `bases` are the URLs of this server, below which are its endpoints. `origins` are what else the
    gateway serves: a proof for any other one was given to somebody else, whatever Host says.
    """

    bases: tuple[str, ...]
    origins: tuple[str, ...]
    needs_nonce: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody says who has the private key of `jkt`. `iat` is epoch seconds."""

    jkt: str
    jti: str
    htm: str
    htu: str
    iat: float
    ath: str | None
    nonce: str | None

    def mark(self) -> str:
        """Return what this proof is known by when it comes again; of a fixed length."""
        return sha256(f"{self.jkt} {self.jti}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_proof(header: str | None) -> Proof:
    """Return what a DPoP header says, signed by the very key that it shows; raise InvalidProof.

    Several headers, which come as one with commas, are none (RFC 9449 §4.3, 1).
    """
    if not header:
        raise InvalidProof("no proof was sent")
    segments = _COMPACT.fullmatch(header)
    if segments is None:
        raise InvalidProof("not one proof, of three segments of base64url")
    key = read_key(segments[1])
    try:
        signature, payload = decode(segments[3]), read_object(decode(segments[2]))
    except Malformed as error:
        raise InvalidProof("it cannot be read") from error
    if not key.has_signed(f"{segments[1]}.{segments[2]}", signature):
        raise InvalidProof("its own key did not sign it")
    jti = _text(payload, "jti")
    if not 0 < len(jti) <= _LONGEST_JTI:
        raise InvalidProof("its jti is empty or too long")
    return Proof(
        jkt=key.jkt,
        jti=jti,
        htm=_text(payload, "htm"),
        htu=_text(payload, "htu"),
        iat=_time(payload, "iat"),
        ath=_text(payload, "ath") if "ath" in payload else None,
        nonce=_text(payload, "nonce") if "nonce" in payload else None,
    )


def check_request(proof: Proof, method: str, urls: Iterable[str], now: float) -> None:
    """Raise InvalidProof unless it was made for this request, to one of these, about now."""
    if proof.htm != method:
        raise InvalidProof("its htm is another method")
    htu = normalized(proof.htu)
    if htu is None or all(normalized(url) != htu for url in urls):
        raise InvalidProof("its htu is another URI")
    if not now - WINDOW_S <= proof.iat <= now + WINDOW_S:
        raise InvalidProof("its iat is too far away")


def check_token(proof: Proof, token: str, jkt: str) -> None:
    """Raise WrongProof unless it was made for this token, by the key that the token is bound to."""
    if proof.jkt != jkt:
        raise WrongDpopProof("the token is bound to another key")
    if proof.ath != base64url_encode(sha256(token.encode()).digest()).decode():
        raise InvalidProof("its ath is not of this token")


def check_scheme(bound_to: Confirmation | None, *, is_dpop: bool) -> None:
    """Raise WrongDpopProof for a bound token as plain bearer, and for a plain one that is not.

    RFC 9449 §7.1, §7.2: else whoever has stolen the token could leave the proof out.
    """
    if (token_type(bound_to) == "DPoP") != is_dpop:
        what = "is not bound to a key" if is_dpop else "is bound to a key, and came as plain bearer"
        raise WrongDpopProof(f"the token {what}")


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise InvalidProof(f"its {name} is not a string")
    return value


def _time(payload: dict[str, Any], name: str) -> float:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidProof(f"its {name} is not a number")
    return value
