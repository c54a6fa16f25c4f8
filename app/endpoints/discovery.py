"""What other programs need to know of this server (RFC 8414, RFC 7517)."""

from typing import Any

import falcon

from app.key_sets import ALGORITHMS
from app.methods import CERTIFICATE_METHODS, KEY_METHOD, SECRET_METHODS
from app.proof_key import PROOF_ALGORITHMS
from app.verifier import Verifier

_PROTECTED = ("token", "revocation", "introspection")
JWKS_MAX_AGE_S = 300
"""How long a verifier may keep the keys. Rotation publishes a key longer than this before use."""


class MetadataEndpoint:
    """`GET /.well-known/oauth-authorization-server`: lists only what works."""

    def __init__(self, issuer: str, mtls_url: str | None) -> None:
        methods = [*SECRET_METHODS, KEY_METHOD, *(CERTIFICATE_METHODS if mtls_url else ())]
        self._document: dict[str, Any] = {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "revocation_endpoint": f"{issuer}/revoke",
            "introspection_endpoint": f"{issuer}/introspect",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            **{f"{name}_endpoint_auth_methods_supported": methods for name in _PROTECTED},
            **{
                f"{name}_endpoint_auth_signing_alg_values_supported": ALGORITHMS
                for name in _PROTECTED
            },
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        }
        if mtls_url:
            self._document["tls_client_certificate_bound_access_tokens"] = True
        if mtls_url and mtls_url != issuer:
            # RFC 8705 §5: the same endpoints, where clients are asked for a certificate.
            self._document["mtls_endpoint_aliases"] = {
                "token_endpoint": f"{mtls_url}/token",
                "revocation_endpoint": f"{mtls_url}/revoke",
                "introspection_endpoint": f"{mtls_url}/introspect",
            }

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """The issuer is identical to the byte with the `iss` of tokens (RFC 8414 §3.3)."""
        resp.media = self._document
        resp.cache_control = [f"max-age={JWKS_MAX_AGE_S}"]

    on_head = on_get


class JwksEndpoint:
    """`GET /.well-known/jwks.json`: public keys, from before they sign until their last token."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """A JWK set (RFC 7517 §5)."""
        resp.media = {"keys": self._verifier.ring().published(self._verifier.now())}
        resp.cache_control = [f"max-age={JWKS_MAX_AGE_S}"]

    on_head = on_get
