"""Has a replica all that its primary has announced? Pure.

Both announce each change to us, the primary when it is made, the replica when it has arrived there.
So what the one has announced and the other has not yet is what would be lost if the replica took
over now. Whatever the primary did up to an offset has arrived once the replica is past that offset,
which bounds what must be remembered.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from app.topology import Topology

_MOST = 100_000
"""More than that, and only the offsets tell whether the replica has everything."""


class Trail:
    """How far one replica is behind one primary.

    A key that changes twice may be told of once by either: what is then held to be missing, though
    it is not, is cleared by the offsets a moment later.
    """

    def __init__(self) -> None:
        self._offset = -1
        self.is_known = False
        """The replica has been past some offset: older changes are out of question."""
        self._behind: Counter[str] = Counter()
        """What the primary had announced before `_offset` was read from it."""
        self._before_cut: Counter[str] = Counter()
        self._since: Counter[str] = Counter()
        self._has_overflowed = False
        self._early: Counter[str] = Counter()
        """What came from the replica before we looked into the primary's socket."""

    def announced(self, key: str) -> None:
        """Note a change that the primary tells of."""
        if self._early[key] > 0:
            self._early[key] -= 1
        elif len(self._since) < _MOST:
            self._since[key] += 1
        else:
            self._has_overflowed = True

    def echoed(self, key: str) -> None:
        """Note a change that the replica tells of."""
        if not self.is_known:
            return  # It may be one from before we listened to the primary.
        for waiting in (self._behind, self._before_cut, self._since):
            if key in waiting:
                waiting[key] -= 1
                if not waiting[key]:
                    del waiting[key]
                return
        if len(self._early) < _MOST:
            self._early[key] += 1

    def drained(self) -> None:
        """The primary's socket was empty after all that came from the replica had been read.

        So nothing is early any more: the primary had told of it before.
        """
        self._early.clear()

    def cut(self) -> None:
        """Draw a line before the offsets are asked for: what was noted until now is within them."""
        self._before_cut += self._since
        self._since.clear()
        if self._has_overflowed:
            self.is_known, self._offset, self._has_overflowed = False, -1, False

    def measure(self, primary_offset: int, replica_offset: int) -> None:
        """Take in both replication offsets, asked for after `cut`."""
        if self._offset < 0:
            self._offset = primary_offset
        elif replica_offset >= self._offset:
            self.is_known = True
            self._behind, self._before_cut = self._before_cut, Counter()
            self._offset = primary_offset

    def missing(self) -> set[str] | None:
        """Return what the replica is not known to have; None when it may lack anything."""
        if not self.is_known or self._has_overflowed:
            return None
        return {*self._behind, *self._before_cut, *self._since}


class Trails:
    """A trail of each replica of a cluster."""

    def __init__(self) -> None:
        self._trails: dict[tuple[str, str], tuple[Trail, int]] = {}
        self._notes: dict[str, list[Callable[[str], None]]] = {}
        self.behind: dict[str, set[str] | None] = {}
        """Who has taken over, and what each may lack; None when it may lack anything."""

    def follow(self, topology: Topology, opened: Mapping[str, int]) -> None:
        """Go on with the replicas that there are; anew where a line was. `opened` counts that."""
        before, self._trails, self._notes = self._trails, {}, {}
        for replica in topology.nodes:
            primary = topology.primary_of(replica)
            if primary is None:
                continue
            times = opened[primary] + opened[replica]
            trail, then = before.get((primary, replica), (Trail(), times))
            trail = trail if then == times else Trail()
            self._trails[primary, replica] = trail, times
            self._notes.setdefault(primary, []).append(trail.announced)
            self._notes.setdefault(replica, []).append(trail.echoed)

    def note(self, address: str, keys: Collection[str]) -> None:
        """Note what a node has announced."""
        for note in self._notes.get(address, ()):
            for key in keys:
                note(key)

    def drained(self, address: str) -> None:
        """Note that a node's socket was empty after what the others had sent was read."""
        for (primary, _), (trail, _) in self._trails.items():
            if primary == address:
                trail.drained()

    def cut(self) -> None:
        """Draw a line before the offsets are asked for."""
        for trail, _ in self._trails.values():
            trail.cut()

    def measure(self, offsets: Mapping[str, int]) -> None:
        """Take in the replication offsets of all that told theirs."""
        for (primary, replica), (trail, _) in self._trails.items():
            if primary in offsets and replica in offsets:
                trail.measure(offsets[primary], offsets[replica])

    def are_known(self, present: Collection[str]) -> bool:
        """Tell whether the trail of every replica that is there goes back far enough."""
        return all(
            trail.is_known
            for ends, (trail, _) in self._trails.items()
            if all(one in present for one in ends)
        )

    def judge(self, primary: str, replica: str) -> None:
        """A replica has taken over: note in `behind` what it is not known to have."""
        trail, _ = self._trails.get((primary, replica), (Trail(), 0))
        self.lack(replica, trail.missing())
        self.lack(replica, self.behind.pop(primary, set()))

    def lack(self, address: str, missing: set[str] | None) -> None:
        """Note what somebody who has taken over may lack; None for anything."""
        known = self.behind.get(address, set())
        both = None if missing is None or known is None else known | missing
        self.behind[address] = None if both and len(both) > _MOST else both
