"""From a URL to what asks the Redis, or the cluster, that it names."""

from collections.abc import Callable

from app.cluster import Cluster
from app.line import Line
from app.store import Connection
from app.tide import Tide


def line_to(
    url: str,
    *,
    timeout_s: float,
    heartbeat_s: float = 0.25,
    watched: tuple[str, ...] = (),
    count: Callable[[str], None] = lambda _: None,
    tide: Tide | None = None,
) -> Connection:
    """Return what asks one Redis, or a cluster, and is told of changes when some are watched."""
    if url.startswith("cluster:"):
        return Cluster(
            url, timeout_s=timeout_s, heartbeat_s=heartbeat_s, watched=watched, count=count
        )
    return Line(
        url, timeout_s=timeout_s, heartbeat_s=heartbeat_s, watched=watched, count=count, tide=tide
    )
