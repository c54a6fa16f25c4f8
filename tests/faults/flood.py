"""Far more requests than can be answered, from many connections at once, and how long each took."""

import select
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle

from tests.wire import Address


@dataclass
class Seen:
    """What came back: how often each status, and the seconds that each accepted request took."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted_s: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    for_s: float = 0.0

    def a_second(self, status: int | None = None) -> float:
        """Return the answers a second, of one status or of all."""
        count = self.statuses.total() if status is None else self.statuses[status]
        return count / self.for_s

    def p99_ms(self) -> float:
        """Return what all but the slowest hundredth of the accepted requests took at most."""
        ordered = sorted(self.accepted_s)
        return ordered[len(ordered) * 99 // 100] * 1000


class Flood:
    """Connections that each ask again as soon as they are answered."""

    def __init__(self, address: Address, requests: list[bytes], connections: int) -> None:
        self._requests = cycle(requests)
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._asked_at: dict[int, float] = {}
        for _ in range(connections):
            made = socket.create_connection(address, timeout=10)  # type: ignore[arg-type]
            made.setblocking(False)
            self._sockets[made.fileno()] = made
            self._epoll.register(made, select.EPOLLIN)

    def run(self, seconds: float) -> Seen:
        """Ask for so long, and then wait for the last answers."""
        seen, began = Seen(), time.monotonic()
        for number in self._sockets:
            self._ask(number)
        while self._asked_at:
            is_over = time.monotonic() - began > seconds
            for number, _ in self._epoll.poll(10):
                self._take(number, seen)
                if not is_over:
                    self._ask(number)
        seen.for_s = time.monotonic() - began
        return seen

    def close(self) -> None:
        self._epoll.close()
        for one in self._sockets.values():
            one.close()

    def _ask(self, number: int) -> None:
        self._asked_at[number] = time.monotonic()
        self._sockets[number].send(next(self._requests))

    def _take(self, number: int, seen: Seen) -> None:
        """All answers here are small: one packet each."""
        answer = self._sockets[number].recv(65_536)
        took_s = time.monotonic() - self._asked_at.pop(number)
        status = int(answer[9:12] or 0)
        seen.statuses[status] += 1
        if status == 200:
            seen.accepted_s.append(took_s)
        elif b"\r\nRetry-After: 1\r\n" not in answer:
            seen.without_retry_after += 1
