"""Has a replica all that its primary has announced? Pure.

Both announce each change to us, the primary when it is made, the replica when it has arrived there.
So what the one has announced and the other has not yet is what would be lost if the replica took
over now. Whatever the primary did up to an offset has arrived once the replica is past that offset,
which bounds what must be remembered.
"""

from collections.abc import Callable, Collection, Mapping

from app.topology import Topology

_MOST = 100_000
"""More than that, and only the offsets tell whether the replica has everything."""


class Trail:
    """How far one replica is behind one primary."""

    def __init__(self) -> None:
        self._offset = -1
        self.is_known = False
        """The replica has been past some offset: older changes are out of question."""
        self._behind: set[str] = set()
        """What the primary had announced before `_offset` was read from it."""
        self._before_cut: set[str] = set()
        self._since: set[str] = set()
        self._has_overflowed = False
        self._early: set[str] = set()
        self._earlier: set[str] = set()
        """What came from the replica before we looked into the primary's socket."""

    def announced(self, key: str) -> None:
        """Note a change that the primary tells of."""
        early = next((one for one in (self._earlier, self._early) if key in one), None)
        if early is not None:
            early.remove(key)
        elif len(self._since) < _MOST:
            self._since.add(key)
        else:
            self._has_overflowed = True

    def echoed(self, key: str) -> None:
        """Note a change that the replica tells of."""
        for waiting in (self._behind, self._before_cut, self._since):
            if key in waiting:
                waiting.remove(key)
                return
        if len(self._early) < _MOST:
            self._early.add(key)

    def cut(self) -> None:
        """Draw a line before the offsets are asked for: what was noted until now is within them."""
        self._before_cut |= self._since
        self._since = set()
        if self._has_overflowed:
            self.is_known, self._offset, self._has_overflowed = False, -1, False

    def measure(self, primary_offset: int, replica_offset: int) -> None:
        """Take in both replication offsets, asked for after `cut`."""
        if self._offset < 0:
            self._offset = primary_offset
        elif replica_offset >= self._offset:
            self.is_known = True
            self._behind, self._before_cut = self._before_cut, set()
            self._offset = primary_offset
            self._early, self._earlier = set(), self._early

    def is_complete(self) -> bool:
        """Tell whether the replica is known to have all that its primary has announced."""
        is_behind = self._behind or self._before_cut or self._since
        return self.is_known and not self._has_overflowed and not is_behind


class Trails:
    """A trail of each replica of a cluster."""

    def __init__(self) -> None:
        self._trails: dict[tuple[str, str], tuple[Trail, int]] = {}
        self._notes: dict[str, list[Callable[[str], None]]] = {}

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

    def cut(self) -> None:
        """Draw a line before the offsets are asked for."""
        for trail, _ in self._trails.values():
            trail.cut()

    def measure(self, offsets: Mapping[str, int]) -> None:
        """Take in the replication offsets of all that told theirs."""
        for (primary, replica), (trail, _) in self._trails.items():
            if primary in offsets and replica in offsets:
                trail.measure(offsets[primary], offsets[replica])

    def are_known(self) -> bool:
        """Tell whether every replica's trail goes back far enough to tell anything."""
        return all(trail.is_known for trail, _ in self._trails.values())

    def is_complete(self, primary: str, replica: str) -> bool:
        """Tell whether a replica is known to have all that its primary has announced."""
        trail, _ = self._trails.get((primary, replica), (Trail(), 0))
        return trail.is_complete()
