"""Changes in a cluster count at once, wherever they are made and whoever owns their slot."""

import itertools
from contextlib import suppress

from redis.crc import key_slot

import redis
from app.errors import StoreUnavailable
from tests.cluster.redis_cluster import CALM_MS, RedisCluster
from tests.cluster.worker import ClusterWorker
from tests.processes import until
from tests.store.feed_harness import NOW, jti_of, token_of

TOKEN = token_of("a")


def key_of(name: object) -> str:
    return f"revoked:{jti_of(name)}"


def names_at(cluster: RedisCluster, port: int, count: int) -> list[int]:
    """Return names of tokens whose revocations belong to a node."""
    ranges = cluster.node(port).slots
    found = [
        name
        for name in range(10 * count)
        if any(first <= key_slot(key_of(name).encode()) <= last for first, last in ranges)
    ]
    assert len(found) >= count
    return found[:count]


def test_warm_token_costs_no_question_and_each_change_counts_at_once(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """Revocation, disable, not-befores and routes, each on the node that its key belongs to."""
    changes = [
        (("SET", key_of("a"), "x"), "revoked", ("DEL", key_of("a"))),
        (
            ("HSET", "client:demo", "status", "disabled"),
            "client_disabled",
            ("HSET", "client:demo", "status", "active"),
        ),
        (("SET", "notbefore:demo", NOW), "revoked", ("DEL", "notbefore:demo")),
        (("SET", "notbefore:*", NOW), "revoked", ("DEL", "notbefore:*")),
        (("HSET", "dataset", "id", "ffffffff"), "revoked", ()),
    ]
    for change, reason, undo in changes:
        worker.warm(TOKEN)
        cluster.do(*change)
        assert reason == worker.reason(TOKEN)
        if undo:
            cluster.do(*undo)
            assert "ok" == worker.reason(TOKEN)


def test_other_worker_is_told_of_what_one_revokes(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """A hundred tokens over all nodes; who revokes waits for no other worker."""
    tokens = [token_of(name) for name in range(100)]
    worker.warm(*tokens)
    with ClusterWorker(cluster.url) as other:
        for name in range(100):
            other.store.revoke(jti_of(name), NOW, "revoke")
            assert "revoked" == worker.reason(token_of(name))


def test_revocation_by_a_replica_that_has_just_taken_over_counts_at_once(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """For milliseconds the old primary still answers as if it were one, and knows nothing of it."""
    for primary in [port for port in cluster.ports if cluster.is_primary(port)]:
        replica = cluster.replica_of(primary)
        names = names_at(cluster, primary, 100)
        worker.warm(*(token_of(name) for name in names[1::2]))
        cluster.take_over(replica)
        with cluster.client(replica) as client:
            for name in names:
                client.set(key_of(name), "x")
                assert worker.reason(token_of(name)) in {"revoked", "store_unavailable"}
        cluster.be_patient(CALM_MS)
        until(cluster.is_well, timeout_s=60)
        first = token_of(names[0])
        until(lambda token=first: worker.reason(token) != "store_unavailable")  # type: ignore[misc]
        assert {"revoked"} == {worker.reason(token_of(name)) for name in names}


def through(cluster: RedisCluster, ports: tuple[int, ...], *command: str | int) -> None:
    """Run a command while its slot moves from one node to another, as `redis-cli -c` does."""
    source, target = ports
    try:
        cluster.run(source, *command)
    except redis.ResponseError as error:
        with cluster.client(target) as client:
            pipe = client.pipeline(transaction=False)
            if isinstance(error, redis.exceptions.AskError):
                pipe.execute_command("ASKING")
            pipe.execute_command(*command)
            pipe.execute()


def test_changes_to_a_slot_on_its_way_count_at_once(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """At each step of its move: revocations of tokens that are known, and of others."""
    tag = "{4}"
    slot = key_slot(tag.encode())
    source = cluster.owner_of_slot(slot)
    target = next(one for one in cluster.ports if one != source and cluster.is_primary(one))
    names = itertools.count()

    def check(step: str, *ports: int) -> None:
        warm, cold, own = (f"{tag}{next(names)}" for _ in range(3))
        worker.warm(token_of(warm))
        for name in (warm, cold):
            through(cluster, ports, "SET", key_of(name), "x")
            assert "revoked" == worker.reason(token_of(name)), step
        worker.store.revoke(jti_of(own), NOW, "revoke")
        assert "revoked" == worker.reason(token_of(own)), step

    for step in cluster.steps_of_a_move(slot, source, target):
        check(step, source, target)
    assert target == cluster.owner_of_slot(slot)
    for step in cluster.steps_of_a_move(slot, target, source):
        check(f"back {step}", target, source)


def test_one_time_token_in_a_slot_on_its_way_is_spent_once(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """Redis says TRYAGAIN for two keys of which one has moved: that is 503, and spends nothing."""
    ends = [port for port in cluster.ports if cluster.is_primary(port)]
    for first in range(5):
        jti = jti_of(f"once{first}")
        slot = key_slot(f"ott:{jti}".encode())
        source = cluster.owner_of_slot(slot)
        target = next(port for port in ends if port != source)
        worker.store.arm(jti, NOW)
        outcomes: list[str] = []
        for number, step in enumerate(cluster.steps_of_a_move(slot, source, target)):
            if number >= first:
                with suppress(StoreUnavailable):
                    outcomes.append(worker.store.spend(jti, f"request {step}"))
        outcomes.append(worker.store.spend(jti, "the last request"))
        assert 1 == outcomes.count("ok"), outcomes
        cluster.move_slot(slot, target, source)


def test_change_on_a_node_that_has_joined_counts_at_once(
    cluster: RedisCluster, worker: ClusterWorker
) -> None:
    """Once it is known that there is one; it is looked for with each heartbeat."""
    slot = key_slot(b"{4}")
    source = cluster.owner_of_slot(slot)
    fresh = cluster.add_process()
    try:
        cluster.join(fresh)
        worker.warm(token_of("{4}1"))
        worker.ping()
        assert worker.is_warm(token_of("{4}1"))
        cluster.move_slot(slot, source, fresh)
        for name in ("{4}1", "{4}2"):
            cluster.run(fresh, "SET", key_of(name), "x")
            assert "revoked" == worker.reason(token_of(name))
        cluster.move_slot(slot, fresh, source)
    finally:
        cluster.forget(fresh)
    worker.ping()
    worker.warm(TOKEN)
