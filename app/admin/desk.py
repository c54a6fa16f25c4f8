"""Who may change something here: whoever has signed in. What they did goes into the audit trail."""

import logging
from collections.abc import Callable

import falcon

from app import audit
from app.admin.documents import read_object
from app.admin.problems import NotSignedIn, ReadOnly, TooManyTries
from app.admin.registry import Registry
from app.admin.session import Sessions, Tries
from app.bearer import bearer
from app.endpoints.origin import origin_of
from app.errors import NoToken
from app.journal import Journal

_WHO = "admin"

log = logging.getLogger("portcullis.admin")


class Desk:
    """The one way to the registry. Without a registry and a token nothing can be changed."""

    def __init__(
        self,
        registry: Registry | None,
        admin_token: str | None,
        journal: Journal,
        clock: Callable[[], float],
        count: Callable[[str], None],
    ) -> None:
        self._count = count
        self._registry = registry
        self._sessions = Sessions(admin_token) if admin_token else None
        self._tries = Tries()
        self._journal = journal
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether anything can be changed here at all."""
        return self._registry is not None and self._sessions is not None

    def sign_in(self, req: falcon.Request) -> str:
        """Return a session for the admin token in the body."""
        if self._sessions is None:
            raise ReadOnly
        now, address = self._clock(), origin_of(req).address
        shown = read_object(req).get("token")
        try:
            self._tries.check(address, now)
            session = self._sessions.begin(shown if isinstance(shown, str) else "", now)
        except TooManyTries:
            self._count("dashboard_sign_ins_failed")
            raise
        except NotSignedIn:
            self._count("dashboard_sign_ins_failed")
            log.warning("wrong admin token from %s", address)
            self._tries.note_wrong(address, now)
            raise
        self.note(req, "admin_sign_in")
        return session

    def enter(self, req: falcon.Request) -> Registry:
        """Return the registry to whoever has signed in; raise ReadOnly or NotSignedIn."""
        if self._registry is None or self._sessions is None:
            raise ReadOnly
        self._sessions.check(_shown(req), self._clock())
        return self._registry

    def is_signed_in(self, req: falcon.Request) -> bool:
        try:
            self.enter(req)
        except (NotSignedIn, ReadOnly):
            return False
        return True

    def note(
        self,
        req: falcon.Request,
        event: str,
        *,
        client_id: str = "",
        jti: str = "",
        detail: str = "",
    ) -> None:
        """Write what has just been done into the audit trail; "" is no event.

        Raises NotReplicated when it may yet be lost.
        """
        if event:
            origin = origin_of(req)
            entry = audit.entry(event, origin, client_id=client_id, jti=jti, detail=detail)
            self._journal.note({**entry, "who": _WHO})
        if self._registry:
            self._registry.check_replicated()


def _shown(req: falcon.Request) -> str:
    try:
        return bearer(req.get_header("Authorization"))
    except NoToken as error:
        raise NotSignedIn from error
