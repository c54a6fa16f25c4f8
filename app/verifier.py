"""Verify tokens with the keys and at the time of the moment."""

from collections.abc import Callable

from app.dpop import check_scheme
from app.keys import KeyRing, KeyRingFile
from app.tokens import Claims, check_claims, check_signature, find_key, parse_header, verify


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

    def signed_claims(self, token: str) -> Claims:
        """Return the claims of a token that was signed here, in its time or not; raise Refused."""
        header = parse_header(token)
        key = find_key(header, self.ring(), self.now())
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
        return verify(
            token, self.ring(), issuer=self.issuer, now=self.now(), leeway_s=self.leeway_s
        )
