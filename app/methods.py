"""How a client shows who it is, as its record says (RFC 7591 §2, RFC 8705 §2)."""

from collections.abc import Mapping
from dataclasses import dataclass

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
KEY_METHOD = "private_key_jwt"
CA_METHOD = "tls_client_auth"
SELF_SIGNED_METHOD = "self_signed_tls_client_auth"
CERTIFICATE_METHODS = (CA_METHOD, SELF_SIGNED_METHOD)
_METHODS = (*SECRET_METHODS, KEY_METHOD, *CERTIFICATE_METHODS)
_SUBJECTS = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")

FIELDS = (
    *("token_endpoint_auth_method", "jwks", "jwks_uri"),
    "tls_client_certificate_bound_access_tokens",
    *(f"{CA_METHOD}_{subject}" for subject in _SUBJECTS),
)
"""Of a client's record; each may be absent or empty."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of authentication, and what it is held against. No name: either secret method.

    `jwks` is JSON text. `subject` is the kind of name that a certificate must have, and the name.
    """

    name: str = ""
    jwks: str = ""
    jwks_uri: str = ""
    subject: tuple[str, str] | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> "Method":
        """Read a client's record; raise ValueError when it does not say what to hold against."""
        name = fields.get("token_endpoint_auth_method", "")
        if name and name not in _METHODS:
            raise ValueError("a client's token_endpoint_auth_method is not known")
        jwks, jwks_uri = fields.get("jwks", ""), fields.get("jwks_uri", "")
        if name in {KEY_METHOD, SELF_SIGNED_METHOD} and bool(jwks) == bool(jwks_uri):
            raise ValueError(f"a client of {name} needs jwks or jwks_uri, and not both")
        subjects = [(kind, fields.get(f"{CA_METHOD}_{kind}", "")) for kind in _SUBJECTS]
        named = [(kind, expected) for kind, expected in subjects if expected]
        if name == CA_METHOD and len(named) != 1:
            raise ValueError(f"a client of {CA_METHOD} needs one subject")
        return cls(name, jwks, jwks_uri, named[0] if name == CA_METHOD else None)

    def takes(self, shown: str) -> bool:
        """Tell whether a client may authenticate in this way: no other than its own counts."""
        return shown == self.name if self.name else shown in SECRET_METHODS


UNSAID = Method()


def flag(text: str | None) -> bool:
    """Return what a field that is `true`, `false` or empty says; raise ValueError for others."""
    if text not in {None, "", "true", "false"}:
        raise ValueError("a client's flag is neither true nor false")
    return text == "true"
