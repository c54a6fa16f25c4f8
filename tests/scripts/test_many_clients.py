"""scripts/client list with ten thousand clients."""

import json
import time

from tests.scripts.ops import Ops

CLIENTS = 10_000


def test_ten_thousand_clients_are_listed_in_seconds(ops: Ops) -> None:
    """All are there, in order, without a process per client."""
    secret = {"id": "0a1b2c3d", "salt": "a" * 32, "hash": "b" * 64}
    fields = {
        "name": "A client",
        "status": "active",
        "scopes": "orders:read orders:write",
        "secrets": json.dumps([{**secret, "not_before_s": 1, "not_after_s": 0}]),
    }
    pipe = ops.redis.pipeline(transaction=False)
    for number in range(CLIENTS):
        pipe.hset(f"client:c{number:05}", mapping=fields)
        pipe.hset(f"used:c{number:05}", "0a1b2c3d", 1_795_230_000)
    pipe.execute()
    began = time.monotonic()
    listed = ops.json("client", "list")
    assert time.monotonic() - began < 40
    assert [f"c{number:05}" for number in range(CLIENTS)] == [one["client_id"] for one in listed]
    assert 1_795_230_000 == listed[-1]["secrets"][0]["last_used_s"]
