"""`POST /introspect`: what a token is worth at this moment (RFC 7662)."""

from typing import Any

import falcon

from app.clients import Client
from app.confirmation import token_type
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.credentials import read_credentials
from app.endpoints.origin import origin_of
from app.endpoints.parameters import read_parameters
from app.errors import Refused, Spent
from app.memory import Memory
from app.rendering import forbid_storing
from app.store import Store
from app.tokens import Claims
from app.verifier import Verifier

FOREIGN_SCOPE = "introspect"
"""A client that is allowed this scope may ask about other clients' tokens."""


class IntrospectionEndpoint:
    """Tells an authenticated client about its own tokens. Never spends a one-time token."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        authentication: ClientAuthentication,
        verifier: Verifier,
    ) -> None:
        self._store = store
        self._memory = memory
        self._authentication = authentication
        self._verifier = verifier

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """An inactive token is told nothing more about (RFC 7662 §2.2)."""
        forbid_storing(resp)
        parameters = read_parameters(req)
        credentials = read_credentials(req, parameters)
        now, address = self._verifier.now(), origin_of(req).address
        caller = self._authentication.authenticate(credentials, now, address).client
        token = parameters.require("token")
        try:
            resp.media = self._active(self._live_claims(token, caller))
        except Refused:
            resp.media = {"active": False}

    def _live_claims(self, token: str, caller: Client) -> Claims:
        claims = self._memory.live_claims(token, self._verifier.now())
        if claims.client_id != caller.client_id and FOREIGN_SCOPE not in caller.scopes:
            raise Refused("not the caller's to know about")
        if claims.is_once and not self._store.is_unspent(claims.jti):
            raise Spent("spent")
        return claims

    def _active(self, claims: Claims) -> dict[str, Any]:
        audiences = list(claims.audiences)
        bound_to = {"cnf": claims.confirmation.claim()} if claims.confirmation else {}
        return {
            "active": True,
            "scope": claims.scope,
            "client_id": claims.client_id,
            "sub": claims.client_id,
            "aud": audiences[0] if len(audiences) == 1 else audiences,
            "iss": self._verifier.issuer,
            "iat": claims.iat,
            "exp": claims.exp,
            "jti": claims.jti,
            "token_type": token_type(claims.confirmation),
            **bound_to,
        }
