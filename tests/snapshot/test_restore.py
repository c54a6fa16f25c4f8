"""scripts/restore: what it chooses, refuses and replaces."""

import hashlib
import os
import pty
import subprocess

import pytest

from tests.scripts.test_ops_user import rules_of
from tests.snapshot.vault import ROOT, Vault


def three_snapshots(vault: Vault) -> None:
    """Of the 1st, the 2nd at noon and the 3rd of November 2026, each with one client more."""
    for number, moment in enumerate(("2026-11-01", "2026-11-02 12:00", "2026-11-03"), 1):
        vault.add_client(f"c{number}")
        vault.done("snapshot", "--keep", "9999,0")
        vault.postgres.execute(
            "UPDATE portcullis.snapshots SET taken_at = (%s || ' +00')::timestamptz WHERE id = %s",
            (moment, number),
        )
        vault.postgres.commit()
    vault.redis.flushall()


CHOICES: list[tuple[tuple[str, ...], int]] = [
    ((), 3),
    (("--at", "1"), 1),
    (("--at=2",), 2),
    (("--at", "2026-11-01"), 1),
    (("--at", "2026-11-02"), 2),
    (("--at", "2026-11-02T11:59"), 1),
    (("--at", "2026-11-02T12:00Z"), 2),
    (("--at", "2026-11-02T17:44+05:45"), 1),
    (("--at", "2026-11-02T17:45+05:45"), 2),
    (("--at", "2030-01-01"), 3),
]


def test_snapshot_is_chosen_by_id_or_time(vault: Vault) -> None:
    """The newest; this one; the last one taken by then, a day to its end, in UTC."""
    three_snapshots(vault)
    for at, clients in CHOICES:
        assert clients == vault.done("restore", *at)["clients"], at
        assert clients == len(vault.redis.keys("client:*")), at
        vault.redis.flushall()


def test_snapshot_that_there_is_not_is_refused(vault: Vault) -> None:
    """With one line, and Redis as it was."""
    three_snapshots(vault)
    for at in ("4", "0", "2026-10-31", "yesterday", "2026-13-01", "", "-1", "1 or 2"):
        vault.complaint(2, "restore", f"--at={at}")
        assert {} == vault.state(), at


@pytest.mark.parametrize("has_schema", [False, True])
def test_database_without_a_snapshot_is_refused(vault: Vault, has_schema: bool) -> None:
    """A new one, or one whose first snapshot failed."""
    if has_schema:
        vault.done("snapshot")
        vault.postgres.execute(b"DELETE FROM portcullis.snapshots")
        vault.postgres.commit()
    line = vault.complaint(2, "restore")
    assert "restore: there is no snapshot in this database yet" == line


IN_USE = [
    ("HSET", "client:a", "status", "active"),
    ("HSET", "used:a", "s", "1"),
    ("HSET", "routes", "GET /", ""),
    ("SET", "revoked:a", "x"),
    ("SET", "notbefore:a", "1"),
    ("SET", "ott:a", "1"),
    ("SET", "spent:{ott:a}", "1"),
]


def test_redis_in_use_is_refused(vault: Vault) -> None:
    """Anything that a gateway has written there; the line names it. Nothing changes."""
    vault.done("snapshot")
    for words in IN_USE:
        vault.redis.execute_command(*words)
        before = vault.state()
        line = vault.complaint(2, "restore")
        assert f"is in use (it has {words[1]}): --force replaces its clients and routes" in line
        assert before == vault.state(), words
        assert vault.done("restore", "--dry-run")["needs_force"], words
        assert before == vault.state(), words
        vault.redis.delete(words[1])


def test_what_a_gateway_writes_into_an_empty_redis_is_not_in_the_way(vault: Vault) -> None:
    """A data set, audit entries of refusals, rates; `revoke-all`; keys that are not ours."""
    vault.add_client()
    vault.done("snapshot")
    vault.redis.flushall()
    vault.begin_dataset("ffffffff")
    vault.redis.xadd("audit", {"event": "mint"})
    vault.redis.set("rate:a", "1")
    vault.redis.set("notbefore:*", "1", ex=1000)
    vault.redis.set("somebody:else", "1")
    vault.done("restore")
    assert vault.redis.exists("client:orders", "rate:a", "somebody:else") == 3
    assert 2 == vault.redis.xlen("audit")


def test_dry_run_tells_and_writes_nothing(vault: Vault) -> None:
    """How many of each; revocations that have ended are told from those that have not."""
    vault.add_client()
    vault.redis.set("revoked:a", "x", ex=1000)
    vault.redis.set("revoked:b", "x", ex=1000)
    vault.done("snapshot")
    vault.postgres.execute(b"UPDATE portcullis.revocations SET expires_at_s = 1 WHERE jti = 'b'")
    vault.postgres.commit()
    vault.redis.flushall()
    told = vault.done("restore", "--dry-run")
    assert (1, 1, 1, False) == (
        told["id"], told["clients"], told["live_revocations"], told["needs_force"]
    )  # fmt: skip
    said = vault.call("restore", "--dry-run").stdout
    assert said.startswith("would restore snapshot 1 of ")
    assert "1 clients, 1 of 2 revocations" in said
    assert {} == vault.state()


