"""Signing keys: each `kid` bound to one algorithm; published before they sign (RFC 7517).

The directory holds a text file `keyring` with a line `KID ALG SIGNS_FROM_S` per key, and the
key itself in `KID.pem` (PKCS#8) or, for HS256, `KID.secret` (32 bytes in base64url).
"""

import hmac
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.utils import base64url_decode, base64url_encode

from app.clients import LONGEST_TTL_S
from app.errors import ConfigError, NoSigningKey, UnknownKey

ALGORITHMS = ("ES256", "EdDSA", "RS256", "HS256")
_OVERLAP_S = LONGEST_TTL_S + 60
"""A key outlives its last signature by the longest token lifetime and the largest leeway."""

_LOOK_AGAIN_S = 0.1
"""scripts/key waits for this and for memory.py's, so that what it says is true of every worker."""

_CANONICAL = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
JOSE: dict[str, Algorithm] = {alg: get_default_algorithms()[alg] for alg in ALGORITHMS}

log = logging.getLogger("portcullis.keys")


@dataclass(frozen=True, slots=True)
class Key:
    """One key and the only algorithm that it may be used with. Times are epoch seconds."""

    kid: str
    alg: str
    signs_from_s: int
    verifies_until_s: float
    signing: Any
    verifying: Any
    header: str = ""
    """The first segment of every token that this key signs."""

    nonce_key: bytes = field(default=b"", repr=False)
    """Made from the key, for nonces (nonces.py): so all who share the keyring share it."""

    def public_jwk(self) -> dict[str, Any] | None:
        """Return the JWK that may be shown to anyone; None for a shared secret."""
        if self.alg == "HS256":
            return None
        jwk: dict[str, Any] = JOSE[self.alg].to_jwk(self.verifying, as_dict=True)
        jwk.pop("key_ops", None)  # PyJWT's for RSA; not beside `use` (RFC 7517 §4.3)
        return {**jwk, "kid": self.kid, "alg": self.alg, "use": "sig"}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of one moment, oldest first."""

    keys: tuple[Key, ...]

    def signer(self, now: float) -> Key:
        """Return the newest key whose time has come at `now`; raise NoSigningKey."""
        ready = [key for key in self.keys if key.signs_from_s <= now]
        if not ready:
            log.error("tokens cannot be minted: the keyring has no key that may sign yet")
            raise NoSigningKey("no key may sign yet")
        return ready[-1]

    def find(self, kid: object, now: float) -> Key:
        """Return the key that `kid` names; raise UnknownKey when there is none, or no more."""
        for key in self.keys:
            if key.kid == kid and now < key.verifies_until_s:
                return key
        raise UnknownKey("no key of that kid")

    def signer_of(self, header: str, now: float) -> Key | None:
        """Return the key whose tokens begin with this very segment; None when there is none."""
        for key in self.keys:
            if key.header == header and now < key.verifies_until_s:
                return key
        return None

    def has_all_of(self, before: "KeyRing") -> bool:
        """Tell whether every key of the ring before is still there, and the same."""
        keys = {key.kid: (key.alg, key.verifying) for key in self.keys}
        return all((key.alg, key.verifying) == keys.get(key.kid) for key in before.keys)

    def published(self, now: float) -> list[dict[str, Any]]:
        """Return the JWK set's members: future, present and still verifying keys."""
        jwks = (key.public_jwk() for key in self.keys if now < key.verifies_until_s)
        return [jwk for jwk in jwks if jwk]


def load_keyring(directory: Path) -> KeyRing:
    """Read a whole keyring; raise ConfigError that names the file and the line."""
    path = directory / "keyring"
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        if len(fields) != 3 or fields[1] not in ALGORITHMS or not fields[2].isdigit():
            raise ConfigError(f"{path} line {number}: expected KID ALG SIGNS_FROM_S")
        entries.append((int(fields[2]), fields[0], fields[1]))
    if not entries:
        raise ConfigError(f"{path} names no key")
    if len({kid for _, kid, _ in entries}) != len(entries):
        raise ConfigError(f"{path} names a kid twice")
    entries.sort(key=lambda entry: entry[0])
    ends = [entry[0] + _OVERLAP_S for entry in entries[1:]] + [float("inf")]
    keys = (
        _load_key(directory, kid, alg, signs_from_s, until)
        for (signs_from_s, kid, alg), until in zip(entries, ends, strict=True)
    )
    return KeyRing(tuple(keys))


def _load_key(directory: Path, kid: str, alg: str, signs_from_s: int, until_s: float) -> Key:
    path = directory / f"{kid}.{'secret' if alg == 'HS256' else 'pem'}"
    try:
        if alg == "HS256":
            signing: Any = base64url_decode(path.read_text("ascii").strip())
            verifying = signing
        else:
            signing = load_pem_private_key(path.read_bytes(), password=None)
            verifying = signing.public_key()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"cannot use {path} as an {alg} key: {error}") from error
    if not _fits(alg, signing):
        raise ConfigError(f"cannot use {path} as an {alg} key: wrong kind, curve or length")
    header = json.dumps({"alg": alg, "kid": kid, "typ": "at+jwt"}, separators=(",", ":"))
    segment = base64url_encode(header.encode()).decode()
    return Key(kid, alg, signs_from_s, until_s, signing, verifying, segment, _nonce_key(signing))


def _nonce_key(signing: Any) -> bytes:
    """Nobody who sees what it makes learns anything of the signing key."""
    raw = signing if isinstance(signing, bytes) else signing.private_bytes(*_CANONICAL)
    return hmac.digest(raw, b"portcullis DPoP nonce", "sha256")


def _fits(alg: str, key: object) -> bool:
    """Tell whether `alg` may be used with a key of this kind and size (RFC 7518 §3.2 to §3.4)."""
    match key:
        case bytes():
            return alg == "HS256" and len(key) >= 32
        case EllipticCurvePrivateKey():
            return alg == "ES256" and isinstance(key.curve, SECP256R1)
        case Ed25519PrivateKey():
            return alg == "EdDSA"
        case RSAPrivateKey():
            return alg == "RS256" and key.key_size >= 2048
    return False


class KeyRingFile:
    """The keyring as it now stands on disk, looked at no more than ten times a second."""

    def __init__(self, directory: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._mark = self._stat()
        self._ring = load_keyring(directory)
        self._looked_at = monotonic()
        self._complaint = ""

    def current(self) -> KeyRing:
        """Return the ring; a file that has become unreadable leaves the last good one in force."""
        now = self._monotonic()
        if now - self._looked_at >= _LOOK_AGAIN_S:
            self._looked_at = now
            self._reload_if_changed()
        return self._ring

    def look_again(self) -> KeyRing:
        """Return the ring as it stands this very moment, for a `kid` that is not in `current`.

        Another worker may have seen a new keyring first. One that was found bad is left to
        `current`: otherwise whoever makes up a `kid` would have it read each time.
        """
        if not self._complaint:
            self._reload_if_changed()
        return self._ring

    def _reload_if_changed(self) -> None:
        mark = self._stat()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._ring = load_keyring(self._directory)
        except ConfigError as error:
            self._mark = None  # Its keys may be on their way still, from another machine.
            if str(error) != self._complaint:
                log.error("keyring not reloaded: %s", error)
            self._complaint = str(error)
        else:
            self._complaint = ""
            log.info("keyring reloaded: %d keys", len(self._ring.keys))

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = (self._directory / "keyring").stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size
