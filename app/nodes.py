"""The lines to the nodes of a Redis Cluster, by address: one look for all, one question to many."""

import select
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from app.errors import StoreUnavailable
from app.node import NodeLine


class Nodes:
    """`new_line` makes a line; `note` is told of each that may have brought something."""

    def __init__(
        self,
        new_line: Callable[[str, select.epoll], NodeLine],
        note: Callable[[NodeLine], None],
    ) -> None:
        self._new_line = new_line
        self._note = note
        self._epoll = select.epoll()
        self._lines: dict[str, NodeLine] = {}
        self.poll = self._epoll.poll

    def __iter__(self) -> Iterator[NodeLine]:
        return iter(self._lines.values())

    def at(self, address: str) -> NodeLine | None:
        """Return the line to a node, open or not; None to nobody known."""
        return self._lines.get(address)

    def open_ones(self) -> list[NodeLine]:
        return [line for line in self if line.is_open]

    def try_to_open(self, address: str, deadline: float) -> NodeLine:
        """Open the line to a node if it can be had now."""
        if address not in self._lines:
            self._lines[address] = self._new_line(address, self._epoll)
        line = self._lines[address]
        if not line.is_open:
            with suppress(StoreUnavailable):
                line.open(deadline)
            self._note(line)
        return line

    def keep(self, addresses: Collection[str]) -> None:
        """Hang up on all others, and forget them."""
        for address in [one for one in self._lines if one not in addresses]:
            self._hang_up(self._lines.pop(address))

    def close(self) -> None:
        """Hang up on all."""
        for line in self:
            self._hang_up(line)

    def lift_pause(self) -> bool:
        """Tell whether somebody was not asked because of a pause that need not be kept any more."""
        return any(list(map(NodeLine.lift_pause, self)))

    def _hang_up(self, line: NodeLine) -> None:
        line.forget_former()
        line.close()
        self._note(line)
