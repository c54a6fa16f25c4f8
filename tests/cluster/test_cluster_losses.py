"""A shard of a cluster loses what it knew: nothing that was revoked comes back."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from app.errors import StoreUnavailable
from app.shard_tides import ShardTides
from tests.cluster.redis_cluster import QUICK_MS, RedisCluster
from tests.cluster.worker import ClusterWorker
from tests.processes import until
from tests.service import DATASET, client_fields
from tests.store.feed_harness import jti_of, token_of
from tests.store.tide_harness import flush


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


def empty_live(cluster: RedisCluster, port: int, _: Path) -> None:
    """FLUSHALL, while everybody listens."""
    with cluster.client(port) as client:
        flush(client)


def put_older_files_back(cluster: RedisCluster, port: int, older: Path) -> None:
    """A disk is lost, and a copy put in its place before anybody has taken over."""
    cluster.kill(port)
    folder = cluster.directory / str(port) / "appendonlydir"
    shutil.rmtree(folder)
    shutil.copytree(older, folder)
    cluster.start(port)
    until(lambda: "cluster_state:ok" in cluster.run(port, "CLUSTER", "INFO"), timeout_s=60)


@pytest.mark.parametrize("lose", [empty_live, put_older_files_back])
def test_shard_that_has_lost_something_ends_the_data_set(
    cluster: RedisCluster, lose: Callable[[RedisCluster, int, Path], None], tmp_path: Path
) -> None:
    """The id of the data set lies elsewhere and is whole; a worker that starts then notices too."""
    dead, alive, port = elsewhere(cluster)
    tide = ShardTides(tmp_path / "state")
    with ClusterWorker(cluster.url, tide=tide) as worker, ClusterWorker(cluster.url) as idle:
        worker.warm(token_of(alive))
        idle.warm(token_of(alive))
        older = shutil.copytree(cluster.directory / str(port) / "appendonlydir", tmp_path / "older")
        worker.store.revoke(jti_of(dead), 4_000_000_000, "revoke")
        assert "revoked" == worker.reason(token_of(dead))
        worker.line.confirm_changes()
        lose(cluster, port, older)
        put_client_back(cluster)
        with ClusterWorker(cluster.url, tide=ShardTides(tmp_path / "state")) as fresh:
            for one in (fresh, worker, idle):
                until(lambda one=one: one.reason(token_of(alive)) != "store_unavailable")  # type: ignore[misc]
                assert ["revoked"] * 2 == [one.reason(token_of(name)) for name in (dead, alive)]
    assert DATASET != dataset_of(cluster)


def take_over_behind(cluster: RedisCluster, port: int, *change: str) -> int:
    """Make a change that the replica does not get, and kill the primary; return the replica."""
    replica = cluster.replica_of(port)
    cluster.freeze(replica)
    cluster.run(port, "CLIENT", "KILL", "TYPE", "replica")
    cluster.run(port, *change)
    return replica


def wait_for(cluster: RedisCluster, port: int, replica: int) -> None:
    """Kill the primary and let its replica take over."""
    cluster.be_patient(QUICK_MS)
    cluster.kill(port)
    cluster.thaw(replica)
    cluster.be_patient(QUICK_MS)
    until(lambda: cluster.is_primary(replica), timeout_s=60, what="the replica takes over")


def decided(ask: Callable[[], str]) -> str:
    """Return the first answer that is one: a cluster may be down again for a moment."""

    def answer() -> str:
        try:
            return ask().replace("store_unavailable", "")
        except StoreUnavailable:
            return ""

    return until(answer, timeout_s=60)


def test_what_a_replica_lacks_is_made_again_when_it_takes_over(cluster: RedisCluster) -> None:
    """A token revoked, one spent: who has heard of it knows, so no other token dies of it."""
    dead, alive, port = elsewhere(cluster)
    with ClusterWorker(cluster.url, timeout_s=2, heartbeat_s=0.1) as worker:
        worker.warm(token_of(dead), token_of(alive))
        jti = next(
            jti
            for jti in (jti_of(f"once{number}") for number in range(1000))
            if cluster.owner_of_slot(key_slot(f"ott:{jti}".encode())) == port
        )
        worker.store.arm(jti, 4_000_000_000)
        until(worker.knows_all, 30)
        replica = take_over_behind(cluster, port, "SET", f"revoked:{jti_of(dead)}", "x")
        assert "revoked" == worker.reason(token_of(dead))
        assert "ok" == worker.store.spend(jti, "first")
        wait_for(cluster, port, replica)
        until(lambda: worker.reason(token_of(alive)) == "ok", timeout_s=60)
        assert "revoked" == decided(lambda: worker.reason(token_of(dead)))
        assert "spent" == decided(lambda: worker.store.spend(jti, "second"))
    assert "again" == cluster.do("GET", f"revoked:{jti_of(dead)}")
    assert DATASET == dataset_of(cluster)


def test_shard_that_is_restarted_with_its_files_has_lost_nothing(
    cluster: RedisCluster, tmp_path: Path
) -> None:
    """All marks are there."""
    dead, alive, port = elsewhere(cluster)
    with ClusterWorker(cluster.url, tide=ShardTides(tmp_path / "state")) as worker:
        worker.warm(token_of(dead), token_of(alive))
        for name in (dead, "x"):
            worker.store.revoke(jti_of(name), 4_000_000_000, "revoke")
            assert "revoked" == worker.reason(token_of(name))
            worker.line.confirm_changes()
        cluster.kill(port)
        cluster.start(port)
        until(lambda: worker.reason(token_of(alive)) == "ok", timeout_s=60)
        assert "revoked" == decided(lambda: worker.reason(token_of(dead)))
    assert DATASET == dataset_of(cluster)
