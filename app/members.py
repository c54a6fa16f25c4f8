"""Lines to all nodes of a Redis Cluster, and what the nodes say who owns what.

Replicas are listened to as well as primaries: whoever takes over, and acknowledges changes from
then on, has announced them here before. What this rests on is in docs/operations.md.
"""

import math
import select
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import hiredis

from app.errors import StoreUnavailable
from app.node import NodeLine, offset_of, pulse_of, scatter
from app.slots import slot_of
from app.topology import UNKNOWN, Topology, merge, parse
from app.trail import Trails
from app.wire import Command, Loss, News, Work

_PULSE: tuple[Command, ...] = (("CLUSTER", "INFO"), ("ROLE",))
_VIEW: tuple[Command, ...] = (("CLUSTER", "NODES"),)
DATASET = "dataset"
_MOST_LOOKS = 3
"""A node that has just become known may know of another one."""


class Members:
    """The nodes. Announced changes go to `news`; `new_line` makes a line to an address."""

    def __init__(
        self,
        seeds: tuple[str, ...],
        news: list[News],
        new_line: Callable[[str, select.epoll], NodeLine],
    ) -> None:
        self._seeds = seeds
        self._news = news
        self._new_line = new_line
        self._epoll = select.epoll()
        self._lines: dict[str, NodeLine] = {}
        self._trails = Trails()
        self._suspects: set[str] = set()
        self.topology: Topology = UNKNOWN
        self.known_until = -math.inf
        """When everything that any node had acknowledged was here for certain."""
        self.is_stale = True
        """Who owns what has to be looked at anew, or who has lost what."""
        self.has_lost = False
        """A replica has taken over that may not have all that was acknowledged."""
        self.poll = self._epoll.poll

    def line_of(self, slot: int) -> NodeLine:
        """Return the line to a slot's owner; raise StoreUnavailable unless it is open."""
        return self.line_at(self.topology.owners[slot])

    def line_at(self, address: str) -> NodeLine:
        """Return the line to a node; raise StoreUnavailable unless it is open."""
        line = self._lines.get(address)
        if line is None or not line.is_open:
            raise StoreUnavailable(f"redis at {address or 'no known address'} does not answer")
        return line

    def owners(self) -> list[NodeLine]:
        """Return the open lines to nodes that own slots."""
        addresses = sorted(set(self.topology.owners) & set(self._lines))
        return [self._lines[one] for one in addresses if self._lines[one].is_open]

    def lift_pause(self) -> bool:
        """Tell whether somebody was not asked because of a pause that need not be kept any more."""
        return any(list(map(NodeLine.lift_pause, self._lines.values())))

    def is_flooded(self) -> bool:
        """Tell whether announcements may be left behind in a node: only a question tells."""
        return any(line.is_flooded for line in self._open_lines())

    def is_whole(self) -> bool:
        """Tell whether every node that can acknowledge a change announces it here.

        One that refuses connections cannot, nor one that the cluster has given up.
        """
        return self.topology is not UNKNOWN and all(
            line.is_whole and self._is_well(line)
            if line.is_open
            else line.is_refused or address in self.topology.given_up
            for address, line in self._lines.items()
        )

    def are_known(self) -> bool:
        """Tell whether it is known of every replica what it has."""
        return self._trails.are_known()

    def take_in(self) -> bool:
        """Take in what has arrived on any line; tell whether anything had."""
        events = self.poll(0)
        if events:
            ready = {descriptor for descriptor, _ in events}
            for line in self._lines.values():
                if line.is_open and line.descriptor in ready:
                    line.receive_news()
                    self._note(line)
        return bool(events)

    def scatter(
        self,
        questions: Mapping[NodeLine, tuple[Command, ...]],
        deadline: float,
        meanwhile: Work | None = None,
    ) -> dict[NodeLine, list[Any]]:
        """Ask several nodes at once; who does not answer is left out."""
        try:
            return scatter(questions, deadline, meanwhile)
        finally:
            for line in questions:
                self._note(line)

    def check(self, deadline: float, patience: float) -> None:
        """Ask all nodes how they are; look at who owns what where anything has changed.

        Whoever is away is waited for until `patience` only.
        """
        self._suspects.clear()
        if self._take_pulses(self._open_lines(), deadline) or not self.topology.is_settled:
            self.is_stale = True
        for address in sorted(set(self.topology.nodes) - self.topology.given_up):
            self._try(address, min(deadline, patience))
        looks = 0
        while self.is_stale and looks < _MOST_LOOKS:
            looks += 1
            self.look(deadline)

    def clear_suspects(self, deadline: float) -> None:
        """Find out whether whoever announced a change of what is another's owns it now.

        A replica announces what it is told by its primary, so mostly all is as it was.
        """
        suspects, self._suspects = self._suspects, set()
        replicas = {one for one in suspects if self.topology.primary_of(one)}
        lines = [self._lines[one] for one in replicas if one in self._lines]
        if suspects != replicas or self._take_pulses(lines, deadline):
            self.is_stale = True
            self.look(deadline)

    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def look(self, deadline: float) -> None:
        """Ask all nodes who owns what."""
        if not self._open_lines():
            self._start_up(deadline)
        answers = self.scatter(dict.fromkeys(self._open_lines(), _VIEW), deadline)
        views = [
            parse(view, line.address)
            for line, (view,) in answers.items()
            if not isinstance(view, hiredis.ReplyError)
        ]
        if views:
            self._take_over(merge(views), deadline)

    def close(self) -> None:
        """Hang up on all."""
        for line in self._lines.values():
            line.close()
            self._note(line)

    def _open_lines(self) -> list[NodeLine]:
        return [line for line in self._lines.values() if line.is_open]

    def _start_up(self, deadline: float) -> None:
        """Nobody is known that answers: ask those whom the configuration names."""
        for address in self._seeds:
            self._try(address, deadline)
            if self._lines[address].is_open:
                return

    def _try(self, address: str, deadline: float) -> None:
        if address not in self._lines:
            self._lines[address] = self._new_line(address, self._epoll)
        line = self._lines[address]
        if not line.is_open:
            with suppress(StoreUnavailable):
                line.open(deadline)
            self._note(line)

    def _take_over(self, found: Topology, deadline: float) -> None:
        """Believe a topology: judge who has taken over, and listen to everybody in it."""
        before, self.topology = self.topology, found
        for address in found.nodes:
            primary = before.primary_of(address)
            if primary and address in found.owners and primary in before.owners:
                self._lines[address].is_proven = False
                self.has_lost |= not self._trails.is_complete(primary, address)
        for address in [one for one in self._lines if one not in found.nodes]:
            line = self._lines.pop(address)
            line.close()
            self._note(line)
        strangers = set(found.nodes) - set(self._lines)
        for address in sorted(strangers):
            self._try(address, deadline)
        opened = {address: line.opened for address, line in self._lines.items()}
        self._trails.follow(found, opened)
        self.is_stale = bool(strangers)

    def _take_pulses(self, lines: list[NodeLine], deadline: float) -> bool:
        """Tell whether anybody does not answer, or not as before."""
        self._trails.cut()
        answers = self.scatter(dict.fromkeys(lines, _PULSE), deadline)
        has_changed = len(answers) < len(lines)
        offsets: dict[str, int] = {}
        for line, (info, role) in answers.items():
            pulse = pulse_of(info, role)
            has_changed |= pulse != line.pulse
            line.pulse = pulse
            offset = offset_of(role)
            if offset is not None:
                offsets[line.address] = offset
        self._trails.measure(offsets)
        return has_changed

    def _is_well(self, line: NodeLine) -> bool:
        """An owner that is cut off from most others cannot vouch for what it says."""
        return line.address not in self.topology.owners or line.pulse.startswith(
            ("LOADING", "master cluster_state:ok")
        )

    def _note(self, line: NodeLine) -> None:
        for keys in line.take_news():
            self._news.append(keys)
            if isinstance(keys, Loss):
                self._news[-1] = Loss(self.known_until)
                self.known_until = -math.inf
            if keys is None or isinstance(keys, Loss):
                line.is_proven, self.is_stale = False, True
                line.losses += 1
                continue
            if any(self.topology.owners[slot_of(key)] != line.address for key in keys):
                self._suspects.add(line.address)
            self._trails.note(line.address, keys)
            if DATASET in keys:
                self.is_stale = True
                for one in self._lines.values():
                    one.is_proven = False
