"""Bulk writes into a gateway's Redis, as one generated RESP stream through `redis-cli --pipe`."""

import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from hmac import digest
from itertools import islice
from pathlib import Path

from hiredis import pack_command

Command = tuple[str | int, ...]

SECRET = "bench-secret-of-forty-three-characters-long"  # noqa: S105 - opens a throw-away Redis only
SCOPES = "bench:read bench:write"
_SALT = "0123456789abcdef" * 2
_CHUNK = 5_000


def write(socket: Path, commands: Iterable[Command]) -> int:
    """Send commands to the Redis behind `socket`; return how many were carried out."""
    pipe = subprocess.Popen(
        ["redis-cli", "-s", str(socket), "--pipe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert pipe.stdin
    assert pipe.stdout
    count = 0
    for chunk in _chunks(commands):
        pipe.stdin.write(b"".join(map(pack_command, chunk)))  # type: ignore[arg-type]
        count += len(chunk)
    pipe.stdin.close()
    said = pipe.stdout.read().decode()
    if pipe.wait() != 0 or f"errors: 0, replies: {count}" not in said:
        raise RuntimeError(f"redis-cli --pipe: {said.strip()[-200:]}")
    return count


def _chunks(commands: Iterable[Command]) -> Iterator[list[Command]]:
    rest = iter(commands)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def client_id(number: int) -> str:
    """Return the id of one of the bench's clients; all are of one length."""
    return f"bench-{number:07d}"


def clients(first: int, count: int) -> Iterator[Command]:
    """Yield the commands that register clients, as redis/client_create.lua writes them."""
    now_s = int(time.time())
    entry = {
        "id": "bbbbbbbb",
        "salt": _SALT,
        "hash": digest(_SALT.encode(), SECRET.encode(), sha256).hex(),
        "not_before_s": now_s,
        "not_after_s": 0,
    }
    fields: Command = (
        *("name", "Bench", "status", "active", "scopes", SCOPES, "audiences", ""),
        *("ttl_s", "", "rate_per_s", "", "secrets", json.dumps([entry], separators=(",", ":"))),
        *("created_at", now_s, "updated_at", now_s),
    )
    for number in range(first, first + count):
        yield ("HSET", f"client:{client_id(number)}", *fields)
