"""What happens to Redis while it is read: which snapshots may come of it, and which never."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from snapshot import redis_access
from snapshot.reading import Reader, Row

import redis
from tests.processes import until
from tests.service import client_fields
from tests.snapshot.postgres import waiting
from tests.snapshot.vault import Vault

MANY = 1500
"""Three batches."""


def fill(vault: Vault, clients: int = MANY, revocations: int = MANY) -> None:
    """Many clients, each with a last use, and many revocations."""
    fields = client_fields()
    pipe = vault.redis.pipeline(transaction=False)
    for number in range(clients):
        pipe.hset(f"client:c{number}", mapping=fields)
        pipe.hset(f"used:c{number}", "aaaa0001", "1")
    for number in range(revocations):
        pipe.set(f"revoked:0a1b2c3d.{number}", "x", ex=5000)
    pipe.execute()


def reader_of(vault: Vault) -> Reader:
    client = redis.Redis(unix_socket_path=str(vault.socket), protocol=2)
    return Reader(redis_access.Access(client, str(vault.socket)))


def rest_of(batches: Iterator[list[Row]]) -> list[Row]:
    return [row for rows in batches for row in rows]


@contextmanager
def held_up_at_the_audit(vault: Vault) -> Iterator[None]:
    """Let a snapshot read all of Redis, and wait for this to end before it is whole."""
    with psycopg.connect(vault.database_url) as other:
        other.execute("LOCK TABLE portcullis.audit IN ACCESS EXCLUSIVE MODE")
        yield


def is_waiting(vault: Vault) -> bool:
    return waiting(vault.database_url) == 1


def test_client_that_changes_meanwhile_is_read_as_it_was_or_as_it_is(vault: Vault) -> None:
    """Never half: each is one HGETALL. Whoever is there all the time is in it."""
    fill(vault, revocations=0)
    batches = reader_of(vault).clients()
    first = next(batches)
    pipe = vault.redis.pipeline(transaction=False)
    for number in range(MANY):
        pipe.hset(f"client:c{number}", mapping={"status": "disabled", "updated_at": "2"})
    pipe.execute()
    rows = first + rest_of(batches)
    assert {f"c{number}" for number in range(MANY)} == {row[0] for row in rows}
    states = {'"status": "active"' in row[1] and '"updated_at": "1"' in row[1] for row in first}
    states |= {
        '"status": "disabled"' in row[1] and '"updated_at": "2"' in row[1]
        for row in rows[len(first) :]
    }
    assert {True} == states


def test_deleted_client_is_in_the_snapshot_or_its_not_before_is(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients are read first, and a deletion sets the not-before first."""
    fill(vault, revocations=0)
    scan = redis_access.Access.scan

    def scan_while_all_are_deleted(self: redis_access.Access, prefix: str) -> Iterator[list[bytes]]:
        batches = scan(self, prefix)
        yield from itertools.islice(batches, 1)
        pipe = vault.redis.pipeline(transaction=False)
        for key in vault.redis.keys("client:*"):
            pipe.set(f"notbefore:{key.partition(':')[2]}", "7", ex=5000)
            pipe.delete(key)
        pipe.execute()
        yield from batches

    monkeypatch.setattr(redis_access.Access, "scan", scan_while_all_are_deleted)
    taken = vault.done("snapshot")
    assert 0 < taken["clients"] < MANY
    found = vault.rows(
        "SELECT client_id FROM portcullis.clients UNION SELECT subject FROM portcullis.not_befores"
    )
    assert {(f"c{number}",) for number in range(MANY)} == set(found)


def test_key_that_goes_or_ends_meanwhile_is_left_out(vault: Vault) -> None:
    """Between the SCAN and the question about it."""
    fill(vault, clients=0)
    batches = reader_of(vault).revocations()
    first = next(batches)
    for key in vault.redis.keys("revoked:*"):
        vault.redis.delete(key)
    assert [] == rest_of(batches)
    assert first


