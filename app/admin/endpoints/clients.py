"""`/admin/api/clients`: who may mint tokens; with a session also create and change."""

from collections.abc import Callable, Mapping
from typing import Any

import falcon

from app.admin.desk import Desk
from app.admin.directory import Directory, Document
from app.admin.documents import read_object, show
from app.admin.registration import Registration, client_id_of, grace_s_of
from app.admin.registry import NewSecret, Registry
from app.errors import InvalidRequest
from app.verifier import Verifier

Change = Callable[[Registry, str, Mapping[str, Any]], tuple[str, str, Document]]
"""Makes a change and returns its event, a detail for the audit trail, and the answer."""


class ClientsEndpoint:
    """Some clients at a time, as a SCAN finds them; and new ones."""

    def __init__(self, directory: Directory, desk: Desk, verifier: Verifier) -> None:
        self._directory = directory
        self._desk = desk
        self._verifier = verifier

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """`cursor` to go on with, "0" at the end; `part` of an id to look for."""
        cursor, part = req.get_param("cursor") or "0", req.get_param("part") or ""
        if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 20:
            raise InvalidRequest("cursor is what the last answer named")
        if part:
            client_id_of(part.lstrip("._-") or "x")
        clients, cursor = self._directory.clients(cursor, part, self._verifier.now())
        show(resp, {"clients": clients, "cursor": cursor})

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """201 with the secret, this once."""
        registry = self._desk.enter(req)
        new = Registration.from_document(read_object(req))
        secret = registry.create(new)
        detail = f"scopes {new.scopes}"
        self._desk.note(req, "client_create", client_id=new.client_id, detail=detail)
        resp.status = falcon.HTTP_201
        show(resp, _with_secret(new.client_id, secret))


class ClientEndpoint:
    """`GET /admin/api/clients/{id}`."""

    def __init__(self, directory: Directory, verifier: Verifier) -> None:
        self._directory = directory
        self._verifier = verifier

    def on_get(self, _req: falcon.Request, resp: falcon.Response, client_id: str) -> None:
        show(resp, self._directory.client(client_id_of(client_id), self._verifier.now()))

    on_head = on_get


class ClientChangeEndpoint:
    """`POST /admin/api/clients/{id}/{disable,enable,rotate,revoke}`."""

    def __init__(self, desk: Desk, change: Change) -> None:
        self._desk = desk
        self._change = change

    def on_post(self, req: falcon.Request, resp: falcon.Response, client_id: str) -> None:
        registry = self._desk.enter(req)
        event, detail, document = self._change(registry, client_id_of(client_id), read_object(req))
        self._desk.note(req, event, client_id=client_id, detail=detail)
        show(resp, document)


def disable(registry: Registry, client_id: str, _: Mapping[str, Any]) -> tuple[str, str, Document]:
    """Shut a client out; its tokens are refused until it is enabled again."""
    return _set_status(registry, client_id, "disabled", "client_disable")


def enable(registry: Registry, client_id: str, _: Mapping[str, Any]) -> tuple[str, str, Document]:
    """Let a client in again, with the tokens that it has."""
    return _set_status(registry, client_id, "active", "client_enable")


def _set_status(
    registry: Registry, client_id: str, status: str, event: str
) -> tuple[str, str, Document]:
    previous = registry.set_status(client_id, status)
    document = {"client_id": client_id, "status": status}
    # What is so already is no event.
    return event if previous != status else "", f"status {status} (was {previous})", document


def rotate(
    registry: Registry, client_id: str, asked: Mapping[str, Any]
) -> tuple[str, str, Document]:
    """A new secret; the one until now stays good for `grace_s`."""
    secret = registry.rotate(client_id, grace_s_of(asked))
    kept = "no other secret is good"
    if secret.previous_id:
        kept = f"secret {secret.previous_id} is good until {secret.previous_ends_s}"
    return "client_rotate", f"secret {secret.id}; {kept}", _with_secret(client_id, secret)


def revoke(registry: Registry, client_id: str, _: Mapping[str, Any]) -> tuple[str, str, Document]:
    """Kill every token that a client has; it may mint new ones."""
    mark_s = registry.revoke_issued(client_id)
    return (
        "revoke_client",
        f"issued up to {mark_s}",
        {"client_id": client_id, "not_before_s": mark_s},
    )


CHANGES: Mapping[str, Change] = {
    "disable": disable,
    "enable": enable,
    "rotate": rotate,
    "revoke": revoke,
}


def _with_secret(client_id: str, secret: NewSecret) -> Document:
    previous = {"secret_id": secret.previous_id, "not_after_s": secret.previous_ends_s}
    return {
        "client_id": client_id,
        "client_secret": secret.text,
        "secret_id": secret.id,
        "previous": previous if secret.previous_id else None,
    }
