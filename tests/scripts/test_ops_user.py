"""The `ops` user of redis/users.acl: from another machine, with these rights and no more."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.scripts.ops import LUA, Ops

TOKEN = "e30.eyJqdGkiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.e30"


def rules_of(user: str) -> list[str]:
    """The rules of a user in the template: a line, and those indented after it."""
    rules: list[str] = []
    for line in (LUA / "users.acl").read_text().splitlines():
        if line.startswith(f"user {user} "):
            rules = line.split()[2:]
        elif rules and line.startswith(" "):
            rules += line.split()
        elif rules:
            break
    return rules


@pytest.fixture
def as_ops(ops: Ops) -> Iterator[Ops]:
    """The scripts as the user `ops` with the password `sesame`, over TCP."""
    digest = hashlib.sha256(b"sesame").hexdigest()
    rules = [rule.replace("@OPS_HASH@", digest) for rule in rules_of("ops")]
    ops.redis.execute_command("ACL", "SETUSER", "ops", "reset", *rules)
    ops.env["REDIS_URL"] = f"redis://ops:sesame@127.0.0.1:{ops.port}"
    yield ops
    ops.redis.execute_command("ACL", "DELUSER", "ops")


def test_the_ops_user_may_do_all_that_the_scripts_do(as_ops: Ops) -> None:
    """Every verb that touches Redis works with the shipped rights."""
    as_ops.create("a")
    as_ops.create("b")
    for words in (
        ("client", "show", "a"),
        ("client", "list"),
        ("client", "scopes", "a", "x"),
        ("client", "rotate", "a"),
        ("client", "disable", "a"),
        ("client", "enable", "a"),
        ("client", "delete", "a", "--yes"),
        ("token", "revoke", TOKEN),
        ("token", "revoke-client", "b"),
        ("token", "revoke-all", "--yes"),
        ("route", "set", "GET", "/x", "x"),
        ("route", "list"),
        ("route", "delete", "GET", "/x", "--yes"),
        ("key", "rotate"),
        ("audit", "--since", "1h"),
    ):
        as_ops.done(*words)
    assert 13 == len(as_ops.audit())


def test_the_ops_user_may_wait_for_replicas(as_ops: Ops) -> None:
    """There are none here, and that is all that is wrong."""
    as_ops.env |= {"REPLICAS_TO_ACK": "1", "REPLICAS_ACK_TIMEOUT_MS": "1"}
    finished = as_ops.run("client", "create", "a", "--scopes", "a")
    assert 1 == finished.returncode
    assert finished.stderr.endswith(": 0 of 1 replicas have it\n")
