"""`POST /admin/api/revocations`: kill one token, or every token of everybody."""

import falcon

from app.admin.desk import Desk
from app.admin.documents import read_object, show
from app.admin.registration import jti_of
from app.clients import LONGEST_TTL_S
from app.errors import Expired, InvalidRequest, Refused
from app.replicas import NotReplicated
from app.store import Store
from app.verifier import Verifier


class RevocationsEndpoint:
    """In: `token`, or `jti`, or `all: true`."""

    def __init__(self, desk: Desk, store: Store, verifier: Verifier) -> None:
        self._desk = desk
        self._store = store
        self._verifier = verifier

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """200 once what was named is refused everywhere."""
        registry = self._desk.enter(req)
        document = read_object(req)
        if document.get("all") is True:
            mark_s = registry.revoke_issued(None)
            self._desk.note(req, "revoke_all", detail=f"issued up to {mark_s}")
            show(resp, {"not_before_s": mark_s})
        elif isinstance(document.get("token"), str):
            self._revoke_token(req, resp, document["token"].strip())
        elif document.get("jti"):
            jti = jti_of(document)
            # Nobody knows when it ends: no token lives longer than this.
            self._revoke(req, jti, int(self._verifier.now()) + LONGEST_TTL_S)
            show(resp, {"jti": jti, "expired": False})
        else:
            raise InvalidRequest("token, jti or all is required")

    def _revoke_token(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        """Whose token it is comes from the token, so it has to be one of ours."""
        try:
            claims = self._verifier.verify(token)
        except Expired:
            show(resp, {"jti": None, "expired": True})
            return
        except Refused as refusal:
            raise InvalidRequest(f"not a token of this server: {refusal.reason}") from refusal
        self._revoke(req, claims.jti, claims.exp, claims.client_id)
        show(resp, {"jti": claims.jti, "client_id": claims.client_id, "expired": False})

    def _revoke(self, req: falcon.Request, jti: str, exp: int, client_id: str = "") -> None:
        try:
            self._store.revoke(jti, exp, "admin")
        except NotReplicated:
            self._desk.note(req, "revoke", client_id=client_id, jti=jti)
            raise
        self._desk.note(req, "revoke", client_id=client_id, jti=jti)
