"""What can be wrong with a DPoP proof: at the gateway, and at the token endpoint (RFC 9449)."""

from app.errors import OAuthError, WrongProof


class WrongDpopProof(WrongProof):
    """Token and proof do not go together, and the challenge is one for DPoP (RFC 9449 §7.1)."""


class InvalidProof(WrongDpopProof):
    """The proof is none, or not for this request."""

    error = "invalid_dpop_proof"


class ReplayedProof(InvalidProof):
    """Another request has shown this proof."""


class NonceNeeded(WrongDpopProof):
    """The proof must carry `nonce`, and has none or an old one (RFC 9449 §9)."""

    error = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("its nonce is none of ours, or too old")
        self.nonce = nonce


class InvalidDpopProof(OAuthError):
    """RFC 9449 §5."""

    error = "invalid_dpop_proof"


class UseDpopNonce(OAuthError):
    """RFC 9449 §8."""

    error = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("the proof must carry the nonce that is in DPoP-Nonce")
        self.nonce = nonce

    def headers(self, realm: str) -> dict[str, str]:  # noqa: ARG002
        return {"DPoP-Nonce": self.nonce}
