"""What other programs need to know of this server (RFC 8414, RFC 7517)."""

import falcon

from app.verifier import Verifier

_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
JWKS_MAX_AGE_S = 300
"""How long a verifier may keep the keys. Rotation publishes a key longer than this before use."""


class MetadataEndpoint:
    """`GET /.well-known/oauth-authorization-server`: lists only what works."""

    def __init__(self, issuer: str) -> None:
        self._document = {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "revocation_endpoint": f"{issuer}/revoke",
            "introspection_endpoint": f"{issuer}/introspect",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": _AUTH_METHODS,
            "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
            "introspection_endpoint_auth_methods_supported": _AUTH_METHODS,
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
