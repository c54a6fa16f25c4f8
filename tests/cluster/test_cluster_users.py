"""The users of users.acl on a cluster: what each needs is allowed, on every node."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor import sentinels
from redis.crc import key_slot

from app.admin.directory import Directory
from app.admin.registry import Registry
from app.cluster import Cluster
from app.journal import Journal, Use
from app.shard_tides import ShardTides
from tests.cluster.redis_cluster import RedisCluster
from tests.cluster.users import PASSWORD, known_to
from tests.cluster.worker import ClusterWorker
from tests.store.feed_harness import NOW, jti_of, token_of


@pytest.fixture
def guarded(cluster: RedisCluster) -> Iterator[RedisCluster]:
    with known_to(cluster):
        yield cluster


def test_app_does_all_that_it_has_to(guarded: RedisCluster, tmp_path: Path) -> None:
    """Looking around, marking shards, asking, revoking, spending; while a slot moves."""
    url = guarded.url_of("app", PASSWORD)
    with ClusterWorker(url, tide=ShardTides(tmp_path)) as worker:
        worker.warm(token_of("a"))
        slot = key_slot(f"revoked:{jti_of('a')}".encode())
        source = guarded.owner_of_slot(slot)
        target = next(one for one in guarded.ports if one != source and guarded.is_primary(one))
        for step in guarded.steps_of_a_move(slot, source, target):
            worker.store.learn("demo", jti_of("a"), world=True, routes=True)
            worker.store.arm(jti_of(f"once-{len(step)}"), NOW)
            worker.store.spend(jti_of(f"once-{len(step)}"), "r")
            worker.store.take("rate:demo", rate_per_s=10, wanted=1)
            shown = [
                worker.store.is_first_showing(step.replace(" ", "-"), one, 60)
                for one in ("r", "r", "s")
            ]
            assert [True, True, False] == shown
        worker.store.revoke(jti_of("a"), NOW, "revoke")
        assert "revoked" == worker.reason(token_of("a"))
        worker.line.confirm_changes()
    line = Cluster(url, timeout_s=5, watched=())
    journal = Journal(line, most_entries=10)
    journal.note({"event": "mint"}, Use("demo", "s", NOW))
    journal.flush()
    line.close()
    guarded.move_slot(slot, target, source)


def test_doctor_asks_each_node_that_the_url_names(guarded: RedisCluster) -> None:
    """As ops; each of these has no bound on its memory."""
    found = list(sentinels.find(guarded.url_of("ops", PASSWORD)))
    assert [f"Redis at 127.0.0.1:{port}" for port in guarded.ports[1:3]] == [
        one.place for one in found
    ]
    assert all(one.problem.startswith("maxmemory is not set") for one in found)


def test_dashboard_looks_and_changes_wherever_a_client_is(guarded: RedisCluster) -> None:
    """Each by its own account."""
    looking, changing = (
        Cluster(guarded.url_of(user, PASSWORD), timeout_s=5, watched=())
        for user in ("dashboard", "admin")
    )
    directory, registry = Directory(looking), Registry(changing, lambda: NOW)
    for client_id in ("demo", "other"):
        registry.set_status(client_id, "disabled")
        assert "disabled" == directory.client(client_id, NOW)["status"]
    looking.close()
    changing.close()
