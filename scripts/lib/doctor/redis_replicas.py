"""Could anybody take a Redis' place, and does the gateway wait for more than there is?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .finding import Finding
from .places import setting
from .redis_peer import FAILURES, ask, pairs, place_of

SILENT_S = 10
BEHIND_BYTES = 1_000_000


@dataclass(frozen=True)
class Replica:
    """As its primary tells of it. `silent_s` is since it last told how far it is."""

    address: str
    state: str
    silent_s: int
    behind_bytes: int

    def lag(self) -> str:
        """Return why it counts for nothing; "" when it does."""
        if self.state != "online":
            return f"is not in step yet ({self.state})"
        if self.silent_s > SILENT_S:
            return f"has been silent for {self.silent_s} s"
        if self.behind_bytes > BEHIND_BYTES:
            return f"is {self.behind_bytes:,} bytes behind"
        return ""


def find(redis_url: str, *, is_watched: bool) -> Iterator[Finding]:
    """Look at the replicas of a Redis; one that sentinels watch should have some."""
    place = f"Redis at {place_of(redis_url)}"
    try:
        info = info_of(redis_url)
        config = pairs(ask(redis_url, "CONFIG", "GET", "min-replicas-to-write"))
    except FAILURES:
        return  # which is a finding already
    if info.get("role") != "master":
        problem = "it is a replica, which takes no changes: nothing can be minted or revoked"
        yield Finding(place, 0, problem, "name its primary in REDIS_URL, or the sentinels")
        return
    replicas = replicas_of(info)
    for one in replicas:
        if lag := one.lag():
            remedy = "look at its log; until it is back, it can take nobody's place"
            yield Finding(place, 0, f"its replica {one.address} {lag}", remedy)
    if is_watched and not replicas:
        problem = "it has no replica: when it fails, nobody can take its place"
        yield Finding(place, 0, problem, "start one with `replicaof`")
    yield from _wanted(place, sum(not one.lag() for one in replicas), config)


def _wanted(place: str, in_step: int, config: dict[str, str]) -> Iterator[Finding]:
    """Settings that ask for more replicas than are there."""
    there = f"{in_step} {'replica is' if in_step == 1 else 'replicas are'} in step"
    to_ack = setting("REPLICAS_TO_ACK", "app.env") or "0"
    if to_ack.isdigit() and int(to_ack) > in_step:
        yield Finding(
            place,
            0,
            f"REPLICAS_TO_ACK is {to_ack} and {there}: every revocation is answered 503",
            "start more replicas, or lower REPLICAS_TO_ACK",
        )
    to_write = config.get("min-replicas-to-write", "0")
    if int(to_write) > in_step:
        yield Finding(
            place,
            0,
            f"min-replicas-to-write is {to_write} and {there}: it takes no changes",
            "start more replicas, or lower min-replicas-to-write",
        )


def replicas_of(info: dict[str, str]) -> list[Replica]:
    """Read `slave0:ip=…,port=…,state=…,offset=…,lag=…` of INFO replication."""
    reached = int(info.get("master_repl_offset", "0"))
    found = []
    for name, text in info.items():
        if name.startswith("slave") and name[5:].isdigit():
            fields = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
            host = f"[{fields['ip']}]" if ":" in fields["ip"] else fields["ip"]
            found.append(
                Replica(
                    f"{host}:{fields['port']}",
                    fields["state"],
                    int(fields.get("lag", 0)),
                    reached - int(fields.get("offset", 0)),
                )
            )
    return found


def info_of(redis_url: str) -> dict[str, str]:
    """Return INFO replication."""
    text = str(ask(redis_url, "INFO", "replication"))
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
