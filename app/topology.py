"""Who owns which slot of a Redis Cluster, by what its nodes say of themselves. Pure.

Each node tells what it knows (`CLUSTER NODES`). Of itself it knows best; of one that does not
answer, whoever has heard of its newest epoch does. Of two that claim a slot the higher epoch is
right: it grows with each failover and each slot that moves.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SLOTS = 16_384
_NOT_YET = frozenset({"noaddr", "handshake"})
"""Not one of the cluster yet, or no more: it can own nothing."""

_UNSETTLED = _NOT_YET | {"fail", "fail?"}
_START_UP = re.compile(
    r"cluster://(?P<who>[^@/?#]*@)?"
    r"(?P<nodes>(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
    r"(,(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5})*)/?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as one of them describes it. `slots` are first and last of each range."""

    node_id: str
    address: str
    primary_id: str | None
    epoch: int
    slots: tuple[tuple[int, int], ...]
    flags: frozenset[str]

    @property
    def is_self(self) -> bool:
        return "myself" in self.flags


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes by address, and the address of each slot's owner, "" where nobody is known.

    `primaries` are the owners. `given_up` are those that did not answer, and that the cluster does
    without. `is_settled` means that all nodes are there and well, so that only a change of epochs
    can change anything.
    """

    nodes: Mapping[str, Node]
    owners: tuple[str, ...]
    primaries: frozenset[str]
    given_up: frozenset[str]
    is_settled: bool

    def primary_of(self, address: str) -> str | None:
        """Return the address of a replica's primary; None for a primary, or one not known."""
        primary_id = self.nodes[address].primary_id if address in self.nodes else None
        return next((a for a, node in self.nodes.items() if node.node_id == primary_id), None)

    def may_hold_itself_for_primary(self, address: str) -> bool:
        """Tell whether a node that has lost its slots may not have learnt of that."""
        node = self.nodes.get(address)
        if node is None or address in self.primaries:
            return False
        return not (node.is_self and node.primary_id)


UNKNOWN = Topology({}, ("",) * SLOTS, frozenset(), frozenset(), is_settled=False)


def start_up_nodes(url: str) -> tuple[str, tuple[str, ...]]:
    """Return `user:password@`, as it stands, and the addresses in a cluster:// URL.

    Raises ValueError for what is not one.
    """
    match = _START_UP.fullmatch(url)
    addresses = tuple(match["nodes"].split(",")) if match else ()
    if not match or any(not 0 < int(one.rpartition(":")[2]) < 65_536 for one in addresses):
        raise ValueError("not like cluster://user:password@host:port,host:port")
    return match["who"] or "", addresses


def parse(text: str, asked: str) -> tuple[Node, ...]:
    """Read an answer to CLUSTER NODES; `asked` is the address that gave it."""
    nodes = []
    for line in text.splitlines():
        node_id, place, flags, primary_id, _, _, epoch, _, *slots = line.split()
        address = _address(place) or (asked if "myself" in flags else "")
        nodes.append(
            Node(
                node_id,
                address,
                None if primary_id == "-" else primary_id,
                int(epoch),
                # [93-<-…] is a slot on its way, which still belongs to its owner.
                tuple(_range(one) for one in slots if not one.startswith("[")),
                frozenset(flags.split(",")),
            )
        )
    return tuple(nodes)


def merge(views: Iterable[tuple[Node, ...]]) -> Topology:
    """Make one topology of what several nodes say."""
    said = [node for view in views for node in view]
    told = sorted((one for one in said if not one.flags & _NOT_YET), key=lambda node: node.epoch)
    known = {node.node_id: node for node in (*told, *filter(lambda node: node.is_self, told))}
    # A node that sits behind another address than it knows of is where the others find it.
    places = {node.node_id: node.address for node in told if not node.is_self}
    by_trust = sorted(known.values(), key=lambda node: (node.is_self, node.epoch))
    nodes = {places.get(node.node_id, node.address): node for node in by_trust}
    owners = [""] * SLOTS
    for address, node in sorted(nodes.items(), key=lambda pair: pair[1].epoch):
        for first, last in node.slots:
            owners[first : last + 1] = [address] * (last + 1 - first)
    silent = {address for address, node in nodes.items() if not node.is_self}
    failed = {node.node_id for node in told if "fail" in node.flags}
    return Topology(
        nodes,
        tuple(owners),
        frozenset(owners) - {""},
        frozenset(one for one in silent if nodes[one].node_id in failed),
        is_settled=not silent and not any(node.flags & _UNSETTLED for node in said),
    )


def _address(place: str) -> str:
    """Return host:port of `ip:port@bus,hostname`; "" where there is no ip."""
    host, _, port = place.partition("@")[0].rpartition(":")
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}" if host and port != "0" else ""


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
