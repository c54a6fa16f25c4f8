"""Lines to all nodes of a Redis Cluster, and what the nodes say who owns what.

Replicas are listened to as well as primaries: whoever takes over, and acknowledges changes from
then on, has announced them here before. What this rests on is in docs/operations.md.
"""

import math
import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import hiredis

from app.errors import StoreUnavailable
from app.node import PULSE, NodeLine, offset_of, scatter
from app.nodes import Nodes
from app.slots import slot_of
from app.topology import UNKNOWN, Topology, merge, parse
from app.trail import Trails
from app.wire import Command, Loss, News, Work

_VIEW: tuple[Command, ...] = (("CLUSTER", "NODES"),)
DATASET = "dataset"
_MOST_LOOKS = 3
"""A node that has just become known may know of another one."""


class Members:
    """The nodes. Changes go to `news`; `new_line` makes a line, `saw` is told who announced."""

    def __init__(
        self,
        seeds: tuple[str, ...],
        news: list[News],
        new_line: Callable[[str, select.epoll], NodeLine],
        saw: Callable[[str, Sequence[str]], None],
    ) -> None:
        self._seeds = seeds
        self._news = news
        self._saw = saw
        self._nodes = Nodes(new_line, self._note)
        self.trails = Trails()
        self._suspects: set[str] = set()
        self._deposed: set[str] = set()
        """Whose replica has taken over, and who may not know it yet."""
        self._why = "no node of the cluster answers"
        self.topology: Topology = UNKNOWN
        self.known_until = -math.inf
        """When everything that any node had acknowledged was here for certain."""
        self.is_stale = True
        """Who owns what has to be looked at anew, or who has lost what."""
        self.poll = self._nodes.poll
        self.lift_pause = self._nodes.lift_pause
        self.close = self._nodes.close

    def line_at(self, address: str) -> NodeLine:
        """Return the line to a node; raise StoreUnavailable unless it is open."""
        line = self._nodes.at(address)
        if line is None or not line.is_open:
            raise StoreUnavailable(f"redis at {address} does not answer" if address else self._why)
        return line

    def owners(self) -> list[NodeLine]:
        """Return the open lines to nodes that own slots."""
        primaries = self.topology.primaries
        return [line for line in self._nodes.open_ones() if line.address in primaries]

    def is_flooded(self) -> bool:
        """Tell whether announcements may be left behind in a node: only a question tells."""
        return any(line.is_flooded for line in self._nodes.open_ones())

    def is_whole(self) -> bool:
        """Tell whether every node that can acknowledge a change announces it here.

        One that refuses connections cannot, nor one that the cluster has given up.
        """
        return self.topology is not UNKNOWN and all(
            line.is_whole and (line.is_well or line.address not in self.topology.primaries)
            if line.is_open
            else line.is_refused or line.address in self.topology.given_up
            for line in self._nodes
        )

    def are_known(self) -> bool:
        """Tell whether it is known of every replica what it has."""
        return self.trails.are_known({line.address for line in self._nodes.open_ones()})

    def note_made(self, key: str) -> None:
        """Note a change that nobody announces: a replica must have it before it takes over."""
        owners = self.topology.owners
        self.trails.note(owners[slot_of(key)], (key,))
        self._saw(owners[slot_of(key)], owners)

    def take_in(self) -> bool:
        """Take in what has arrived on any line; tell whether anything had."""
        events = self.poll(0)
        if events:
            ready = {descriptor for descriptor, _ in events}
            for line in self._primaries_first(self._nodes):
                if line.has_news(ready):
                    line.receive_news()
                    self._note(line)
                self.trails.drained(line.address)
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
            for line in self._primaries_first(questions):
                self._note(line)
                self.trails.drained(line.address)

    def check(self, deadline: float, patience: float) -> None:
        """Ask all nodes how they are; look at who owns what where anything has changed.

        Who is away is waited for until `patience` only: what is left is for those who are there.
        """
        self.take_in()
        if any(self.topology.primary_of(one) is None for one in self._suspects):
            self.is_stale = True
        self._suspects.clear()
        if self._take_pulses(self._nodes.open_ones(), patience) or not self.topology.is_settled:
            self.is_stale = True
        for address in sorted(set(self.topology.nodes) - self.topology.given_up):
            self._try(address, patience)
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
        lines = [line for line in self._nodes if line.address in replicas]
        if suspects != replicas or self._take_pulses(lines, deadline):
            self.is_stale = True
            self.look(deadline)

    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def measure(self, deadline: float) -> None:
        """Ask how far all are, once more: to know of a replica what it has takes two answers."""
        self.is_stale |= self._take_pulses(self._nodes.open_ones(), deadline)

    def look(self, deadline: float) -> None:
        """Ask all nodes who owns what."""
        if not self._nodes.open_ones():
            self._start_up(deadline)
        answers = self.scatter(dict.fromkeys(self._nodes.open_ones(), _VIEW), deadline)
        views = []
        for line, (view,) in answers.items():
            if isinstance(view, hiredis.ReplyError):
                self._why = f"redis at {line.address} tells nothing of a cluster: {view}"
            else:
                views.append(parse(view, line.address))
        if views:
            self._take_over(merge(views), deadline)

    def _primaries_first(self, lines: Iterable[NodeLine]) -> list[NodeLine]:
        """What a replica repeats has been told by its primary before."""
        return sorted(lines, key=lambda line: line.address not in self.topology.primaries)

    def _start_up(self, deadline: float) -> None:
        """Nobody is known that answers: ask those whom the configuration names."""
        for address in self._seeds:
            if self._try(address, deadline).is_open:
                return

    def _try(self, address: str, deadline: float) -> NodeLine:
        line = self._nodes.try_to_open(address, deadline)
        if line.is_open and address not in self.topology.primaries | self._deposed:
            line.forget_former()  # What a replica repeats must count once only.
        return line

    def _take_over(self, found: Topology, deadline: float) -> None:
        """Believe a topology: judge who has taken over, and listen to everybody in it."""
        self.take_in()
        before, self.topology = self.topology, found
        for address in found.nodes:
            primary = before.primary_of(address)
            if primary in before.primaries and address in found.primaries:
                self._must_prove(address)
                self.trails.judge(primary, address)
                self._deposed.add(primary)
        self._deposed = {one for one in self._deposed if found.may_hold_itself_for_primary(one)}
        self._nodes.keep(found.nodes)
        strangers = {one for one in found.nodes if self._nodes.at(one) is None}
        for address in sorted(strangers):
            self._try(address, deadline)
        self.trails.follow(found, {line.address: line.opened for line in self._nodes})
        self.is_stale = bool(strangers)

    def _take_pulses(self, lines: list[NodeLine], deadline: float) -> bool:
        """Tell whether anybody does not answer, or not as before."""
        self.trails.cut()
        answers = self.scatter(dict.fromkeys(lines, PULSE), deadline)
        self.take_in()
        has_changed = len(answers) < len(lines)
        offsets: dict[str, int] = {}
        for line, (info, role) in answers.items():
            has_changed |= line.feel(info, role)
            line.forget_former()
            if (offset := offset_of(role)) is not None:
                offsets[line.address] = offset
        self.trails.measure(offsets)
        return has_changed

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
            self._note_changes(line.address, keys)

    def _note_changes(self, address: str, keys: list[str]) -> None:
        owners = self.topology.owners
        if any(owners[slot_of(key)] != address for key in keys):
            self._suspects.add(address)
        self.trails.note(address, keys)
        self._saw(address, owners)
        if address in self._deposed:
            # It acknowledges what it will forget when it learns that it is deposed.
            for key in keys:
                self.trails.lack(owners[slot_of(key)], {key})
                self._must_prove(owners[slot_of(key)])
        if DATASET in keys:
            for one in self._nodes:
                self._must_prove(one.address)

    def _must_prove(self, address: str) -> None:
        self.is_stale = True
        if line := self._nodes.at(address):
            line.is_proven = False
