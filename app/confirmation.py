"""What a token is bound to, besides who bears it (RFC 7800 §3.1)."""

from dataclasses import dataclass

from app.errors import WrongProof


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Thumbprints, SHA-256 in base64url, of what the caller must show that it has: each of them.

    Of a certificate (RFC 8705 §3.1), of a DPoP key (RFC 9449 §6.1).
    """

    certificate: str | None = None
    dpop_key: str | None = None

    @classmethod
    def from_claim(cls, cnf: object) -> "Confirmation":
        """Read a `cnf` claim; raise WrongProof when it asks for what nobody here could check."""
        if not isinstance(cnf, dict) or not cnf or not cnf.keys() <= {"x5t#S256", "jkt"}:
            raise WrongProof("cnf has a confirmation method that is not known")
        if not all(isinstance(thumbprint, str) and thumbprint for thumbprint in cnf.values()):
            raise WrongProof("cnf has a thumbprint that is not a string")
        return cls(cnf.get("x5t#S256"), cnf.get("jkt"))

    def claim(self) -> dict[str, str]:
        """Return the value of a `cnf` claim."""
        members = {"x5t#S256": self.certificate, "jkt": self.dpop_key}
        return {name: value for name, value in members.items() if value is not None}


def token_type(bound_to: Confirmation | None) -> str:
    """Return how a token is to be presented (RFC 6749 §7.1, RFC 9449 §5)."""
    return "DPoP" if bound_to is not None and bound_to.dpop_key is not None else "Bearer"
