"""A Redis Cluster as the store sees it: one connection that asks many nodes and hears them all.

Each question goes to whoever owns its slot, all at once, so it takes one round trip. Changes are
announced by whoever makes them: all nodes are listened to, and what an answer is worth is known
only while they all are. Else everything is asked every time.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from app.errors import StoreUnavailable
from app.login import WATCHED
from app.members import DATASET, Members
from app.node import NodeLine
from app.replicas import wait_s
from app.router import Router
from app.shard_tides import ShardTides
from app.shards import Shards
from app.topology import UNKNOWN, start_up_nodes
from app.wire import Command, News, Work

_SOON_S = 0.02
"""How long to wait with the next look at nodes of which too little is known."""

_MOST_MEASURES = 2
_MOST_PROOFS = 5
"""A data set that begins has to be proven again."""


class Cluster:
    """Like Line. For one thread."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        heartbeat_s: float = 0.25,
        watched: tuple[str, ...] = WATCHED,
        pause_s: float = 0.1,
        count: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        tide: ShardTides | None = None,
    ) -> None:
        who, seeds = start_up_nodes(url)
        new_line = partial(
            NodeLine,
            who=who,
            timeout_s=timeout_s,
            watched=watched,
            pause_s=pause_s,
            count=count,
            monotonic=monotonic,
        )
        self.news: list[News] = []
        self._tide = tide
        self._shards = Shards(self._ask_for_proof, tide)
        self._members = Members(seeds, self.news, new_line, self._shards.saw)
        self._is_proving = DATASET in watched
        self._router = Router(self._members, is_proving=self._is_proving)
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._poll = self._members.poll
        self._checked_at = self._check_from = -math.inf
        self._deadline = -math.inf
        self._is_whole = False

    def is_current(self) -> bool:
        """Tell whether `news` now has every change whose maker has been told that it is done.

        Costs one look for all nodes; a question to each only after `heartbeat_s`.
        """
        if self._monotonic() > self._check_from:
            self._deadline = self._monotonic() + self._timeout_s
            self._check()
        elif self._poll(0):
            self._take_in()
        return self._is_whole

    def take_news(self) -> list[News]:
        """Return the changes since the last call, in their order."""
        news = self.news[:]
        self.news.clear()
        return news

    def made(self, key: str) -> None:
        """Note a change that Redis has just made for us, announced or not."""
        if key.startswith("ott:"):
            self._members.note_made(key)

    def confirm_changes(self) -> None:
        """Have each shard confirm its changes, so that their loss is noticed."""
        if self._tide:
            self._tide.raise_marks(self.ask)

    def lift_pause(self) -> bool:
        """Tell whether nothing was asked because of a pause that need not be kept any more."""
        return self._members.lift_pause()

    @property
    def known_until(self) -> float:
        """When `news` last had every change for certain, in seconds of the monotonic clock."""
        return self._members.known_until

    def feed(self) -> str:
        """Tell how changes are learnt; anything but "ok" is slower and just as safe."""
        return "ok" if self._is_whole else "asking every time"

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        """Send commands to the owners of their keys and return the replies, as Line does.

        What only says where else to ask was not carried out, and is asked there, once.
        """
        is_first = self._members.topology is UNKNOWN
        self._deadline = self._monotonic() + self._timeout_s * (1.5 if is_first else 1)
        self._deadline += wait_s(commands)
        self._take_in()
        if self._members.has_suspects() and not self._members.is_stale:
            self._members.clear_suspects(self._deadline)
            self._take_stock()
        is_ping = commands == (("PING",),)
        if is_ping or self._members.is_stale or not (self._is_whole or self._has_just_checked()):
            self._check()
        if is_ping:
            return self._router.ping()
        return self._router.ask(commands, self._deadline, meanwhile, check=self._check)

    def close(self) -> None:
        """Hang up. Everything that was learned is in doubt; a question mends it."""
        self._members.close()
        self._is_whole = False

    def _ask_for_proof(self, *commands: Command) -> list[Any]:
        return self._router.ask(commands, self._deadline)

    def _take_in(self) -> None:
        if self._members.take_in():
            self._take_stock()

    def _take_stock(self) -> None:
        """What a shard that must prove itself has told is not known any more, nor asked for."""
        members = self._members
        self._is_whole = members.is_whole() and not members.is_stale
        if members.is_flooded():
            self._check_from = -math.inf
        elif not members.are_known():
            self._check_from = min(self._check_from, self._monotonic() + _SOON_S)

    def _has_just_checked(self) -> bool:
        return self._monotonic() < self._checked_at + _SOON_S

    def _check(self) -> None:
        """Ask all nodes how they are, and what has changed what they must prove."""
        now, members = self._monotonic(), self._members
        patience = now + self._timeout_s / 2
        members.check(self._deadline, patience)
        if self._is_proving:
            with suppress(StoreUnavailable):
                self._prove()
            for _ in range(_MOST_MEASURES):
                if not members.are_known() and self._monotonic() < patience:
                    members.measure(self._deadline)
        self._checked_at, self._check_from = self._monotonic(), now + self._heartbeat_s
        self._take_stock()
        if self._is_whole:
            members.known_until = now

    def _prove(self) -> None:
        members = self._members
        for _ in range(_MOST_PROOFS):
            unproven = {one.address: one for one in members.owners() if not one.is_proven}
            if not unproven:
                return
            # Now, so that who loses something meanwhile is not held to be proven.
            for line in unproven.values():
                line.is_proven = True
            try:
                self._shards.prove({*unproven}, members.topology.owners)
                for address in set(members.trails.behind) & set(unproven):
                    self._make_good(address)
            except BaseException:
                for line in unproven.values():
                    line.is_proven = False
                raise

    def _make_good(self, address: str) -> None:
        missing = self._members.trails.behind.pop(address)
        try:
            self._shards.make_good(missing)
        except BaseException:
            self._members.trails.lack(address, missing)
            raise
