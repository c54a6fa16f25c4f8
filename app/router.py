"""Questions to a cluster: to the owners of their slots, all at once; again where one has moved."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import StoreUnavailable
from app.members import Members
from app.node import NodeLine
from app.slots import NOWHERE, Unit, by_node, redirection, units_of
from app.wire import Command, Work

_Target = tuple[NodeLine, bool]
"""Which node is asked, and whether as one that does not own the slot yet (ASKING)."""


class Router:
    """With `is_proving`, a node is asked only once it has proven that it has lost nothing."""

    def __init__(self, members: Members, *, is_proving: bool) -> None:
        self._members = members
        self._is_proving = is_proving

    def ask(
        self,
        commands: Sequence[Command],
        deadline: float,
        meanwhile: Work | None = None,
        check: Callable[[], None] | None = None,
    ) -> list[Any]:
        """Return the replies of whoever owns the keys.

        `check` looks at all nodes and has them prove themselves; without it, this is for a proof.
        """
        replies: list[Any] = [None] * len(commands)
        units = units_of(commands)
        if check and any(not self._is_good(self._owner(unit)) for unit in units):
            check()
        asked: dict[Unit, _Target] = {unit: (self._owner(unit), False) for unit in units}
        placed = by_node(asked, commands)
        self._exchange(placed, replies, deadline, meanwhile, is_proof=check is None)
        moved = {unit: way for unit in asked if (way := redirection(unit, replies))}
        if moved:
            self._members.is_stale = True
            if check:
                check()
            else:
                self._members.look(deadline)
            again = {unit: self._target(unit, way, asked[unit][0]) for unit, way in moved.items()}
            placed = by_node(again, commands)
            self._exchange(placed, replies, deadline, is_proof=check is None)
        return replies

    def ping(self) -> list[Any]:
        """Answer a PING if somebody is there for each slot; else raise StoreUnavailable."""
        for address in self._members.topology.primaries or ("",):
            self._members.line_at(address)
        return ["PONG"]

    def _owner(self, unit: Unit) -> NodeLine:
        return self._members.line_at(self._members.topology.owners[unit.slot or 0])

    def _is_good(self, line: NodeLine) -> bool:
        return line.is_proven or not self._is_proving

    def _target(self, unit: Unit, way: str, asked: NodeLine) -> _Target:
        """Return whom to ask in place of whom was asked, as "MOVED 1 host:port" tells."""
        kind, _, address = way.split()
        owner = self._owner(unit)
        if kind == "ASK" or owner is asked:
            owner = self._members.line_at(address)
        return owner, kind == "ASK"

    def _exchange(
        self,
        questions: Mapping[NodeLine, Sequence[tuple[int, Command]]],
        replies: list[Any],
        deadline: float,
        meanwhile: Work | None = None,
        *,
        is_proof: bool,
    ) -> None:
        """Ask all nodes at once and put their replies in place."""
        losses = {line: line.losses for line in questions}
        for line in questions:
            if not is_proof and not self._is_good(line):
                raise StoreUnavailable(f"redis at {line.address} may have lost its data")
        commands = {line: tuple(one for _, one in placed) for line, placed in questions.items()}
        answers = self._members.scatter(commands, deadline, meanwhile)
        for line, placed in questions.items():
            # Emptied in between, it has nothing to say that is worth anything.
            if line not in answers or line.losses > losses[line]:
                self._members.is_stale = True
                raise StoreUnavailable(f"redis at {line.address} does not answer")
            for (place, _), reply in zip(placed, answers[line], strict=True):
                if place != NOWHERE:
                    replies[place] = reply
