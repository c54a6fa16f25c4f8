"""SIGKILL at any moment: what was there before is whole, and the next run needs no help."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from snapshot import filling, redis_access

from tests.processes import kill, until
from tests.relay import Relay
from tests.snapshot.test_meanwhile import fill, held_up_at_the_audit, is_waiting
from tests.snapshot.vault import Vault

PARTS = (
    "SELECT s.id, s.clients, s.revocations, s.not_befores,"
    " (SELECT count(*) FROM portcullis.clients AS c WHERE c.snapshot_id = s.id),"
    " (SELECT count(*) FROM portcullis.revocations AS r WHERE r.snapshot_id = s.id),"
    " (SELECT count(*) FROM portcullis.not_befores AS n WHERE n.snapshot_id = s.id)"
    " FROM portcullis.snapshots AS s ORDER BY id"
)


def whole(vault: Vault) -> list[int]:
    """The ids of all snapshots, each of which has the rows that it says."""
    found = vault.rows(PARTS)
    assert all(row[1:4] == row[4:] for row in found), found
    return [row[0] for row in found]


def killed_at(step: int, vault: Vault, script: str, *words: str) -> bool:
    """Run a script in a fork that kills itself before its nth step; tell whether it came to that.

    A step is a round trip to Redis, a statement in Postgres, or a commit.
    """
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    left = [step]

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def step_or_die(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **named)

        return step_or_die

    status = 99
    try:
        for owner, name in (
            (redis_access.Access, "ask"),
            (redis_access.Access, "eval"),
            (psycopg.Connection, "execute"),
            (psycopg.Connection, "commit"),
        ):
            setattr(owner, name, dying(getattr(owner, name)))
        status = vault.call(script, *words).returncode
    finally:
        os._exit(status)


def furnish(vault: Vault) -> None:
    """Some of everything."""
    fill(vault, clients=5, revocations=5)
    vault.redis.set("notbefore:c1", "7", ex=5000)
    vault.redis.hset("routes", mapping={"GET /a": "a", "GET /b": "b"})
    vault.redis.xadd("audit", {"event": "mint"})


def test_snapshot_killed_at_each_step_leaves_whole_ones(vault: Vault) -> None:
    """Before its commit it is not there, after it it is; it never keeps the next one from running.

    The next one drops what the killed one could not.
    """
    furnish(vault)
    vault.done("snapshot")
    step, newest, seen = 0, 1, set()
    while killed_at(step, vault, "snapshot", "--keep", "0,0"):
        found = whole(vault)
        seen.add(len(found))
        assert found in ([newest], [newest, newest + 1], [newest + 1])
        if found != [newest]:
            newest = vault.done("snapshot", "--keep", "0,0")["id"]
        step += 1
    assert step > 25
    assert {1, 2} == seen
    assert [newest + 1] == whole(vault)


def test_restore_killed_at_each_step_can_only_be_repeated(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its last step nothing can be decided there; before its first, nothing has changed."""
    monkeypatch.setattr(filling, "_BATCH", 2)
    furnish(vault)
    content = {key: value for key, value in vault.state().items() if key != "audit"}
    vault.done("snapshot")
    step, seen, is_killed = 0, set(), True
    while is_killed:
        vault.redis.flushall()
        vault.begin_dataset("ffffffff")
        is_killed = killed_at(step, vault, "restore")
        dataset = vault.redis.hgetall("dataset")
        kind = {"ffffffff": "before", None: "shut"}.get(dataset.get("id"), "after")
        seen.add(kind)
        if kind == "before":
            assert ["dataset"] == vault.redis.keys("*")
        if kind == "shut":
            assert {"restoring", "since_s"} == set(dataset)
            assert 0 == vault.call("restore").returncode
        if kind != "before":
            found = vault.state()
            assert "0a1b2c3d" != found["dataset"]["id"]
            assert float(found["notbefore:*"]) > 7
            for key in content.keys() - {"dataset"}:
                assert content[key] == found[key]
        step += 1
    assert {"before", "shut", "after"} == seen
    assert step > 20


@contextmanager
def redis_that_stops_answering(vault: Vault, after_bytes: int) -> Iterator[Path]:
    """Give a socket behind which Redis falls silent in the middle of a long answer."""
    left, is_over = [after_bytes], threading.Event()

    def pass_some(data: bytes) -> Iterable[bytes]:
        left[0] -= len(data)
        if left[0] < 0:
            is_over.wait()
        return (data,)

    relay = Relay(vault.socket.with_name("relay.sock"), vault.socket, pass_some)
    try:
        yield vault.socket.with_name("relay.sock")
    finally:
        is_over.set()
        relay.close()
        vault.socket.with_name("relay.sock").unlink()


def test_snapshot_killed_while_it_copies_leaves_the_one_before(vault: Vault) -> None:
    """A real process, in the middle of its longest statement."""
    fill(vault)
    vault.done("snapshot")
    with redis_that_stops_answering(vault, after_bytes=200_000) as socket:
        process = vault.start("snapshot", REDIS_SOCKET=str(socket))
        copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %clients_2%'"
        until(lambda: vault.rows(copying) == [(1,)], timeout_s=60, what="clients are copied")
        kill_and_reap(process)
    assert [1] == whole(vault)
    assert [(None,)] == vault.rows("SELECT to_regclass('portcullis.clients_2')")
    assert 2 == vault.done("snapshot")["id"]


def test_snapshot_killed_before_its_end_leaves_the_one_before(vault: Vault) -> None:
    """A real process that has read all of Redis."""
    fill(vault)
    vault.done("snapshot")
    with held_up_at_the_audit(vault):
        process = vault.start("snapshot")
        until(lambda: is_waiting(vault), timeout_s=60, what="Redis is read")
        kill_and_reap(process)
    assert [1] == whole(vault)
    assert 2 == vault.done("snapshot")["id"]


def kill_and_reap(process: Any) -> None:
    kill(process.pid)
    process.communicate(timeout=60)
    assert -signal.SIGKILL == process.returncode
