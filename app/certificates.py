"""Client certificates, as nginx tells of them (RFC 8705): `$ssl_client_escaped_cert`."""

import hashlib
import ipaddress
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cryptography import x509

from app.errors import WrongProof

CERTIFICATE = "HTTP_X_SSL_CLIENT_CERT"
_VERIFY = "HTTP_X_SSL_CLIENT_VERIFY"
"""Where a WSGI environment has the headers that nginx sets, and that no client can."""

_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n?", re.ASCII
)
_MORE_NAMES = {
    "emailAddress": x509.NameOID.EMAIL_ADDRESS,
    "serialNumber": x509.NameOID.SERIAL_NUMBER,
}
"""Of attributes that openssl and nginx write so, and that RFC 4514 has no name for."""

_MOST_REMEMBERED = 4_096
_UNREADABLE = (
    *(ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension),
    *(x509.UnsupportedGeneralNameType, x509.InvalidVersion),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate whose key the client has proven to have, in the TLS handshake.

    `header` is its PEM, escaped; `is_verified` says that an authority which nginx trusts signed it.
    """

    header: str
    is_verified: bool = False


def shown_in(environ: Mapping[str, Any]) -> Shown | None:
    """Return the certificate of a request's connection; None when there was none."""
    header = environ.get(CERTIFICATE)
    return Shown(header, environ.get(_VERIFY) == "SUCCESS") if header else None


def decode(header: str) -> bytes:
    """Return a certificate in DER from a header with its PEM, escaped; raise ValueError."""
    pem = _PEM.fullmatch(unquote(header))
    if not pem:
        raise ValueError("not one certificate in PEM")
    return b64decode(pem[1].replace("\n", ""), validate=True)


def thumbprint(der: bytes) -> str:
    """Return SHA-256 in base64url, as `x5t#S256` has it (RFC 8705 §3.1)."""
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def is_named(shown: Shown, kind: str, expected: str) -> bool:
    """Tell whether a certificate has exactly this name (RFC 8705 §2.1.2).

    `kind` is subject_dn, with the name as in RFC 4514, or one of san_dns, san_uri, san_ip and
    san_email. Nothing is a wildcard, and letters differ from capitals.
    """
    try:
        certificate = x509.load_der_x509_certificate(decode(shown.header))
        if kind == "subject_dn":
            return certificate.subject == x509.Name.from_rfc4514_string(expected, _MORE_NAMES)
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return _has_name(extension.value, kind, expected)
    except _UNREADABLE:
        return False


def _has_name(names: x509.SubjectAlternativeName, kind: str, expected: str) -> bool:
    match kind:
        case "san_dns":
            return expected in names.get_values_for_type(x509.DNSName)
        case "san_uri":
            return expected in names.get_values_for_type(x509.UniformResourceIdentifier)
        case "san_email":
            return expected in names.get_values_for_type(x509.RFC822Name)
        case "san_ip":
            return ipaddress.ip_address(expected) in names.get_values_for_type(x509.IPAddress)
    return False


class CertificateProofs:
    """Whether a request came over a connection whose client has a certificate's key.

    The TLS handshake has proven that already; what is left is to tell which certificate it was.
    Where nobody asks clients for a certificate, none is believed: `is_on` is False.
    """

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self.proven: dict[str | None, str] = {}
        """The header in which a certificate was last shown, by its thumbprint."""

    def thumbprint(self, shown: Shown | None) -> str | None:
        """Return the thumbprint of the certificate that was shown; None when there was none."""
        if shown is None or not self._is_on:
            return None
        try:
            return thumbprint(decode(shown.header))
        except ValueError:
            return None

    def check(self, header: str | None, expected: str) -> None:
        """Raise WrongProof unless the certificate of this thumbprint was shown.

        A header that was found to be a thumbprint's is remembered by it. Then comparing the two is
        all there is to do, without hashing: a warm request's path has that line to itself.
        """
        if header and self.proven.get(expected) == header:
            return
        if self.thumbprint(Shown(header) if header else None) != expected:
            raise WrongProof("bound to a certificate that was not shown")
        if len(self.proven) >= _MOST_REMEMBERED:
            self.proven.clear()
        self.proven[expected] = header or ""
