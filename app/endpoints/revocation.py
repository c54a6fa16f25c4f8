"""`POST /revoke`: a client's own token, or a bearer's own self (RFC 7009)."""

import falcon

from app import audit
from app.bearer import bearer, is_bearer
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.credentials import read_credentials
from app.endpoints.origin import origin_of
from app.endpoints.parameters import read_parameters
from app.errors import InvalidRequest, NoToken, Refused, UnauthorizedClient
from app.journal import Journal
from app.memory import Memory
from app.metrics import Metrics
from app.replicas import NotReplicated
from app.store import Store
from app.tokens import Claims
from app.verifier import Verifier


class RevocationEndpoint:
    """Kills tokens. A token that is no good already is answered like one that was just killed."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        authentication: ClientAuthentication,
        journal: Journal,
        metrics: Metrics,
        verifier: Verifier,
    ) -> None:
        self._store = store
        self._memory = memory
        self._authentication = authentication
        self._journal = journal
        self._metrics = metrics
        self._verifier = verifier

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 without a body once the token is refused everywhere (RFC 7009 §2.2)."""
        header = req.get_header("Authorization")
        parameters = read_parameters(req, may_have_none=is_bearer(header))
        if is_bearer(header):
            if parameters.fields:
                raise InvalidRequest("a bearer revokes itself and sends no parameters")
            claims = self._claims_of_bearer(header)
        else:
            credentials = read_credentials(req, parameters)
            now, address = self._verifier.now(), origin_of(req).address
            self._authentication.authenticate(credentials, now, address)
            claims = self._claims(parameters.require("token"))
            if claims and claims.client_id != credentials.client_id:
                refusal = UnauthorizedClient("the token was issued to another client")
                refusal.client_id = credentials.client_id
                raise refusal
        if claims:
            self._revoke(claims, req)
        resp.content_length = 0

    def _claims_of_bearer(self, header: str | None) -> Claims | None:
        try:
            return self._claims(bearer(header))
        except NoToken:
            return None

    def _claims(self, token: str) -> Claims | None:
        try:
            return self._memory.claims(token, self._verifier.now())
        except Refused:
            return None

    def _revoke(self, claims: Claims, req: falcon.Request) -> None:
        entry = audit.entry("revoke", origin_of(req), client_id=claims.client_id, jti=claims.jti)
        try:
            self._store.revoke(claims.jti, claims.exp, "revoke")
        except NotReplicated:
            self._journal.note(entry)  # it is done all the same
            raise
        self._metrics.count("tokens_revoked")
        self._journal.note(entry)
