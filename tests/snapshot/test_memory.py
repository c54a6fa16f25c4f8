"""Memory stays where it is, however much Redis holds."""

import json

from tests.service import client_fields
from tests.snapshot.vault import Vault

CLIENTS = 8_000
LARGE = client_fields(scopes=" ".join(f"scope:{number:06}" for number in range(150)))
"""About as much as a client may have: 8,000 of them are 18 MB before anything is made of them."""


def peaks(vault: Vault) -> tuple[int, int]:
    """Take a snapshot and restore it, in processes of their own; return the peak of each, in MB."""
    taken = json.loads(vault.run("snapshot", "--json", "--keep", "0,0").stdout)
    vault.redis.flushall()
    return taken["peak_memory_mb"], json.loads(vault.run("restore", "--json").stdout)[
        "peak_memory_mb"
    ]


def test_memory_does_not_grow_with_what_redis_holds(vault: Vault) -> None:
    """Neither of the two ever holds more than a batch; nor is a key ever asked for by KEYS."""
    vault.add_client()
    few = peaks(vault)
    pipe = vault.redis.pipeline(transaction=False)
    for number in range(CLIENTS):
        pipe.hset(f"client:c{number}", mapping=LARGE)
        pipe.set(f"revoked:0a1b2c3d.{number}", "x", ex=5000)
        if number % 1000 == 0:
            pipe.execute()
    pipe.execute()
    vault.redis.config_resetstat()
    many = peaks(vault)
    assert min(few) > 10
    assert many[0] - few[0] < 15
    assert many[1] - few[1] < 15
    commands = vault.redis.info("commandstats")
    assert "cmdstat_scan" in commands
    assert not {"cmdstat_keys", "cmdstat_hscan", "cmdstat_flushall|x"} & commands.keys()