def test_client_that_is_read_twice_is_kept_once_as_last_seen(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SCAN may yield a key again when Redis grows its table meanwhile."""
    fill(vault, clients=3, revocations=3)
    scan = redis_access.Access.scan

    def scan_twice(self: redis_access.Access, prefix: str) -> Iterator[list[bytes]]:
        yield from scan(self, prefix)
        for key in vault.redis.keys("client:*"):
            vault.redis.hset(key, "status", "disabled")
        yield from scan(self, prefix)

    monkeypatch.setattr(redis_access.Access, "scan", scan_twice)
    taken = vault.done("snapshot")
    assert (3, 3) == (taken["clients"], taken["revocations"])
    query = "SELECT DISTINCT fields->>'status' FROM portcullis.clients"
    assert [("disabled",)] == vault.rows(query)


def test_token_that_is_revoked_meanwhile_needs_no_snapshot_to_stay_dead(vault: Vault) -> None:
    """It may be missing there; the data set that it was issued for is no more after a restore."""
    vault.add_client()
    vault.done("snapshot")
    with held_up_at_the_audit(vault):
        process = vault.start("snapshot", "--json")
        until(lambda: is_waiting(vault), timeout_s=60, what="the snapshot has read Redis")
        vault.redis.set("revoked:0a1b2c3d.late", "x", ex=5000)
    assert ("", 0) == (process.communicate(timeout=60)[1], process.returncode)
    vault.redis.flushall()
    vault.done("restore")
    assert not vault.redis.exists("revoked:0a1b2c3d.late")
    assert "0a1b2c3d" != vault.redis.hget("dataset", "id")


def test_data_set_that_is_lost_meanwhile_is_no_snapshot(vault: Vault) -> None:
    """Emptied, restored or begun anew: half of one and half of another is neither."""
    vault.add_client()
    vault.done("snapshot")
    for lose in (vault.redis.flushall, lambda: vault.begin_dataset("ffffffff")):
        vault.redis.flushall()
        vault.begin_dataset()
        vault.add_client()
        with held_up_at_the_audit(vault):
            process = vault.start("snapshot", "--json")
            until(lambda: is_waiting(vault), timeout_s=60, what="the snapshot has read Redis")
            lose()
        _, stderr = process.communicate(timeout=60)
        assert 1 == process.returncode
        assert "Redis lost its data meanwhile, was restored, or changed hands" in stderr
        assert [1] == vault.ids()


def test_restore_under_way_is_no_snapshot(vault: Vault) -> None:
    """What it has filled so far looks whole and is not."""
    vault.add_client()
    vault.done("snapshot")
    vault.redis.delete("dataset")
    vault.redis.hset("dataset", "restoring", "ffffffff")
    line = vault.complaint(1, "snapshot")
    assert "a restore into this Redis has begun and has not ended" in line
    assert [1] == vault.ids()


def test_snapshot_of_a_busy_redis_can_be_restored(vault: Vault) -> None:
    """Clients come, change and go, tokens are revoked: each row is a state that was."""
    fill(vault)
    is_over = threading.Event()
    before, after = client_fields(), client_fields(status="disabled", updated_at="2")

    def disturb() -> None:
        connection = redis.Redis(unix_socket_path=str(vault.socket), protocol=2)
        number = 0
        while not is_over.is_set():
            number += 1
            at = number % MANY
            connection.hset(f"client:c{at}", mapping=after)  # type: ignore[arg-type]
            connection.delete(f"client:c{(at + 7) % MANY}")
            connection.hset(f"client:n{number}", mapping=before)  # type: ignore[arg-type]
            connection.set(f"revoked:0a1b2c3d.n{number}", "x", ex=5000)
        connection.close()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        taken = vault.done("snapshot")
    finally:
        is_over.set()
        thread.join()
    states = vault.rows(
        "SELECT DISTINCT fields->>'status', fields->>'updated_at' FROM portcullis.clients"
    )
    assert {("active", "1"), ("disabled", "2")} >= set(states)
    assert taken["clients"] > MANY / 2
    vault.redis.flushall()
    assert taken["clients"] == vault.done("restore")["clients"]
    assert taken["clients"] == len(vault.redis.keys("client:*"))
