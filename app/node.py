"""The line to one node of a Redis Cluster: several are looked into and asked at once."""

import math
import select
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

import hiredis

from app.errors import StoreUnavailable
from app.line import Line
from app.pause import Pause
from app.wire import Command, Loss, Wire, Work

PULSE: tuple[Command, ...] = (("CLUSTER", "INFO"), ("ROLE",))
_MOST_FORMER = 3


class NodeLine(Line):
    """A line that shows in a common epoll when it has something to read."""

    def __init__(
        self,
        address: str,
        epoll: select.epoll,
        *,
        who: str,
        timeout_s: float,
        watched: tuple[str, ...],
        pause_s: float,
        count: Callable[[str], None],
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(
            f"redis://{who}{address}",
            timeout_s=timeout_s,
            watched=watched,
            pause_s=pause_s,
            count=count,
            monotonic=monotonic,
        )
        self._name = f"redis at {address}"
        self.address = address
        self.pulse = ""
        """What it last said of itself; see Cluster."""
        self.is_proven = False
        """It has all that its slots held when the data set began; see Shards."""
        self.is_refused = False
        """Nothing listens there, so nobody can be told there that a change is done."""
        self.opened = 0
        """How often a line was made to a process that may not be the one of before."""
        self.losses = 0
        """How often all that was learnt here has been in doubt."""
        self._epoll = epoll
        self._former: list[Wire] = []
        """What an answer did not come over in time. Who was only standing still, or cut off, may
        announce changes there once it goes on, before it takes up a new line."""
        self._stalls = 0
        self._first_pause_s = pause_s

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    @property
    def is_whole(self) -> bool:
        """It is open, and announces what we watch."""
        return self.is_open and (self._is_tracking or not self._watched)

    @property
    def is_well(self) -> bool:
        """An owner that is cut off from most others cannot vouch for what it says."""
        return self.pulse.startswith(("LOADING", "master cluster_state:ok"))

    @property
    def is_flooded(self) -> bool:
        """Announcements may be left behind in Redis: only another question tells."""
        return self._heard_at == -math.inf

    def open(self, deadline: float) -> None:
        """Connect, unless that failed a moment ago. Raises StoreUnavailable."""
        super().send((), deadline)

    def send(self, commands: tuple[Command, ...], deadline: float | None = None) -> None:
        """Send over the open line only: one made anew leads to who knows what data."""
        if self._open_wire() is None:
            raise StoreUnavailable(f"{self._name} does not answer")
        super().send(commands, deadline)

    def has_news(self, ready: Collection[int]) -> bool:
        """Tell whether any of its sockets is among those that can be read."""
        return any(wire.fileno() in ready for wire in self._wires())

    def receive_news(self) -> None:
        """Take in what has arrived, however late."""
        self._receive_late()
        if self._wire is not None:
            self._receive_news()

    def forget_former(self) -> None:
        """Listen to the present line only: whatever came before it has been taken in."""
        while self._former:
            self._former.pop().close()

    def feel(self, info: Any, role: Any) -> bool:
        """Take in the answers to PULSE; tell whether the node's place in the cluster changed."""
        pulse = pulse_of(info, role)
        has_changed, self.pulse = pulse != self.pulse, pulse
        return has_changed

    def close(self) -> None:
        super().close()
        self.is_proven = False
        self.pulse = ""

    def _connect(self, deadline: float) -> Wire:
        wire = super()._connect(deadline)
        self._epoll.register(wire.fileno(), select.EPOLLIN)
        self.is_refused, self._stalls = False, 0
        self._receive_late()
        if not self._former:
            self.opened += 1
        if self._watched:
            # What was acknowledged while nobody listened here is not known.
            self.news.append(Loss(-math.inf))
        return wire

    def _give_up(self, error: Exception) -> StoreUnavailable:
        if isinstance(error, TimeoutError):
            # Each look at a node that stands still costs everybody a wait.
            self._stalls += 1
            self._pause = Pause(
                min(self._first_pause_s * 2**self._stalls, 1.0) / 2, self._monotonic
            )
            self._keep_listening()
        self.is_refused = isinstance(error, ConnectionRefusedError)
        return super()._give_up(error)

    def _keep_listening(self) -> None:
        if self._wire is not None and self._is_tracking:
            self._count("redis_connections_lost")
            self._former.append(self._wire)
            self._wire = None
            if len(self._former) > _MOST_FORMER:
                self._former.pop(0).close()

    def _receive_late(self) -> None:
        for wire in self._former[:]:
            try:
                wire.receive_late()
            except (OSError, hiredis.HiredisError):
                self._former.remove(wire)
                wire.close()

    def _wires(self) -> list[Wire]:
        return [*self._former, *([self._wire] if self._wire else [])]


def scatter(
    questions: Mapping[NodeLine, tuple[Command, ...]],
    deadline: float,
    meanwhile: Work | None = None,
) -> dict[NodeLine, list[Any]]:
    """Ask several nodes at once, over open lines; who does not answer is left out."""
    answers: dict[NodeLine, list[Any]] = {}
    waiting: dict[NodeLine, tuple[Command, ...]] = {}
    try:
        for line, commands in questions.items():
            with suppress(StoreUnavailable):
                line.send(commands, deadline)
                waiting[line] = commands
        if meanwhile:
            meanwhile()
        while waiting:
            line = next(iter(waiting))
            with suppress(StoreUnavailable):
                answers[line] = line.replies(waiting.pop(line))
    except BaseException:
        for line in waiting:
            line.close()  # an answer that nobody waits for is on its way
        raise
    return answers


def pulse_of(info: Any, role: Any) -> str:
    """Return what changes when a node's place in the cluster does."""
    for answer in (info, role):
        if isinstance(answer, hiredis.ReplyError):
            return str(answer)
    return f"{role[0]} {info.partition('cluster_stats_messages')[0]}"


def offset_of(role: Any) -> int | None:
    """Return how far a node's copy of the data is, in bytes of its shard's history."""
    match role:
        case ["master", int(offset), *_] | ["slave", _, _, "connected", int(offset)]:
            return offset
    return None
