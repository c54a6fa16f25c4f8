"""Verify tokens with the keys and at the time of the moment."""

from collections.abc import Callable

from app.dpop import check_scheme
from app.errors import UnknownKey
from app.keys import Key, KeyRing, KeyRingFile
from app.tokens import Claims, Header, check_claims, check_signature, find_key, parse_header, verify


class Verifier:
    """Verifies what this issuer signed, with the keys and at the time of the moment."""

    def __init__(
        self, keys: KeyRingFile, clock: Callable[[], float], *, issuer: str, leeway_s: int
    ) -> None:
        self.issuer = issuer
        self.leeway_s = leeway_s
        self._keys = keys
        self._clock = clock

    def now(self) -> float:
        """Return epoch seconds."""
        return self._clock()

    def ring(self) -> KeyRing:
        """Return the keys in force."""
        return self._keys.current()

    def find_key(self, header: Header) -> Key:
        """Return the key that the header names; raise UnknownKey. Only the file is looked at."""
        ring = self.ring()
        try:
            return find_key(header, ring, self.now())
        except UnknownKey:
            return find_key(header, self._newer_than(ring), self.now())

    def _newer_than(self, ring: KeyRing) -> KeyRing:
        newer = self._keys.look_again()
        if newer is ring:
            raise UnknownKey("no key of that kid")
        return newer

    def signed_claims(self, token: str) -> Claims:
        """Return the claims of a token that was signed here, in its time or not; raise Refused."""
        header = parse_header(token)
        key = self.find_key(header)
        return check_claims(check_signature(token, header, key), self.issuer)

    def verify_shown(self, token: str, *, is_dpop: bool) -> Claims:
        """Return the claims of a good token that came by its own scheme; raise Refused.

        Whoever finds it again by its whole header needs not look at the scheme again.
        """
        claims = self.verify(token)
        check_scheme(claims.confirmation, is_dpop=is_dpop)
        return claims

    def verify(self, token: str) -> Claims:
        """Return the claims of a good token; raise the Refused that names what is wrong."""
        ring = self.ring()
        try:
            return self._verify(token, ring)
        except UnknownKey:
            return self._verify(token, self._newer_than(ring))

    def _verify(self, token: str, ring: KeyRing) -> Claims:
        return verify(token, ring, issuer=self.issuer, now=self.now(), leeway_s=self.leeway_s)
