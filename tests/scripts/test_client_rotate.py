"""scripts/client rotate: a new secret at once, the previous one for a while."""

import hmac
import json
from typing import Any

import pytest

from tests.scripts.ops import Ops

DAY_S = 86_400


def test_rotate_keeps_the_previous_secret_for_a_day(ops: Ops) -> None:
    """The new secret is good at once and without end; the old one ends in a day."""
    old = ops.create()
    before = ops.now_s()
    new = ops.json("client", "rotate", "orders")
    after = ops.now_s()
    first, second = ops.secrets()
    digest = hmac.new(first["salt"].encode(), new["client_secret"].encode(), "sha256")
    assert digest.hexdigest() == first["hash"]
    assert new["client_secret"] != old["client_secret"]
    assert before <= first["not_before_s"] <= after
    assert 0 == first["not_after_s"]
    assert old["secret_id"] == second["id"] == new["previous"]["secret_id"]
    assert before + DAY_S <= second["not_after_s"] <= after + DAY_S
    assert new["previous"]["not_after_s"] == second["not_after_s"]


def test_rotate_with_a_grace_time_ends_the_old_secret_then(ops: Ops) -> None:
    """--grace-s is the old secret's remaining life."""
    ops.create()
    before = ops.now_s()
    ops.done("client", "rotate", "orders", "--grace-s", "90")
    assert before + 90 <= ops.secrets()[1]["not_after_s"] <= ops.now_s() + 90


def test_rotate_without_grace_ends_the_old_secret_at_once(ops: Ops) -> None:
    """--grace-s 0 leaves the new secret alone."""
    ops.create()
    made = ops.json("client", "rotate", "orders", "--grace-s", "0")
    assert made["previous"] is None
    assert [made["secret_id"]] == [secret["id"] for secret in ops.secrets()]


def test_rotate_again_keeps_two_secrets_at_most(ops: Ops) -> None:
    """After any number of rotations the last two secrets live, newest first."""
    ops.create()
    made = [ops.json("client", "rotate", "orders")["secret_id"] for _ in range(3)]
    assert [made[2], made[1]] == [secret["id"] for secret in ops.secrets()]


def test_rotate_never_prolongs_a_secret(ops: Ops) -> None:
    """A secret that was to end sooner still ends then."""
    ops.create()
    [secret] = ops.secrets()
    secret["not_after_s"] = ops.now_s() + 30
    ops.redis.hset("client:orders", "secrets", json.dumps([secret]))
    made = ops.json("client", "rotate", "orders")
    assert secret["not_after_s"] == made["previous"]["not_after_s"]


def test_rotate_drops_an_ended_secret(ops: Ops) -> None:
    """A secret that has ended is not brought back by a grace time."""
    ops.create()
    [secret] = ops.secrets()
    secret["not_after_s"] = ops.now_s()
    ops.redis.hset("client:orders", "secrets", json.dumps([secret]))
    assert ops.json("client", "rotate", "orders")["previous"] is None
    assert 1 == len(ops.secrets())


@pytest.mark.parametrize("damage", ["", "[", "{}", "7", "null", '["x"]', '[{"id":"x"}]', "[[]]"])
def test_rotate_heals_secrets_that_cannot_be_read(ops: Ops, damage: str) -> None:
    """A client whose stored secrets are broken gets a good one."""
    ops.create()
    ops.redis.hset("client:orders", "secrets", damage)
    made = ops.json("client", "rotate", "orders")
    assert [made["secret_id"]] == [secret["id"] for secret in ops.secrets()]


def test_show_tells_the_state_of_each_secret(ops: Ops) -> None:
    """Live, ended and future secrets are told apart, whoever wrote the JSON."""
    ops.create()
    now = ops.now_s()

    def secret(secret_id: str, not_before_s: int, not_after_s: int) -> dict[str, Any]:
        return {
            "salt": "a" * 32, "id": secret_id, "hash": "b" * 64,
            "not_after_s": not_after_s, "not_before_s": not_before_s,
        }  # fmt: skip

    secrets = [
        secret("00000001", now + 500, 0),
        secret("00000002", now - 500, now - 100),
        secret("00000003", now - 500, now + 500),
    ]
    ops.redis.hset("client:orders", "secrets", json.dumps(secrets, indent=1))
    states = [one["state"] for one in ops.json("client", "show", "orders")["secrets"]]
    assert ["future", "ended", "live"] == states
