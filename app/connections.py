"""From a URL to what asks the Redis, or the cluster, that it names; and who asks there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import canary
from app.canary import Canary
from app.cluster import Cluster
from app.config import Config
from app.journal import Journal
from app.line import Line
from app.login import WATCHED
from app.metrics import Metrics
from app.replicas import Replicas
from app.shard_tides import ShardTides
from app.store import Connection, Store
from app.tide import Tide
from app.tide_file import TideFile

_CLUSTER = "cluster:"


def line_to(
    url: str,
    *,
    timeout_s: float,
    heartbeat_s: float = 0.25,
    watched: tuple[str, ...] = (),
    count: Callable[[str], None] = lambda _: None,
    tide: Tide | ShardTides | None = None,
) -> Connection:
    """Return what asks one Redis, or a cluster, and is told of changes when some are watched."""
    kind: Any = Cluster if url.startswith(_CLUSTER) else Line
    line: Connection = kind(
        url, timeout_s=timeout_s, heartbeat_s=heartbeat_s, watched=watched, count=count, tide=tide
    )
    return line


def store_and_journal(config: Config, metrics: Metrics) -> tuple[Store, Journal]:
    """Return what the requests ask, and the journal, whose thread confirms changes."""
    timeout_s = config.redis_timeout_ms / 1000
    tide = _tide_of(config.redis_url, config.state_dir)
    asking = line_to(
        config.redis_url,
        timeout_s=timeout_s,
        heartbeat_s=config.heartbeat_ms / 1000,
        watched=WATCHED,
        count=metrics.counter_of("worker"),
        tide=tide,
    )
    writing = line_to(
        config.redis_url,
        timeout_s=timeout_s,
        count=metrics.counter_of("journal"),
        tide=tide,
    )
    journal = Journal(writing, most_entries=config.audit_max_entries, count=metrics.count)
    if tide:
        tide.on_change = journal.wake
        journal.listen()
    needed, within_ms = config.replicas_to_ack, config.replicas_ack_timeout_ms
    return Store(asking, replicas=Replicas(needed, within_ms, metrics.count)), journal


def _tide_of(url: str, directory: Path | None) -> Tide | ShardTides | None:
    """Return what notices that Redis, or a shard of a cluster, has gone back in time."""
    if directory is None:
        return None
    return ShardTides(directory) if url.startswith(_CLUSTER) else Tide(TideFile(directory))


def canary_of(config: Config, metrics: Metrics) -> Canary:
    """Return a canary with two lines of its own."""

    def line(*watched: str) -> Connection:
        timeout_s, count = config.redis_timeout_ms / 1000, metrics.counter_of("canary")
        return line_to(config.redis_url, timeout_s=timeout_s, watched=watched, count=count)

    return Canary(line(), line(canary.PREFIX), metrics)
