"""`GET /admin/api/about` and `POST /admin/api/session`: what this gateway is, and signing in."""

import falcon

from app.admin.desk import Desk
from app.admin.documents import show
from app.admin.session import SESSION_S


class AboutEndpoint:
    """What the page says of itself before anything else."""

    def __init__(self, desk: Desk, issuer: str) -> None:
        self._desk = desk
        self._issuer = issuer

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        show(
            resp,
            {
                "issuer": self._issuer,
                "can_change": self._desk.is_open,
                "is_signed_in": self._desk.is_signed_in(req),
            },
        )

    on_head = on_get


class SessionEndpoint:
    """A session for the admin token. The page forgets it to sign out; it ends by itself too."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        show(resp, {"session": self._desk.sign_in(req), "expires_in_s": SESSION_S})
