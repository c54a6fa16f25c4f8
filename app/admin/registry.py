"""Changes to clients and tokens, by the very .lua files that the scripts run (scripts/client)."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.admin.problems import ClientExists, NoSuchClient, StoreRefused
from app.admin.registration import Registration
from app.clients import new_secret
from app.errors import InvalidRequest, OAuthError, StoreUnavailable
from app.lua import Script
from app.replicas import Replicas
from app.store import Connection

_CREATE = Script("client_create")
_SET = Script("client_set")
_ROTATE = Script("client_rotate")
_NOT_BEFORE = Script("not_before")
_PROBLEMS: Mapping[str, Callable[[], OAuthError]] = {
    "TAKEN": ClientExists,
    "UNKNOWN": NoSuchClient,
    "METHOD": lambda: InvalidRequest("this client authenticates without a secret"),
    "INVALID": lambda: InvalidRequest("the store cannot keep that"),
}

log = logging.getLogger("portcullis.admin")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that has just been made, shown once. `previous_id` is "" when no other is good."""

    text: str
    id: str
    previous_id: str = ""
    previous_ends_s: int | None = None


class Registry:
    """The writing side of the dashboard. `line` logs in with an account that may change clients.

    Nobody is told that a change is done before `check_replicated`: see Desk.note.
    """

    def __init__(
        self, line: Connection, clock: Callable[[], float], replicas: Replicas | None = None
    ) -> None:
        self._line = line
        self._clock = clock
        self._replicas = replicas or Replicas()
        self._unchecked: list[Any] = []

    def create(self, new: Registration) -> NewSecret:
        """Register a client; raise ClientExists."""
        text, secret = new_secret()
        fields = (new.name, new.scopes, new.audiences, new.ttl_s, new.rate_per_s)
        stored = (secret.id, secret.salt, secret.hash)
        self._run(_CREATE, f"client:{new.client_id}", self._now_s(), *fields, *stored)
        return NewSecret(text, secret.id)

    def set_status(self, client_id: str, status: str) -> str:
        """Set "active" or "disabled"; return what it was until now. Raises NoSuchClient."""
        return str(self._run(_SET, f"client:{client_id}", self._now_s(), "status", status))

    def rotate(self, client_id: str, grace_s: int) -> NewSecret:
        """Give a client a new secret; the newest live one stays good for `grace_s`."""
        text, secret = new_secret()
        stored = (secret.id, secret.salt, secret.hash)
        key = f"client:{client_id}"
        previous_id, ends_s = self._run(_ROTATE, key, self._now_s(), grace_s, *stored)
        return NewSecret(text, secret.id, previous_id, int(ends_s) if ends_s else None)

    def revoke_issued(self, client_id: str | None) -> float:
        """Refuse every token that a client, or everybody, has now; return when, epoch seconds."""
        if client_id and not self._ask("EXISTS", f"client:{client_id}"):
            raise NoSuchClient
        return float(self._run(_NOT_BEFORE, f"notbefore:{client_id or '*'}"))

    def check_replicated(self) -> None:
        """Raise NotReplicated when too few replicas have the last change; it is made all the same.

        Apart from the changes, because they are to be written into the trail first.
        """
        replies, self._unchecked = self._unchecked, []
        if replies:
            self._replicas.check(replies)

    def _now_s(self) -> int:
        return int(self._clock())

    def _run(self, script: Script, key: str, *args: str | int) -> Any:
        replies = script.run(self._line.ask, [key], args, after=self._replicas.wait(key))
        if isinstance(replies[0], Exception):
            raise self._problem(replies[0])
        self._unchecked = replies
        return replies[0]

    def _ask(self, *command: str) -> Any:
        (reply,) = self._line.ask(command)
        if isinstance(reply, Exception):
            raise self._problem(reply)
        return reply

    def _problem(self, reply: Exception) -> Exception:
        """Return what an error reply means to whoever asked."""
        kind = str(reply).partition(" ")[0]
        if kind in _PROBLEMS:
            return _PROBLEMS[kind]()
        log.error("redis refused a change: %s", reply)
        return StoreRefused() if kind in {"NOPERM", "READONLY"} else StoreUnavailable(str(reply))
