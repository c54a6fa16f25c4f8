"""Client certificates, as nginx tells of them (RFC 8705): `$ssl_client_escaped_cert`."""

import hashlib
import re
from base64 import b64decode, urlsafe_b64encode
from urllib.parse import unquote

from app.errors import WrongProof

CERTIFICATE = "HTTP_X_SSL_CLIENT_CERT"
"""Where a WSGI environment has the header that nginx sets, and that no client can."""

_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?", re.ASCII
)
_MOST_REMEMBERED = 4_096


def decode(header: str) -> bytes:
    """Return a certificate in DER from a header with its PEM, escaped; raise ValueError."""
    pem = _PEM.fullmatch(unquote(header))
    if not pem:
        raise ValueError("not one certificate in PEM")
    return b64decode(pem[1].replace("\n", ""), validate=True)


def thumbprint(der: bytes) -> str:
    """Return SHA-256 in base64url, as `x5t#S256` has it (RFC 8705 §3.1)."""
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


class CertificateProofs:
    """Whether a request came over a connection whose client has a certificate's key.

    The TLS handshake has proven that already; what is left is to tell which certificate it was.
    Where nobody asks clients for a certificate, none is believed: `is_on` is False.
    """

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._headers: dict[str, str] = {}

    def thumbprint(self, header: str | None) -> str | None:
        """Return the thumbprint of the certificate that was shown; None when there was none."""
        if not header or not self._is_on:
            return None
        try:
            return thumbprint(decode(header))
        except ValueError:
            return None

    def check(self, header: str | None, expected: str) -> None:
        """Raise WrongProof unless the certificate of this thumbprint was shown.

        A header that was found to be a thumbprint's is remembered by it: then comparing the two is
        all there is to do, without even hashing.
        """
        if header and self._headers.get(expected) == header:
            return
        if self.thumbprint(header) != expected:
            raise WrongProof("bound to a certificate that was not shown")
        if len(self._headers) >= _MOST_REMEMBERED:
            self._headers.clear()
        self._headers[expected] = header or ""
