"""A shard of a cluster loses what it knew: nothing that was revoked comes back."""

from collections.abc import Iterator

import pytest
from redis.crc import key_slot

from tests.cluster.redis_cluster import QUICK_MS, RedisCluster
from tests.cluster.worker import ClusterWorker
from tests.processes import until
from tests.service import DATASET, client_fields
from tests.store.feed_harness import jti_of, token_of


@pytest.fixture(autouse=True)
def whole_again(redis_cluster: RedisCluster) -> Iterator[None]:
    """Leave every node running, as primary or replica, and in no hurry to take over."""
    yield
    redis_cluster.mend()


def elsewhere(cluster: RedisCluster) -> tuple[str, str, int]:
    """Return two tokens' names, and the node that would hold both revocations but no data set."""
    home = cluster.owner("dataset")
    found: dict[int, list[str]] = {}
    for number in range(1000):
        port = cluster.owner_of_slot(key_slot(f"revoked:{jti_of(number)}".encode()))
        found.setdefault(port, []).append(str(number))
        if port != home and len(found[port]) == 2:
            return found[port][0], found[port][1], port
    raise AssertionError("one node owns everything")


def dataset_of(cluster: RedisCluster) -> str:
    return str(cluster.do("HGET", "dataset", "id"))


def put_client_back(cluster: RedisCluster) -> None:
    fields = [part for pair in client_fields().items() for part in pair]
    cluster.do("HSET", "client:demo", *fields)


def empty_live(cluster: RedisCluster, port: int) -> None:
    """FLUSHALL, while everybody listens."""
    cluster.run(port, "FLUSHALL")


def restart_empty(cluster: RedisCluster, port: int) -> None:
    """A disk is lost, and the node is back before anybody has taken over."""
    cluster.kill(port)
    cluster.start(port, is_emptied=True)
    until(lambda: "cluster_state:ok" in cluster.run(port, "CLUSTER", "INFO"), timeout_s=20)


@pytest.mark.parametrize("lose", [empty_live, restart_empty])
def test_emptied_shard_ends_the_data_set(cluster: RedisCluster, lose: object) -> None:
    """The id of the data set lies elsewhere and is whole; a worker that starts then notices too."""
    dead, alive, port = elsewhere(cluster)
    with ClusterWorker(cluster.url) as worker, ClusterWorker(cluster.url) as idle:
        worker.warm(token_of(alive))
        idle.warm(token_of(alive))
        worker.store.revoke(jti_of(dead), 4_000_000_000, "revoke")
        assert "revoked" == worker.reason(token_of(dead))
        lose(cluster, port)  # type: ignore[operator]
        put_client_back(cluster)
        with ClusterWorker(cluster.url) as fresh:
            for one in (fresh, worker, idle):
                until(lambda one=one: one.reason(token_of(alive)) != "store_unavailable")  # type: ignore[misc]
                assert ["revoked"] * 2 == [one.reason(token_of(name)) for name in (dead, alive)]
    assert DATASET != dataset_of(cluster)


def test_replica_that_was_behind_ends_the_data_set_when_it_takes_over(
    cluster: RedisCluster,
) -> None:
    """An acknowledged revocation had not reached it."""
    dead, alive, port = elsewhere(cluster)
    replica = cluster.replica_of(port)
    with ClusterWorker(cluster.url, timeout_s=0.5, heartbeat_s=0.1) as worker:
        worker.warm(token_of(dead), token_of(alive))
        cluster.freeze(replica)
        cluster.run(port, "CLIENT", "KILL", "TYPE", "replica")
        cluster.do("SET", f"revoked:{jti_of(dead)}", "x")
        assert "revoked" == worker.reason(token_of(dead))
        cluster.be_patient(QUICK_MS)
        cluster.kill(port)
        cluster.thaw(replica)
        cluster.be_patient(QUICK_MS)
        until(lambda: cluster.is_primary(replica), timeout_s=20, what="the replica takes over")
        until(lambda: worker.reason(token_of(alive)) == "revoked", timeout_s=20)
        assert "revoked" == worker.reason(token_of(dead))
    assert DATASET != dataset_of(cluster)


def test_replica_that_has_everything_takes_over_and_no_token_dies(cluster: RedisCluster) -> None:
    """The primary is killed; what it had acknowledged is known to have arrived."""
    dead, alive, port = elsewhere(cluster)
    replica = cluster.replica_of(port)
    with ClusterWorker(cluster.url, timeout_s=0.5, heartbeat_s=0.1) as worker:
        worker.warm(token_of(dead), token_of(alive))
        cluster.do("SET", f"revoked:{jti_of(dead)}", "x")
        cluster.be_patient(QUICK_MS)
        cluster.kill(port)
        seen = set()

        def is_back() -> bool:
            assert worker.reason(token_of(dead)) in {"revoked", "store_unavailable"}
            seen.add(worker.reason(token_of(alive)))
            return worker.reason(token_of(alive)) == "ok"

        until(lambda: cluster.is_primary(replica), timeout_s=20, what="the replica takes over")
        until(is_back, timeout_s=20)
        assert "revoked" == worker.reason(token_of(dead))
        worker.warm(token_of(alive))
        assert seen <= {"ok", "store_unavailable"}
    assert DATASET == dataset_of(cluster)
