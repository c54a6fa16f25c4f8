"""scripts/snapshot: what a run does, says and refuses."""

import json
import re

import psycopg
import pytest
from snapshot import postgres

from tests.snapshot.vault import Vault
from tests.stack import free_port


def test_dry_run_leaves_no_trace(vault: Vault) -> None:
    """Not in Postgres, not even the schema, and not in Redis; its counts are the real ones."""
    vault.add_client()
    before = vault.state()
    told = vault.done("snapshot", "--dry-run")
    assert (True, 1) == (told["is_dry_run"], told["clients"])
    assert [(None,)] == vault.rows("SELECT to_regnamespace('portcullis')")
    assert before == vault.state()
    vault.done("snapshot")
    vault.done("snapshot", "--dry-run", "--keep", "0,0")
    assert [1] == vault.ids()
    assert [(1,)] == vault.rows("SELECT snapshot_id FROM portcullis.clients")


def test_a_line_for_people(vault: Vault) -> None:
    """One line a stage, and what it all came to."""
    vault.add_client("a")
    vault.add_client("b")
    vault.redis.hset("routes", "GET /", "")
    lines = vault.run("snapshot").stdout.splitlines()
    stages = [re.sub(r"^ *\d+\.\d s  ", "", line) for line in lines[:-1]]
    assert ["clients: 2", "revocations: 0", "not_befores: 0", "audit: 0"] == stages
    assert lines[-1].startswith(
        "snapshot 1 written: 2 clients, 0 revocations, 0 not-befores, 1 routes, 0 new audit entries"
    )
    assert "snapshot 2 would be written" in vault.call("snapshot", "--dry-run").stdout


def test_quiet_says_nothing(vault: Vault) -> None:
    """cron mails what is printed."""
    vault.add_client()
    finished = vault.call("snapshot", "--quiet")
    assert (0, "", "") == (finished.returncode, finished.stdout, finished.stderr)


def test_list_tells_of_each(vault: Vault) -> None:
    """As a table and as JSON, oldest first, with the room it takes; none is no error."""
    assert [] == vault.done("snapshot", "--list")
    assert "no snapshots yet" in vault.call("restore", "--list").stdout
    vault.add_client()
    vault.done("snapshot")
    vault.done("snapshot")
    listed = vault.done("restore", "--list")
    assert listed == vault.done("snapshot", "--list")
    assert [(1, 1, "0a1b2c3d"), (2, 1, "0a1b2c3d")] == [
        (one["id"], one["clients"], one["dataset_id"]) for one in listed
    ]
    assert all(one["bytes"] > 8000 for one in listed)
    table = vault.call("snapshot", "--list").stdout.splitlines()
    assert table[0].split()[:3] == ["ID", "TAKEN", "CLIENTS"]
    assert [listed[0]["taken_at"], listed[1]["taken_at"]] == [line.split()[1] for line in table[1:]]


def test_outdated_ones_are_dropped_with_all_that_is_theirs(vault: Vault) -> None:
    """By the rule, after the new one is written; their rows go, the trail stays."""
    vault.add_client()
    for _ in range(4):
        vault.done("snapshot")
    age = "UPDATE portcullis.snapshots SET taken_at = taken_at - %s * interval '1d' WHERE id = %s"
    for days, one in ((100, 1), (8, 2), (3, 3)):
        vault.postgres.execute(age, (days, one))
    vault.postgres.commit()
    assert [1, 2] == vault.done("snapshot", "--keep", "7,0")["dropped"]
    assert [3, 4, 5] == vault.ids()
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'portcullis'::regnamespace"
    assert [(9,)] == vault.rows(f"{tables} AND relispartition AND relkind = 'r'")


@pytest.mark.parametrize("keep", ["7", "a,b", "-1,0", "1,2,3", "", "999999,1", "1, 2", "¹,²"])
def test_keep_that_cannot_be_read_is_refused(vault: Vault, keep: str) -> None:
    """In one line, before anything happens."""
    assert "--keep must be" in vault.complaint(2, "snapshot", f"--keep={keep}")


def test_loss_of_most_clients_is_no_snapshot(vault: Vault) -> None:
    """The newest snapshot must not be the one of the disaster; --accept-loss says it is none."""
    for name in "abcd":
        vault.add_client(name)
    vault.done("snapshot")
    vault.redis.delete("client:a", "client:b")
    vault.done("snapshot")
    vault.redis.delete("client:c", "client:d")
    line = vault.complaint(1, "snapshot")
    assert "Redis has 0 clients, snapshot 2 of " in line
    assert "had 2: was its data lost?" in line
    assert [1, 2] == vault.ids()
    vault.done("snapshot", "--accept-loss")
    assert [1, 2, 3] == vault.ids()