def test_force_replaces_clients_and_routes_and_keeps_what_refuses(vault: Vault) -> None:
    """Those that the snapshot lacks are gone; revocations, not-befores and the audit stay."""
    kept = vault.add_client("kept")
    vault.redis.hset("routes", mapping={"GET /a": "a"})
    vault.redis.set("revoked:a", "then", ex=1000)
    vault.done("snapshot")
    vault.redis.hset("client:kept", mapping={"status": "disabled", "extra": "1"})
    vault.add_client("later")
    vault.redis.hset("used:later", "s", "1")
    vault.redis.hset("routes", mapping={"GET /b": "b"})
    vault.redis.set("revoked:a", "now", ex=2000)
    vault.redis.set("revoked:b", "now", ex=2000)
    vault.redis.set("notbefore:later", "5", ex=2000)
    vault.redis.xadd("audit", {"event": "mint"})
    vault.done("restore", "--force", "--yes")
    assert ["client:kept"] == vault.redis.keys("client:*")
    assert kept == vault.redis.hgetall("client:kept")
    assert [] == vault.redis.keys("used:*")
    assert {"GET /a": "a"} == vault.redis.hgetall("routes")
    assert {"revoked:a", "revoked:b"} == set(vault.redis.keys("revoked:*"))
    assert "5" == vault.redis.get("notbefore:later")
    assert ["mint", "restore"] == [entry["event"] for _, entry in vault.redis.xrange("audit")]


def test_force_without_a_terminal_is_taken_at_its_word(vault: Vault) -> None:
    """There is nobody to ask, and a timer or a pipeline that says --force has been told to."""
    vault.add_client()
    vault.done("snapshot")
    vault.redis.delete("client:orders")
    vault.redis.hset("routes", "GET /x", "a")
    vault.done("restore", "--force")
    assert vault.redis.exists("client:orders")
    assert not vault.redis.exists("routes")


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_force_asks(vault: Vault, answer: str, status: int) -> None:
    """On a terminal; anything but yes changes nothing."""
    vault.add_client()
    vault.done("snapshot")
    here, there = pty.openpty()
    try:
        os.write(here, f"{answer}\n".encode())
        finished = subprocess.run(
            [ROOT / "scripts" / "restore", "--force", "--json"],
            env=vault.env, stdin=there, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(here)
        os.close(there)
    assert status == finished.returncode, finished.stderr
    assert "Replace its clients and routes by snapshot 1 of " in finished.stderr
    assert bool(status) == (vault.redis.hget("dataset", "id") == "0a1b2c3d")


def test_snapshot_whose_rows_are_not_all_there_is_not_passed_off_as_whole(vault: Vault) -> None:
    """Somebody has deleted some: the gateway stays shut."""
    vault.add_client("a")
    vault.add_client("b")
    vault.done("snapshot")
    vault.postgres.execute(b"DELETE FROM portcullis.clients WHERE client_id = 'a'")
    vault.postgres.commit()
    vault.redis.flushall()
    line = vault.complaint(1, "restore")
    assert "cut short, the gateway answers 503 until a restore has ended" in line
    assert "should have 2 clients, not 1" in line
    assert {"restoring", "since_s"} == set(vault.redis.hgetall("dataset"))


def test_redis_that_is_full_says_so_and_stays_shut(vault: Vault) -> None:
    """More room, and again: nothing else is needed."""
    for number in range(100):
        vault.add_client(f"{number}", description="x" * 100_000)
    vault.done("snapshot")
    vault.redis.flushall()
    used = vault.redis.info("memory")["used_memory"]
    vault.redis.config_set("maxmemory", used + 5_000_000)
    try:
        line = vault.complaint(1, "restore")
    finally:
        vault.redis.config_set("maxmemory", 0)
    assert "'maxmemory'" in line
    assert None is vault.redis.hget("dataset", "id")


def test_ops_user_may_do_both_over_tcp(vault: Vault) -> None:
    """With a password, and the rights that redis/users.acl gives to ops."""
    digest = hashlib.sha256(b"sesame").hexdigest()
    rules = [rule.replace("@OPS_HASH@", digest) for rule in rules_of("ops")]
    vault.redis.execute_command("ACL", "SETUSER", "ops", "reset", *rules)
    as_ops = {"REDIS_URL": f"redis://ops:sesame@127.0.0.1:{vault.port}/0"}
    try:
        vault.add_client()
        vault.redis.hset("used:orders", "s", "1")
        vault.redis.hset("routes", "GET /", "")
        vault.redis.set("revoked:a", "x", ex=1000)
        vault.redis.set("notbefore:a", "1", ex=1000)
        vault.redis.xadd("audit", {"event": "mint"})
        vault.done("snapshot", **as_ops)
        vault.done("restore", "--force", "--yes", **as_ops)
        vault.redis.flushall()
        vault.done("restore", **as_ops)
        assert vault.redis.exists("client:orders", "revoked:a", "snapshot") == 3
    finally:
        vault.redis.execute_command("ACL", "DELUSER", "ops")
