"""scripts/snapshot and scripts/restore on a cluster: every primary is read and filled."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis.crc import key_slot
from snapshot import redis_access

import redis
from tests.cluster.redis_cluster import PRIMARIES, RedisCluster
from tests.service import client_fields
from tests.snapshot.vault import Vault

CLIENTS = 60


@pytest.fixture
def vault(redis_cluster: RedisCluster, postgres_url: str, tmp_path: Path) -> Iterator[Vault]:
    """The scripts with REDIS_URL=cluster://…, on an empty cluster with a data set."""
    everywhere = redis.RedisCluster(
        host="127.0.0.1", port=redis_cluster.ports[0], decode_responses=True
    )
    everywhere.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    database_url = f"{postgres_url}postgres"
    with psycopg.connect(database_url) as postgres:
        postgres.execute("DROP SCHEMA IF EXISTS portcullis CASCADE")
        postgres.commit()
        vault = Vault(everywhere, postgres, Path(), 0, database_url, tmp_path / "run")
        vault.env["REDIS_URL"] = redis_cluster.url
        vault.begin_dataset()
        for number in range(CLIENTS):
            vault.add_client(f"c{number}")
        yield vault
    everywhere.close()


def test_all_of_a_cluster_comes_back(redis_cluster: RedisCluster, vault: Vault) -> None:
    """Clients, revocations and not-befores of every slot; routes, the data set, the audit."""
    vault.redis.hset("routes", "GET /", "a")
    vault.redis.xadd("audit", {"event": "mint"})
    for number in range(CLIENTS):
        vault.redis.hset(f"used:c{number}", "s", "1")
        vault.redis.set(f"revoked:0a1b2c3d.{number}", "x", ex=1000)
        vault.redis.set(f"notbefore:c{number}", "7", ex=1000)
    owners = {redis_cluster.owner(f"client:c{number}") for number in range(CLIENTS)}
    assert PRIMARIES == len(owners)
    told = vault.done("snapshot")
    assert (CLIENTS, CLIENTS, CLIENTS, 1, 1) == tuple(
        told[name] for name in ("clients", "revocations", "not_befores", "routes", "audit_entries")
    )
    assert "in use" in vault.complaint(2, "restore")
    vault.redis.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
    vault.done("restore")
    for number in range(CLIENTS):
        assert client_fields().keys() == vault.redis.hgetall(f"client:c{number}").keys()
        assert "1" == vault.redis.hget(f"used:c{number}", "s")
        assert vault.redis.exists(f"revoked:0a1b2c3d.{number}")
    assert {"GET /": "a"} == vault.redis.hgetall("routes")
    assert vault.redis.hget("dataset", "id") not in {None, "0a1b2c3d"}
    assert "1" == vault.redis.hget("snapshot", "id")
    vault.done("restore", "--force", "--yes")


def test_slots_that_move_meanwhile_make_no_snapshot(
    redis_cluster: RedisCluster, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key could move from a node that has yet to be read to one that has been."""
    vault.done("snapshot")
    slot = key_slot(b"client:c1")
    source = redis_cluster.owner_of_slot(slot)
    target = next(
        port for port in redis_cluster.ports if redis_cluster.is_primary(port) and port != source
    )
    scan = redis_access.Access.scan

    def scan_and_move(self: redis_access.Access, prefix: str) -> Iterator[list[bytes]]:
        yield from scan(self, prefix)
        if prefix == "client:":
            redis_cluster.move_slot(slot, source, target)

    with monkeypatch.context() as patched:
        patched.setattr(redis_access.Access, "scan", scan_and_move)
        line = vault.complaint(1, "snapshot")
    assert "or changed hands: take it again" in line
    assert [1] == vault.ids()
    steps = redis_cluster.steps_of_a_move(slot, target, source)
    try:
        assert ["imports", "migrates"] == [next(steps), next(steps)]
        line = vault.complaint(1, "snapshot")
    finally:
        for _ in steps:
            pass
    assert "slots are moving between its nodes; wait for them" in line
    assert CLIENTS == vault.done("snapshot")["clients"]


def test_password_of_a_cluster_is_taken_and_never_told(
    redis_cluster: RedisCluster, vault: Vault
) -> None:
    """As of a single Redis."""
    for port in redis_cluster.ports:
        redis_cluster.run(port, "ACL", "SETUSER", "chief", "on", ">p@ss", "~*", "+@all")
    try:
        url = redis_cluster.url_of("chief", "p%40ss")
        assert CLIENTS == vault.done("snapshot", REDIS_URL=url)["clients"]
        wrong = redis_cluster.url_of("chief", "hush")
        line = vault.complaint(1, "snapshot", REDIS_URL=wrong)
        assert "Redis at 127.0.0.1:" in line
        assert "hush" not in line
    finally:
        for port in redis_cluster.ports:
            redis_cluster.run(port, "ACL", "DELUSER", "chief")


@pytest.mark.parametrize(
    "url", ["cluster://", "cluster://hush:hush/x@h", "cluster://h:1,", "cluster://h:0"]
)
def test_broken_cluster_url_is_refused(vault: Vault, url: str) -> None:
    """In one line, and not by repeating it."""
    line = vault.complaint(2, "snapshot", REDIS_URL=url)
    assert "REDIS_URL cannot be read" in line
    assert "hush" not in line
