"""Keys and certificates that clients show, made for a test."""

import datetime
import hashlib
import ipaddress
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_DAY = datetime.timedelta(days=1)


def new_key(alg: str = "ES256") -> PrivateKey:
    """Return a new private key that an algorithm takes."""
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if alg[:2] in {"RS", "PS"}:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if alg == "ES384" else ec.SECP256R1())


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_jwk(key: PrivateKey, kind: str = "ES256", **members: object) -> dict[str, Any]:
    """Return the JWK of the public half, with members of the test's own."""
    jose: Any = get_default_algorithms()[kind]
    jwk: dict[str, Any] = jose.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, **members}


def private_jwk(key: PrivateKey, kind: str = "ES256") -> dict[str, Any]:
    """Return the JWK of the whole key, as its owner keeps it."""
    jose: Any = get_default_algorithms()[kind]
    jwk: dict[str, Any] = jose.to_jwk(key, as_dict=True)
    jwk.pop("key_ops", None)
    return jwk


def key_set(*jwks: dict[str, Any]) -> str:
    """Return a JWK set as text."""
    return json.dumps({"keys": jwks})


@dataclass(frozen=True)
class Identity:
    """A certificate and its key. Made now, while the clock of most tests is far in the future."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def header(self) -> str:
        """As nginx writes it: `$ssl_client_escaped_cert`."""
        return quote(self.pem, safe="-._~")

    @property
    def thumbprint(self) -> str:
        return urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode()

    def jwk(self) -> dict[str, Any]:
        """The key with its certificate, as `self_signed_tls_client_auth` wants it registered."""
        return public_jwk(self.key, x5c=[b64encode(self.der).decode()])

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Write NAME.crt and NAME.key; return their paths."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text(self.pem)
        key.write_text(private_pem(self.key))
        return str(certificate), str(key)


def dn(**names: str) -> x509.Name:
    """Return a distinguished name: CN, O, C, as `dn(C="DE", O="Acme", CN="billing")`."""
    oids = {
        "C": x509.NameOID.COUNTRY_NAME,
        "O": x509.NameOID.ORGANIZATION_NAME,
        "CN": x509.NameOID.COMMON_NAME,
        "emailAddress": x509.NameOID.EMAIL_ADDRESS,
    }
    return x509.Name([x509.NameAttribute(oids[name], value) for name, value in names.items()])


def identity(
    subject: x509.Name | None = None,
    *,
    by: "Identity | None" = None,
    is_ca: bool = False,
    dns: tuple[str, ...] = (),
    uris: tuple[str, ...] = (),
    ips: tuple[str, ...] = (),
    emails: tuple[str, ...] = (),
) -> Identity:
    """Make a certificate, self-signed unless it is issued `by` another."""
    key, subject = new_key(), subject or dn(CN="billing")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    names: list[x509.GeneralName] = [
        *map(x509.DNSName, dns),
        *map(x509.UniformResourceIdentifier, uris),
        *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips),
        *map(x509.RFC822Name, emails),
    ]
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signing = by.key if by else key
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    return Identity(builder.sign(signing, hashes.SHA256()), key)
