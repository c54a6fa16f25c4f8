"""Log in to Redis and ask it to announce changes, in one round trip: RESP3's HELLO, else RESP2."""

from dataclasses import dataclass

import hiredis

from app.wire import Command, Wire

WATCHED = ("revoked:", "client:", "notbefore:", "routes", "dataset")
"""Prefixes of the keys whose changes count at once."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are, which database we use, and the prefixes of the keys that we watch."""

    user: str | None
    password: str | None
    db: int
    watched: tuple[str, ...]

    def over(self, wire: Wire, deadline: float) -> str | None:
        """Log in; return None when changes will be announced, else why not.

        Raises ConnectionError when the login itself is refused, or has to wait.
        """
        auth = ("AUTH", self.user or "default", self.password) if self.password else ()
        commands: list[Command] = [("HELLO", 3, *auth), *self._select()]
        if self.watched:
            prefixes = [part for prefix in self.watched for part in ("PREFIX", prefix)]
            commands.append(("CLIENT", "TRACKING", "ON", "BCAST", *prefixes))
        hello, *answers = wire.exchange(tuple(commands), deadline)
        if isinstance(hello, hiredis.ReplyError):
            return self._over_resp2(wire, deadline, str(hello))
        tracking = answers.pop() if self.watched else "nothing is watched"
        _check(*answers)
        if str(tracking).startswith("BUSY"):
            raise ConnectionError(str(tracking))
        return None if tracking == "OK" else str(tracking)

    def _over_resp2(self, wire: Wire, deadline: float, reason: str) -> str:
        """As a server or a proxy of old wants it, which then has no way to announce anything."""
        wire.is_resp3 = False
        commands = list(self._select())
        if self.password:
            user = (self.user,) if self.user else ()
            commands.insert(0, ("AUTH", *user, self.password))
        _check(*wire.exchange(tuple(commands), deadline))
        return reason

    def _select(self) -> tuple[Command, ...]:
        return (("SELECT", self.db),) if self.db else ()


def _check(*answers: object) -> None:
    for answer in answers:
        if isinstance(answer, hiredis.ReplyError):
            raise ConnectionError(str(answer))
