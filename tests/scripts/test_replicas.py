"""Changes by the scripts wait for replicas as the app's do, and say when they may be lost."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

import redis
from tests.scripts.ops import Ops
from tests.stack import free_port, until

TOKEN = "e30.eyJqdGkiOiJhLmIiLCJleHAiOjQwMDAwMDAwMDB9.e30"  # {"jti":"a.b","exp":4000000000}


def states(ops: Ops) -> list[str]:
    """The states of all replicas, as their primary sees them."""
    found = ops.redis.info("replication")
    return [found[f"slave{number}"]["state"] for number in range(found["connected_slaves"])]


@pytest.fixture
def replica(ops: Ops) -> Iterator[Any]:
    """A replica of the scripts' Redis, in step."""
    with tempfile.TemporaryDirectory(prefix="replica-") as folder:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        command += ["--save", "", "--replicaof", "127.0.0.1", str(ops.port)]
        ops.redis.config_set("repl-diskless-sync-delay", 0)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        connection: Any = redis.Redis(port=port, decode_responses=True)
        try:
            until(lambda: states(ops) == ["online"], timeout_s=30, what="it is in step")
            yield connection
        finally:
            connection.close()
            process.kill()
            process.wait()


@pytest.fixture
def needing(ops: Ops) -> Ops:
    """The scripts where one replica must have each change."""
    ops.env |= {"REPLICAS_TO_ACK": "1", "REPLICAS_ACK_TIMEOUT_MS": "50"}
    return ops


CHANGES = [
    ("client", "scopes", "a", "x"),
    ("client", "disable", "a"),
    ("client", "enable", "a"),
    ("client", "rotate", "a"),
    ("token", "revoke", TOKEN),
    ("token", "revoke-client", "a"),
    ("token", "revoke-all", "--yes"),
    ("route", "set", "GET", "/a/", "x"),
    ("route", "delete", "GET", "/a/", "--yes"),
    ("client", "delete", "a", "--yes"),
]


def test_change_that_a_replica_has_is_done(needing: Ops, replica: Any) -> None:
    """Each verb ends in 0, without a word about it, and the replica has the change."""
    needing.env["REPLICAS_ACK_TIMEOUT_MS"] = "9000"
    needing.create("a", "a")
    assert "a" == replica.hget("client:a", "scopes")
    for words in CHANGES:
        needing.done(*words)
    assert 0 == replica.exists("client:a", "routes")
    assert "ops" == replica.get("revoked:a.b")


def test_change_that_no_replica_has_is_told_in_one_line(needing: Ops) -> None:
    """It is made, the result is shown, the audit has it, and the status is 1."""
    needing.run("client", "create", "a", "--scopes", "a")
    for words in CHANGES:
        finished = needing.run(*words)
        assert 1 == finished.returncode, (words, finished)
        assert 1 == finished.stderr.count("\n")
        assert "done, but it may yet be lost with the primary" in finished.stderr
        assert "0 of 1 replicas have it" in finished.stderr
        assert finished.stdout
    assert b"ops" == needing.redis.get("revoked:a.b")
    assert 1 + len(CHANGES) == len(needing.audit())


def test_change_that_is_made_again_is_waited_for_again(needing: Ops) -> None:
    """There is nothing left to change, and still nobody else who has it."""
    needing.run("client", "create", "a", "--scopes", "a")
    for words in (("client", "disable", "a"), ("token", "revoke", TOKEN)):
        for _ in range(2):
            finished = needing.run(*words)
            assert 1 == finished.returncode
            assert "0 of 1 replicas have it" in finished.stderr


def test_secret_is_shown_although_it_may_be_lost(needing: Ops) -> None:
    """It is stored, and nobody could ask for it again."""
    finished = needing.run("client", "create", "a", "--scopes", "a", "--json")
    assert (1, 1) == (finished.returncode, finished.stderr.count("\n"))
    assert json.loads(finished.stdout)["client_secret"]


def test_redis_that_wants_replicas_changes_nothing(ops: Ops) -> None:
    """min-replicas-to-write is held by Redis itself."""
    ops.redis.config_set("min-replicas-to-write", 1)
    try:
        assert "NOREPLICAS" in ops.complaint(1, "client", "create", "a", "--scopes", "a")
    finally:
        ops.redis.config_set("min-replicas-to-write", 0)
    assert not ops.state()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLICAS_TO_ACK", "one"),
        ("REPLICAS_TO_ACK", "-1"),
        ("REPLICAS_ACK_TIMEOUT_MS", "0"),
        ("REPLICAS_ACK_TIMEOUT_MS", "10000"),
    ],
)
def test_setting_that_is_no_number_is_refused(ops: Ops, name: str, value: str) -> None:
    """Before anything is changed."""
    ops.env[name] = value
    assert name in ops.refusal("client", "create", "a", "--scopes", "a")
