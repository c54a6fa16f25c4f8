"""scripts/client list with ten thousand clients."""

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from tests.scripts.ops import Ops

CLIENTS = 10_000


def cpu_s_of(work: Callable[[], object]) -> float:
    """Return the CPU time of the processes that some work starts: others' work is not in it."""
    before = os.times()
    work()
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


@pytest.mark.timeout(400)
def test_ten_thousand_clients_are_listed_in_seconds(ops: Ops) -> None:
    """All are there, in order, for less than a process per client would cost."""
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
    listed = []
    took_s = cpu_s_of(lambda: listed.extend(ops.json("client", "list", timeout_s=300)))
    assert [f"c{number:05}" for number in range(CLIENTS)] == [one["client_id"] for one in listed]
    assert 1_795_230_000 == listed[-1]["secrets"][0]["last_used_s"]
    ping = ["redis-cli", "-s", str(ops.socket), "ping"]
    hundred_s = cpu_s_of(
        lambda: [subprocess.run(ping, capture_output=True, check=True) for _ in range(100)]
    )
    assert took_s < CLIENTS / 100 * hundred_s
