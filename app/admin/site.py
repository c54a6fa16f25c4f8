"""The dashboard's own wiring: which question stands at which path under /admin/."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from wsgiref.types import WSGIApplication

import falcon

from app import rendering
from app.admin.desk import Desk
from app.admin.directory import Directory
from app.admin.endpoints.clients import (
    CHANGES,
    ClientChangeEndpoint,
    ClientEndpoint,
    ClientsEndpoint,
)
from app.admin.endpoints.revocations import RevocationsEndpoint
from app.admin.endpoints.samples import SamplesEndpoint
from app.admin.endpoints.session import AboutEndpoint, SessionEndpoint
from app.admin.endpoints.trails import TrailEndpoint
from app.admin.guard import Guard
from app.admin.history import History
from app.admin.page import page_files
from app.admin.registry import Registry
from app.errors import OAuthError
from app.journal import Journal
from app.store import Connection, Store
from app.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Access:
    """What the dashboard may do. `view` reads; `change` is None where nothing may be changed.

    `sampling` reads too, in a thread of its own; None takes no samples.
    """

    view: Connection
    can_list: bool = True
    sampling: Connection | None = None
    change: Connection | None = None
    admin_token: str | None = None
    hosts: Collection[str] = ()


def admin_app(
    access: Access,
    store: Store,
    journal: Journal,
    history: History,
    verifier: Verifier,
    cache_stats: object,
    realm: str,
    count: Callable[[str], None],
) -> WSGIApplication:
    """Return the WSGI application for /admin/."""
    app = falcon.App(middleware=[Guard(access.hosts)])
    renderer = rendering.ErrorRenderer(realm)
    app.add_error_handler(Exception, rendering.render_surprise)
    app.add_error_handler(falcon.HTTPError, renderer.http_error)
    app.add_error_handler(OAuthError, renderer.oauth_error)
    registry = Registry(access.change, verifier.now, store.replicas) if access.change else None
    desk = Desk(registry, access.admin_token, journal, verifier.now, count)
    directory = Directory(access.view, can_list=access.can_list)
    for path, file in page_files().items():
        app.add_route(f"/admin/{path}", file)
    app.add_route("/admin/cache/stats", cache_stats)
    app.add_route("/admin/api/about", AboutEndpoint(desk, verifier.issuer))
    app.add_route("/admin/api/session", SessionEndpoint(desk))
    app.add_route("/admin/api/samples", SamplesEndpoint(history, verifier))
    app.add_route("/admin/api/clients", ClientsEndpoint(directory, desk, verifier))
    app.add_route("/admin/api/clients/{client_id}", ClientEndpoint(directory, verifier))
    for name, change in CHANGES.items():
        endpoint = ClientChangeEndpoint(desk, change)
        app.add_route(f"/admin/api/clients/{{client_id}}/{name}", endpoint)
    app.add_route("/admin/api/revocations", RevocationsEndpoint(desk, store, verifier))
    app.add_route("/admin/api/audit", TrailEndpoint(directory, "audit", ("client_id", "event")))
    refusals = TrailEndpoint(directory, "refusals", ("client_id", "reason"))
    app.add_route("/admin/api/refusals", refusals)
    return app
