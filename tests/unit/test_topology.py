"""Who owns which slot, by what the nodes of a cluster say."""

import pytest

from app.topology import SLOTS, UNKNOWN, Node, Topology, merge, parse, start_up_nodes

A, B, C = "10.0.0.1:7001", "10.0.0.2:7002", "10.0.0.3:7003"


def line(name: str, place: str, flags: str, epoch: int, *slots: str, primary: str = "-") -> str:
    """Return one line of CLUSTER NODES."""
    words = [name, f"{place}@17000", flags, primary, "0", "0", str(epoch), "connected", *slots]
    return " ".join(words)


def seen_by(asked: str, *lines: str) -> tuple[Node, ...]:
    return parse("\n".join(lines), asked)


def owners(topology: Topology) -> dict[str, int]:
    return {one: topology.owners.count(one) for one in sorted(set(topology.owners))}


def test_each_slot_belongs_to_who_says_so() -> None:
    """Two primaries and a replica, all of one mind."""
    a, b = ("0-99", "16383"), ("100-16382",)
    views = [
        seen_by(
            asked,
            line("a", A, "myself,master" if asked == A else "master", 1, *a),
            line("b", B, "myself,master" if asked == B else "master", 2, *b),
            line("c", C, "myself,slave" if asked == C else "slave", 1, primary="a"),
        )
        for asked in (A, B, C)
    ]
    topology = merge(views)
    assert {A: 101, B: SLOTS - 101} == owners(topology)
    assert (A, None) == (topology.primary_of(C), topology.primary_of(A))
    assert topology.is_settled
    assert frozenset() == topology.given_up


def test_replica_that_has_taken_over_is_believed_against_its_primary() -> None:
    """Its epoch is the higher one; the old primary has not heard of it, nor has anybody else."""
    old = line("a", A, "master", 4, "0-16383")
    replica = line("b", B, "slave", 4, primary="a")
    taken = line("b", B, "myself,master", 5, "0-16383")
    views = [
        seen_by(A, line("a", A, "myself,master", 4, "0-16383"), replica),
        seen_by(B, line("a", A, "slave", 5, primary="b"), taken),
        seen_by(C, old, replica, line("c", C, "myself,master", 1)),
    ]
    assert {B: SLOTS} == owners(merge(views))
    assert {B: SLOTS} == owners(merge(views[::-1]))


def test_what_others_say_of_a_node_that_answers_does_not_count() -> None:
    """C has heard of A's new epoch, but not yet that a slot of A's has moved to B before."""
    views = [
        seen_by(A, line("a", A, "myself,master", 9, "0-99")),
        seen_by(B, line("b", B, "myself,master", 8, "100-16383")),
        seen_by(C, line("c", C, "myself,master", 1), line("a", A, "master", 9, "0-16383")),
    ]
    assert {A: 100, B: SLOTS - 100} == owners(merge(views))


def test_node_that_does_not_answer_owns_what_others_say() -> None:
    """Until one with a higher epoch takes its slots; it is missed until the cluster gives it up."""
    here = line("b", B, "myself,master", 1, "0-99")
    topology = merge([seen_by(B, here, line("a", A, "master,fail?", 2, "100-16383"))])
    assert {A: SLOTS - 100, B: 100} == owners(topology)
    assert frozenset() == topology.given_up
    topology = merge([seen_by(B, here, line("a", A, "master,fail", 2, "100-16383"))])
    assert {A: SLOTS - 100, B: 100} == owners(topology)
    assert frozenset({A}) == topology.given_up
    assert not topology.is_settled


def test_slot_on_its_way_belongs_to_who_gives_it_away() -> None:
    """A migrating slot is listed twice; the mark in brackets is no claim."""
    text = line("a", A, "myself,master", 1, "0-16383", "[5->-bbbb]", "[7-<-cccc]")
    assert {A: SLOTS} == owners(merge([seen_by(A, text)]))


@pytest.mark.parametrize("flags", ["handshake", "master,noaddr", "noaddr"])
def test_node_that_is_none_yet_leaves_things_unsettled(flags: str) -> None:
    """It can own nothing, but one heartbeat later it may be one."""
    here = line("a", A, "myself,master", 1, "0-16383")
    topology = merge([seen_by(A, here, line("x", B, flags, 0))])
    assert [A] == list(topology.nodes)
    assert not topology.is_settled


def test_node_that_knows_no_address_of_its_own_is_where_it_was_asked() -> None:
    """A node that has met nobody, and one behind another address than it knows."""
    alone = "a :7001@17001 myself,master - 0 0 1 connected 0-16383"
    assert {"seed:7001": SLOTS} == owners(merge([seen_by("seed:7001", alone)]))
    inside = line("a", "172.17.0.2:7001", "myself,master", 1, "0-16383")
    outside = line("a", A, "master", 1, "0-16383")
    views = [seen_by("seed:7001", inside), seen_by(B, outside, line("b", B, "myself,master", 2))]
    assert {A: SLOTS} == owners(merge(views))


def test_addresses_are_read_in_every_spelling() -> None:
    """IPv6, with a host name, with what Redis 7.2 and Valkey add."""
    text = (
        "a ::1:7001@17001 myself,master - 0 0 1 connected 0-9\n"
        "b 10.0.0.2:7002@17002,node-b,shard-id=6e master - 0 0 2 connected 10-16383\n"
    )
    assert ["[::1]:7001", B] == [node.address for node in parse(text, "seed:1")]


def test_nobody_is_known_at_first() -> None:
    """No slot has an owner."""
    assert {"": SLOTS} == owners(UNKNOWN)
    assert UNKNOWN.primary_of(A) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("cluster://a:1", ("", ("a:1",))),
        ("cluster://a:1,b-2.example:65535/", ("", ("a:1", "b-2.example:65535"))),
        ("cluster://app:s%40cret@[::1]:7,10.0.0.1:8", ("app:s%40cret@", ("[::1]:7", "10.0.0.1:8"))),
    ],
)
def test_start_up_nodes_are_read_from_the_url(
    url: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    """Credentials are left as they stand."""
    assert expected == start_up_nodes(url)


@pytest.mark.parametrize(
    "url",
    [
        "cluster://",
        "cluster://a",
        "cluster://a:0",
        "cluster://a:65536",
        "cluster://a:1,",
        "cluster://a:1;b:2",
        "cluster://a:1/2",
        "cluster://a:1?db=1",
        "cluster://u:p/w@a:1",
        "redis://a:1",
    ],
)
def test_what_names_no_start_up_nodes_is_refused(url: str) -> None:
    """A cluster has no databases, and a slash in a password must be written %2F."""
    with pytest.raises(ValueError, match="not like cluster://"):
        start_up_nodes(url)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([], True),
        ([seen_by(A, line("a", A, "myself,master", 4, "0-16383"))], True),
        ([seen_by(A, line("a", A, "myself,slave", 5, primary="b"))], False),
    ],
    ids=["it is silent", "it says that it is a primary", "it says that it is a replica"],
)
def test_who_was_replaced_may_not_know_it_until_it_says_so_itself(
    views: list[tuple[Node, ...]], expected: bool
) -> None:
    """What others have heard of it does not count: it may have said OK before."""
    told = seen_by(
        B,
        line("a", A, "slave", 5, primary="b"),
        line("b", B, "myself,master", 5, "0-16383"),
    )
    topology = merge([told, *views])
    assert expected == topology.may_hold_itself_for_primary(A)
    assert not topology.may_hold_itself_for_primary(B)
