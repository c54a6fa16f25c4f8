"""A Redis Cluster as the store sees it: one connection that asks many nodes and hears them all.

Each question goes to whoever owns its slot, all at once, so it takes one round trip. Changes are
announced by whoever makes them: all nodes are listened to, and what an answer is worth is known
only while they all are. Else everything is asked every time.
"""

import math
import select
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.errors import StoreUnavailable
from app.line import WATCHED
from app.members import DATASET, Members
from app.node import NodeLine
from app.shards import Shards
from app.slots import Unit, key_of, redirection, units_of
from app.topology import UNKNOWN, start_up_nodes
from app.wire import Command, News, Work

_NOWHERE = -1
_SOON_S = 0.02
"""How long to wait with the next look at a replica of which too little is known."""

_Target = tuple[NodeLine, bool]
"""Which node is asked, and whether as one that does not own the slot yet (ASKING)."""


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
    ) -> None:
        who, seeds = start_up_nodes(url)

        def new_line(address: str, epoll: select.epoll) -> NodeLine:
            return NodeLine(
                address,
                who,
                epoll,
                timeout_s=timeout_s,
                watched=watched,
                pause_s=pause_s,
                count=count,
                monotonic=monotonic,
            )

        self.news: list[News] = []
        self._members = Members(seeds, self.news, new_line)
        self._shards = Shards(self._ask_owners)
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._is_proving = DATASET in watched
        self._monotonic = monotonic
        self._poll = self._members.poll
        self._check_from = -math.inf
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

    def confirm_changes(self) -> None:
        """Have Redis confirm all changes that are known here, so that their loss is noticed."""

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
        self._deadline = self._monotonic() + self._timeout_s * (2 if is_first else 1)
        self._take_in()
        if self._is_whole and self._members.has_suspects() and not self._members.is_stale:
            self._members.clear_suspects(self._deadline)
            self._take_stock()
            self._hurry()
        if not self._is_whole or self._members.is_stale or commands == (("PING",),):
            self._check()
        if commands == (("PING",),):
            return self._ping()
        return self._ask_owners(*commands, meanwhile=meanwhile, is_proof=False)

    def close(self) -> None:
        """Hang up. Everything that was learned is in doubt; a question mends it."""
        self._members.close()
        self._is_whole = False

    def _ping(self) -> list[Any]:
        for address in set(self._members.topology.owners):
            self._members.line_at(address)
        return ["PONG"]

    def _take_in(self) -> None:
        if self._members.take_in():
            self._take_stock()

    def _take_stock(self) -> None:
        members = self._members
        self._is_whole = (
            members.is_whole()
            and not members.is_stale
            and not (self._is_proving and any(not line.is_proven for line in members.owners()))
        )

    def _check(self) -> None:
        """Ask all nodes how they are, and what has changed what they must prove."""
        now, members = self._monotonic(), self._members
        members.check(self._deadline, now + self._timeout_s / 2)
        if self._is_proving:
            with suppress(StoreUnavailable):
                self._prove()
        self._take_stock()
        if self._is_whole:
            members.known_until = now
        self._check_from = now + self._heartbeat_s
        self._hurry()

    def _hurry(self) -> None:
        if self._members.is_flooded():
            self._check_from = -math.inf
        elif not self._members.are_known():
            self._check_from = min(self._check_from, self._monotonic() + _SOON_S)

    def _prove(self) -> None:
        members = self._members
        if members.has_lost:
            self._shards.end("a replica took over without all that was acknowledged")
            members.has_lost = False
        while unproven := {one.address: one for one in members.owners() if not one.is_proven}:
            # Now, so that who loses something meanwhile is not held to be proven.
            for line in unproven.values():
                line.is_proven = True
            try:
                self._shards.prove({*unproven}, members.topology.owners)
            except BaseException:
                for line in unproven.values():
                    line.is_proven = False
                raise

    def _ask_owners(
        self, *commands: Command, meanwhile: Work | None = None, is_proof: bool = True
    ) -> list[Any]:
        """Ask whoever owns the keys; for anything but a proof they must have proven themselves."""
        replies: list[Any] = [None] * len(commands)
        asked = {unit: (self._owner(unit), False) for unit in units_of(commands)}
        self._exchange(asked, commands, replies, meanwhile, is_proof=is_proof)
        moved = {unit: way for unit in asked if (way := redirection(unit, replies))}
        if moved:
            self._members.is_stale = True
            if is_proof:
                self._members.look(self._deadline)
            else:
                self._check()
            again = {unit: self._target(unit, way, asked[unit][0]) for unit, way in moved.items()}
            self._exchange(again, commands, replies, None, is_proof=is_proof)
        return replies

    def _owner(self, unit: Unit) -> NodeLine:
        return self._members.line_of(unit.slot or 0)

    def _target(self, unit: Unit, way: str, asked: NodeLine) -> _Target:
        """Return whom to ask in place of whom was asked, as "MOVED 1 host:port" tells."""
        kind, _, address = way.split()
        owner = self._owner(unit)
        if kind == "ASK" or owner is asked:
            owner = self._members.line_at(address)
        return owner, kind == "ASK"

    def _exchange(
        self,
        targets: Mapping[Unit, _Target],
        commands: Sequence[Command],
        replies: list[Any],
        meanwhile: Work | None,
        *,
        is_proof: bool,
    ) -> None:
        """Ask all targets at once and put their replies in place."""
        questions: dict[NodeLine, list[tuple[int, Command]]] = {}
        for unit, (line, is_asking) in targets.items():
            placed = questions.setdefault(line, [])
            for place in unit.places:
                command = commands[place]
                if is_asking and (key_of(command) is not None or command[0] == "MULTI"):
                    placed.append((_NOWHERE, ("ASKING",)))
                placed.append((place, command))
        losses = {line: line.losses for line in questions}
        for line in questions if self._is_proving and not is_proof else ():
            if not line.is_proven:
                raise StoreUnavailable(f"redis at {line.address} may have lost its data")
        answers = self._members.scatter(
            {line: tuple(command for _, command in placed) for line, placed in questions.items()},
            self._deadline,
            meanwhile,
        )
        for line, placed in questions.items():
            # Emptied in between, it has nothing to say that is worth anything.
            if line not in answers or line.losses > losses[line]:
                self._is_whole = False
                raise StoreUnavailable(f"redis at {line.address} does not answer")
            for (place, _), reply in zip(placed, answers[line], strict=True):
                if place != _NOWHERE:
                    replies[place] = reply
