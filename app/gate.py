"""May this token make this call? Each check raises the Refused that names what is wrong.

The checks hold facts about a token against what one request needs. No outcome is kept: a token
that passed here once is asked everything again for the next route.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from app.clients import Client
from app.errors import ClientDisabled, MintedDead, MissingScope, Revoked, WrongAudience
from app.tokens import Claims

ROUTE_TABLE = "@routes"
"""Stands alone where scopes are needed: the route table says which."""

ONCE = "@once"
"""Stands among the scopes that are needed: the token must be a one-time token."""


_KILL = re.compile(r"([0-9]{1,12})\.([0-9]{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Which tokens are dead because they are too old.

    `kill_ms` is the last kill by redis/not_before.lua: a token is dead unless its mint knew of
    it. Each kill is later than the one before, whatever the clocks do, and a mint knows of every
    kill whose maker has been told that it is done. So no two are too close to each other to tell
    which came first, and no clock needs to agree with another.

    `second` was typed by a person, in epoch seconds: all of that second is dead, except for what
    was minted in it by somebody who knew of this.
    """

    second: float = -math.inf
    kill_ms: int = 0

    @classmethod
    def from_text(cls, text: str | None) -> "NotBefore":
        """Read what Redis holds. What cannot be read kills everything."""
        if text is None:
            return NEVER
        if kill := _KILL.fullmatch(text):
            return cls(kill_ms=int(kill[1] + kill[2]))
        try:
            return cls(math.ceil(float(text)))
        except (ValueError, OverflowError):
            return cls(math.inf)

    def known_ms(self) -> int:
        """Return what a token carries whose mint knew of this."""
        is_second = 0 <= self.second < math.inf
        return int(self.second) * 1000 + 999 if is_second else self.kill_ms

    def is_over(self, iat: int, known_ms: int) -> bool:
        """Tell whether this kills a token that was issued then, knowing of that."""
        if known_ms < self.kill_ms:
            return True
        return iat <= self.second and known_ms < (self.known_ms() or math.inf)


NEVER = NotBefore()


@dataclass(frozen=True, slots=True)
class World:
    """What holds for all tokens: the global not-before, and the data set."""

    not_before: NotBefore
    dataset_id: str


@dataclass(slots=True)
class Share:
    """Calls that were taken ahead of a rate at `since`; with none, how long to wait from then."""

    calls: int = 0
    since: float = 0.0
    wait_s: float = 0.0


@dataclass(slots=True, eq=False)
class Holder:
    """Whom a token belongs to: the client, None when it is gone, and its not-before.

    `is_current` turns False when Redis announces a change; whoever holds it must ask again.
    """

    client: Client | None
    not_before: NotBefore
    is_current: bool = True
    shares: dict[str, Share] = field(default_factory=dict)
    """What was taken ahead of the client's rates, by key prefix (rates.py)."""

    def has_rate(self) -> bool:
        """Tell whether its calls are counted against a limit."""
        return self.client is not None and bool(self.client.rate_per_s)


def check_alive(claims: Claims, holder: Holder, world: World, is_revoked: bool) -> None:
    """Raise Revoked: by its `jti`, by a not-before, or because its data set is no more."""
    if not claims.jti.startswith(f"{world.dataset_id}."):
        raise Revoked("issued for another data set")
    if is_revoked:
        raise Revoked("its jti is revoked")
    is_dead = holder.not_before.is_over(claims.iat, claims.own_kill_ms)
    if is_dead or world.not_before.is_over(claims.iat, claims.global_kill_ms):
        raise Revoked("issued before the client's or the global not-before")


def check_mintable(own: NotBefore, everyones: NotBefore, now_s: int) -> None:
    """Raise MintedDead while a not-before lies in the future: until then all is dead."""
    second = max(own.second, everyones.second)
    if now_s < second:
        raise MintedDead(second - now_s)


def check_client(holder: Holder) -> None:
    """Raise ClientDisabled for a client that is disabled or gone."""
    if holder.client is None or not holder.client.is_active:
        raise ClientDisabled("its client is disabled or gone")


def check_audience(
    audiences: Collection[str], holder: Holder, needed: str | None, default: str
) -> None:
    """Raise WrongAudience (RFC 9068 §4).

    A location that names no audience takes tokens for any that its client may still be granted.
    """
    grantable = holder.client.audiences if holder.client else ()
    allowed = {needed} if needed else {default, *grantable}
    if allowed.isdisjoint(audiences):
        raise WrongAudience(f"aud is {' '.join(audiences)}")


def scopes_held(scope: str, *, is_once: bool) -> frozenset[str]:
    """Return what a token has to show for each word that is needed: its scopes, and ONCE.

    A scope that a client was given by the name of one of our own words counts for nothing.
    """
    held = frozenset(scope.split()) - {ROUTE_TABLE, ONCE}
    return held | {ONCE} if is_once else held


def check_scope(scopes: frozenset[str], needed: str) -> str:
    """Return the scope that is needed; raise MissingScope unless all of it is there."""
    words = needed.split()
    if not scopes.issuperset(words):
        if ONCE in words:
            asked = " ".join(word for word in words if word != ONCE)
            raise MissingScope(asked, needs_once=True)
        raise MissingScope(needed)
    return needed
