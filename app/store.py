"""What is asked of Redis, and how each answer is read. One method is one round trip.

Every failure to get a certain answer is StoreUnavailable. Nothing is retried here: a change may
have happened although its answer was lost.
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.clients import Client
from app.errors import StoreUnavailable
from app.gate import Holder, NotBefore, World
from app.line import Command, News, Work
from app.lua import Script
from app.replicas import Replicas

_REVOKED_MARGIN_S = 60
"""The largest leeway: a revocation outlives every clock that may still take the token."""

_RESTORING = "RESTORING"
"""How redis/dataset.lua says that a restore fills the data set; each request would log it."""

_TELL_AGAIN_S = 60

log = logging.getLogger("portcullis.store")


class Connection(Protocol):
    """Line, or one where changes are not announced."""

    news: list[News]

    @property
    def known_until(self) -> float: ...
    def is_current(self) -> bool: ...
    def take_news(self) -> list[News]: ...
    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]: ...
    def feed(self) -> str: ...
    def made(self, key: str) -> None: ...
    def confirm_changes(self) -> None: ...
    def lift_pause(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Answers:
    """Replies to one `learn`; None for what was not asked."""

    holder: Holder | None
    world: World | None
    is_revoked: bool | None
    routes: Mapping[str, str] | None


_DATASET = Script("dataset")
_SPEND = Script("spend")
_RATE_LIMIT = Script("rate_limit")


class Store:
    """Redis as the service sees it."""

    def __init__(
        self,
        line: Connection,
        *,
        clock: Callable[[], float] = time.time,
        replicas: Replicas | None = None,
    ) -> None:
        self.line = line
        self._clock = clock
        self.replicas = replicas or Replicas()
        self._told_s = 0

    def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers."""
        self._ask(("PING",))

    def check_restored(self) -> None:
        """Raise StoreUnavailable while a restore fills the data set, or has been cut short."""
        if self._ask(("HGET", "dataset", "restoring"))[0] is not None:
            raise StoreUnavailable("a restore has begun and has not ended")

    def learn(
        self,
        client_id: str | None = None,
        jti: str | None = None,
        *,
        world: bool = False,
        routes: bool = False,
    ) -> Answers:
        """Return all that is asked for, in one round trip."""
        commands: list[Command] = []
        if client_id is not None:
            commands += [("HGETALL", f"client:{client_id}"), ("GET", f"notbefore:{client_id}")]
        if world:
            commands += [("GET", "notbefore:*"), ("HGET", "dataset", "id")]
        if jti is not None:
            commands.append(("EXISTS", f"revoked:{jti}"))
        if routes:
            commands.append(("HGETALL", "routes"))
        replies = iter(self._ask(*commands))
        try:
            return Answers(
                holder=_holder(client_id, next(replies), next(replies))
                if client_id is not None
                else None,
                world=self._world(next(replies), next(replies)) if world else None,
                is_revoked=next(replies) != 0 if jti is not None else None,
                routes=next(replies) if routes else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("redis holds what cannot be used: %s", error)
            raise StoreUnavailable(str(error)) from error

    def _world(self, not_before: str | None, dataset_id: str | None) -> World:
        return World(NotBefore.from_text(not_before), dataset_id or self._begin_dataset())

    def _begin_dataset(self) -> str:
        """A Redis without a data set has lost whatever it knew: give it a new identity."""
        now_s = int(self._clock())
        try:
            in_force = str(self._run(_DATASET, ["dataset"], (secrets.token_hex(4), now_s))[0])
        except StoreUnavailable as error:
            if error.detail.startswith(_RESTORING) and now_s - self._told_s >= _TELL_AGAIN_S:
                self._told_s = now_s
                log.error("a restore has begun and has not ended: everything is refused until then")
            raise
        log.warning("data set %s begins: tokens issued before are dead", in_force)
        return in_force

    def snapshot_taken_s(self) -> float | None:
        """Return when the last snapshot was taken, epoch seconds; None when there is none."""
        taken_s = self._ask(("HGET", "snapshot", "taken_s"))[0]
        try:
            return float(taken_s) if taken_s is not None else None
        except ValueError:
            return None

    def arm(self, jti: str, until_s: int, meanwhile: Work | None = None) -> None:
        """Make a one-time token good for one use until `until_s`, epoch seconds."""
        self._ask(("SET", f"ott:{jti}", "1", "EXAT", until_s), meanwhile=meanwhile)

    def revoke(self, jti: str, exp: int, reason: str) -> None:
        """Revoke a token until nobody takes it any more. When this returns, it is refused."""
        change: Command = ("SET", f"revoked:{jti}", reason, "EXAT", exp + _REVOKED_MARGIN_S)
        replies = self._ask(change, *self.replicas.wait(f"revoked:{jti}"))
        self.line.made(f"revoked:{jti}")
        self.replicas.check(replies)

    def is_first_use(self, key: str, ttl_s: int) -> bool:
        """Tell whether nobody has used this yet, and remember that it now has been, for a time."""
        return self._ask(("SET", key, "1", "NX", "EX", ttl_s))[0] is not None

    def is_unspent(self, jti: str) -> bool:
        """Tell whether a one-time token is still good, without spending it."""
        return bool(self._ask(("EXISTS", f"ott:{jti}"))[0] != 0)

    def spend(self, jti: str, request_id: str) -> Literal["ok", "spent", "revoked"]:
        """Spend a one-time token: "ok" for the first request, and for that request's retries.

        An empty `request_id` cannot be told from another, so it has no retries. A revoked token is
        spent too, which makes no difference to it.
        """
        is_revoked: Command = ("EXISTS", f"revoked:{jti}")
        keys = [f"ott:{jti}", f"spent:{{ott:{jti}}}"]
        after = self.replicas.wait(keys[0])
        replies = self._run(_SPEND, keys, (request_id,), is_revoked, after=after)
        revoked, spent = replies[:2]
        if revoked != 0:
            return "revoked"
        if spent != 1:
            return "spent"
        self.line.made(keys[0])
        self.replicas.check(replies)
        return "ok"

    def is_first_showing(self, mark: str, request_id: str, ttl_s: int) -> bool:
        """Note that a proof was shown; tell whether no other request has shown it before.

        nginx may ask twice about one request. An empty `request_id` cannot be told from another.
        """
        noted = self._ask(("SET", f"dpop:{mark}", request_id, "NX", "GET", "EX", ttl_s))[0]
        return noted is None or (noted == request_id and request_id != "")

    def take(self, key: str, *, rate_per_s: int, wanted: int) -> tuple[int, float]:
        """Take at most `wanted` calls from a rate.

        Returns how many were taken; when none, also the seconds to wait for all that are wanted.
        """
        taken, wait_ms = self._run(_RATE_LIMIT, [key], (rate_per_s, wanted))[0]
        return int(taken), int(wait_ms) / 1000

    def _run(
        self,
        script: Script,
        keys: list[str],
        args: tuple[str | int, ...],
        *before: Command,
        after: tuple[Command, ...] = (),
    ) -> list[Any]:
        """Run a script between other commands; return all their replies in that order."""
        replies = script.run(self.line.ask, keys, args, *before, after=after)
        return [_certain(reply) for reply in replies]

    def _ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        return [_certain(reply) for reply in self.line.ask(*commands, meanwhile=meanwhile)]


def _certain(reply: Any) -> Any:
    if isinstance(reply, Exception):
        if not str(reply).startswith(_RESTORING):
            log.error("redis refused: %s", reply)
        raise StoreUnavailable(str(reply))
    return reply


def _holder(client_id: str, fields: dict[str, str], not_before: str | None) -> Holder:
    client = Client.from_fields(client_id, fields) if fields else None
    return Holder(client, NotBefore.from_text(not_before))
