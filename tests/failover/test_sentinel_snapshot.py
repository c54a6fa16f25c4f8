"""scripts/snapshot and scripts/restore on the primary that the sentinels name."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from snapshot import redis_access

import redis
from tests.failover.sentinel_group import PASSWORD, SENTINEL_PASSWORD, SERVICE, SentinelGroup
from tests.processes import until
from tests.snapshot.vault import Vault

DATABASE = 1
"""Beside the gateway, which uses another one of that Redis."""


@pytest.fixture
def vault(group: SentinelGroup, postgres_url: str, tmp_path: Path) -> Iterator[Vault]:
    """The scripts with REDIS_URL=sentinel://…, on a Redis with one client."""
    port = group.settled().port
    with (
        redis.Redis(port=port, password=PASSWORD, db=DATABASE, decode_responses=True) as connection,
        psycopg.connect(f"{postgres_url}postgres") as postgres,
    ):
        connection.flushdb()
        postgres.execute("DROP SCHEMA IF EXISTS portcullis CASCADE")
        postgres.commit()
        vault = Vault(connection, postgres, Path(), 0, f"{postgres_url}postgres", tmp_path / "run")
        vault.env["REDIS_URL"] = group.url.replace(f"/{SERVICE}", f"/{SERVICE}/{DATABASE}")
        vault.begin_dataset()
        vault.add_client()
        yield vault


def test_what_a_primary_holds_comes_back(vault: Vault) -> None:
    """Passwords of both kinds in the URL, and a number of a database."""
    assert 1 == vault.done("snapshot")["clients"]
    vault.redis.flushdb()
    vault.done("restore")
    assert vault.redis.exists("client:orders")


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        (SENTINEL_PASSWORD, "hush", 1, f"no sentinel names a primary for {SERVICE}"),
        ("p%40ss", "hush", 1, "Redis at 127.0.0.1:"),
        (f"/{SERVICE}/", "/nobody/", 1, "it knows no nobody"),
        (f"/{SERVICE}/{DATABASE}", "", 2, "REDIS_URL cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    vault: Vault, old: str, new: str, status: int, said: str
) -> None:
    """Whom it could not ask, and why; never a password."""
    line = vault.complaint(status, "snapshot", REDIS_URL=vault.env["REDIS_URL"].replace(old, new))
    assert said in line
    assert "hush" not in line
    assert "ss%2Fword" not in line


def test_sentinels_that_are_gone_stop_nobody_while_one_is_left(
    vault: Vault, group: SentinelGroup
) -> None:
    """Those that refuse are passed over."""
    first, second = (f"127.0.0.1:{one.port}" for one in group.sentinels[:2])
    url = vault.env["REDIS_URL"].replace(first, "127.0.0.1:1").replace(second, "127.0.0.1:1")
    assert 1 == vault.done("snapshot", REDIS_URL=url)["clients"]


@pytest.mark.parametrize("script", ["snapshot", "restore"])
def test_failover_meanwhile_ends_the_run(
    vault: Vault, group: SentinelGroup, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """The old primary may not know it yet; what it holds, or is given, is on its way out."""
    vault.done("snapshot")
    old = group.settled().port
    scan = redis_access.Access.scan

    def fail_over(self: redis_access.Access, prefix: str) -> Iterator[list[bytes]]:
        yield from scan(self, prefix)
        if prefix == "client:":
            with group.hurried():
                start_failover(group)
                until(lambda: group.named() and old not in group.named(), 60, "another is named")

    with monkeypatch.context() as patched:
        patched.setattr(redis_access.Access, "scan", fail_over)
        finished = vault.call(script, *(("--force", "--yes") if script == "restore" else ()))
    assert 1 == finished.returncode, finished
    assert 1 == finished.stderr.count("\n"), finished.stderr
    assert [1] == vault.ids()
    group.settled()
    if script == "restore":
        assert 1 == vault.done("restore", "--force", "--yes")["clients"]
    assert 1 == vault.done("snapshot")["clients"]


def start_failover(group: SentinelGroup) -> None:
    question = ("SENTINEL", "FAILOVER", SERVICE)
    first = group.sentinels[0]
    until(lambda: first.ask(*question, password=SENTINEL_PASSWORD) == "OK", 30, "it begins")