def test_two_never_run_at_once(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits a moment and gives up; nothing of it is left."""
    vault.add_client()
    vault.done("snapshot")
    monkeypatch.setattr(postgres, "PATIENCE_MS", 100)
    with psycopg.connect(vault.database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x706F7274,))
        for script in ("snapshot", "restore"):
            line = vault.complaint(1, script)
            assert f"{script}: another snapshot or restore of this database is at work" == line
    assert [1] == vault.ids()


def test_database_of_a_newer_version_is_left_alone(vault: Vault) -> None:
    """An old program does not know what to do with it."""
    vault.add_client()
    vault.done("snapshot")
    vault.postgres.execute(b"INSERT INTO portcullis.migrations (number, name) VALUES (999, 'x')")
    vault.postgres.commit()
    for script in ("snapshot", "restore"):
        assert "newer version (migration 999)" in vault.complaint(1, script)
    assert [1] == vault.ids()


def test_each_migration_is_applied_once(vault: Vault) -> None:
    """And written down."""
    for _ in range(2):
        vault.done("snapshot")
    assert [(1, "snapshots")] == vault.rows("SELECT number, name FROM portcullis.migrations")


def test_user_without_rights_on_the_database_needs_only_the_schema(
    vault: Vault, postgres_url: str
) -> None:
    """A schema that somebody has made for it will do."""
    vault.postgres.execute(b"CREATE ROLE little LOGIN")
    vault.postgres.execute(b"CREATE SCHEMA portcullis AUTHORIZATION little")
    vault.postgres.commit()
    url = postgres_url.replace("portcullis@", "little@") + "postgres"
    try:
        vault.add_client()
        vault.done("snapshot", DATABASE_URL=url)
        vault.redis.flushall()
        vault.done("restore", DATABASE_URL=url)
        assert vault.redis.exists("client:orders")
    finally:
        vault.postgres.execute(b"DROP SCHEMA portcullis CASCADE")
        vault.postgres.execute(b"DROP ROLE little")
        vault.postgres.commit()


WRONG: list[tuple[dict[str, str], int, str]] = [
    ({"DATABASE_URL": ""}, 2, "DATABASE_URL is not set"),
    ({"DATABASE_URL": "postgresql://u:hush@[::1/d"}, 2, "DATABASE_URL cannot be read"),
    ({"DATABASE_URL": "hush"}, 2, "DATABASE_URL cannot be read"),
    ({"DATABASE_URL": "postgresql://u:hush@127.0.0.1:{port}/d"}, 1, "refused"),
    ({"REDIS_URL": "http://hush@localhost"}, 2, "must begin with redis://"),
    ({"REDIS_URL": "redis://u:hush/x@localhost"}, 2, "REDIS_URL cannot be read"),
    ({"REDIS_URL": "redis://u:hush@127.0.0.1:{port}"}, 1, "Redis at 127.0.0.1:"),
    ({"REDIS_SOCKET": "/nowhere/redis.sock"}, 1, "Redis at /nowhere/redis.sock:"),
    ({"REDIS_SOCKET": ""}, 1, "set REDIS_URL or REDIS_SOCKET"),
]


@pytest.mark.parametrize("script", ["snapshot", "restore"])
def test_what_is_wrong_is_said_in_one_line(vault: Vault, script: str) -> None:
    """Which of the two cannot be reached, and why; never a password."""
    vault.done("snapshot")
    port = free_port()
    for changes, status, said in WRONG:
        named = {name: value.format(port=port) for name, value in changes.items()}
        line = vault.complaint(status, script, **named)
        assert said in line
        assert "hush" not in line


@pytest.mark.parametrize("script", ["snapshot", "restore"])
@pytest.mark.parametrize("words", [("--what",), ("more",), ("--li",), ("--at",), ("--keep",)])
def test_words_that_mean_nothing_are_refused(
    vault: Vault, script: str, words: tuple[str, ...]
) -> None:
    """With one line and status 2."""
    vault.complaint(2, script, *words)


@pytest.mark.parametrize("script", ["snapshot", "restore"])
def test_help_needs_neither_redis_nor_postgres(vault: Vault, script: str) -> None:
    """The launcher, as a person starts it."""
    finished = vault.run(script, "--help", DATABASE_URL="", REDIS_SOCKET="")
    assert (0, "") == (finished.returncode, finished.stderr)
    assert finished.stdout.startswith(f"usage: scripts/{script}")


def test_settings_of_the_stack_are_found(vault: Vault) -> None:
    """`make snapshot` after `make up DATABASE_URL=…` needs nothing more."""
    vault.run_dir.mkdir()
    (vault.run_dir / "app.env").write_text(f"DATABASE_URL={vault.database_url}\n")
    (vault.run_dir / "demo.env").write_text(f"REDIS_SOCKET={vault.socket}\n")
    vault.add_client()
    finished = vault.run("snapshot", "--json", DATABASE_URL="", REDIS_SOCKET="")
    assert 1 == json.loads(finished.stdout)["clients"]


def test_redis_that_cannot_be_told_fails_the_run_but_not_the_snapshot(vault: Vault) -> None:
    """Whoever watches the age of the newest one would be misled."""
    vault.add_client()
    vault.redis.set("snapshot", "x")
    finished = vault.call("snapshot", "--json")
    assert 1 == finished.returncode
    assert "snapshot 1 of " in finished.stderr
    assert "is written, but Redis was not told: Redis at " in finished.stderr
    assert [1] == vault.ids()


def test_old_ones_that_cannot_be_dropped_fail_the_run_but_not_the_snapshot(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump that reads them holds them; the next run drops them."""
    vault.add_client()
    vault.done("snapshot")
    monkeypatch.setattr(postgres, "PATIENCE_MS", 100)
    with psycopg.connect(vault.database_url) as other:
        other.execute("LOCK TABLE portcullis.clients IN ACCESS SHARE MODE")
        finished = vault.call("snapshot", "--keep", "0,0", "--quiet")
        assert 1 == finished.returncode
        assert "is written, but old ones were not dropped" in finished.stderr
    assert [1, 2] == vault.ids()
    vault.done("snapshot", "--keep", "0,0")
    assert [3] == vault.ids()
