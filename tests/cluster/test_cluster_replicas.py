"""REPLICAS_TO_ACK on a cluster: the replica that has to have a change is one of its own shard."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from app.cluster import Cluster
from app.replicas import NotReplicated, Replicas
from app.store import Store
from tests.cluster.redis_cluster import PRIMARIES, RedisCluster
from tests.processes import until
from tests.stack import ROOT
from tests.store.feed_harness import NOW, jti_of

JTIS = [jti_of(number) for number in range(30)]


def on_its_replica(cluster: RedisCluster, key: str) -> bool:
    """Tell whether the replica of a key's shard has it."""
    with cluster.client(cluster.replica_of(cluster.owner(key))) as replica:
        replica.readonly()
        return bool(replica.exists(key))


def test_acknowledged_change_is_on_the_replica_of_its_shard(cluster: RedisCluster) -> None:
    """Revocations and spent tokens of every shard."""
    assert PRIMARIES == len({cluster.owner(f"revoked:{jti}") for jti in JTIS})
    with closing(Cluster(cluster.url, timeout_s=10)) as line:
        store = Store(line, replicas=Replicas(1, 9_000))
        for jti in JTIS:
            store.revoke(jti, NOW, "x")
            assert on_its_replica(cluster, f"revoked:{jti}")
        store.arm(jti_of("once"), NOW)
        assert "ok" == store.spend(jti_of("once"), "r")
        assert not on_its_replica(cluster, f"ott:{jti_of('once')}")


def test_change_that_has_too_few_replicas_is_not_acknowledged(cluster: RedisCluster) -> None:
    """Each shard has one here."""
    with closing(Cluster(cluster.url, timeout_s=10)) as line:

        def why_not(jti: str) -> str:
            with pytest.raises(NotReplicated) as raised:
                Store(line, replicas=Replicas(2, 50)).revoke(jti, NOW, "x")
            return raised.value.detail

        for jti in JTIS[:3]:
            until(lambda jti=jti: why_not(jti) == "1 of 2 replicas have it")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("needed", "status", "said"), [("1", 0, ""), ("2", 1, "1 of 2 replicas have it\n")]
)
def test_scripts_wait_in_each_shard(
    cluster: RedisCluster, tmp_path: Path, needed: str, status: int, said: str
) -> None:
    """A deletion changes two of them."""
    env = {
        "PATH": os.environ["PATH"],
        "USER": "sam",
        "RUN_DIR": str(tmp_path),
        "REDIS_URL": cluster.url,
        "REPLICAS_TO_ACK": needed,
        "REPLICAS_ACK_TIMEOUT_MS": "9000" if needed == "1" else "1000",
    }
    for words in (("disable", "demo"), ("delete", "other", "--yes")):
        done = subprocess.run(
            [ROOT / "scripts" / "client", *words],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert status == done.returncode, done
        assert done.stderr.endswith(said)
        assert status == done.stderr.count("\n")
