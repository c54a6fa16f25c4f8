"""One worker's share of the app, on a cluster."""

from contextlib import suppress
from typing import Any

from app.cluster import Cluster
from app.errors import StoreUnavailable
from app.wire import Command, Work
from tests.cluster.redis_cluster import RedisCluster
from tests.processes import until
from tests.service import DATASET, client_fields
from tests.store.feed_harness import Worker


class CountingCluster(Cluster):
    """Notes what it is asked."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.asked: list[Command] = []

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        self.asked += commands
        return super().ask(*commands, meanwhile=meanwhile)


class ClusterWorker(Worker):
    """On a cluster. Its heartbeat is far off, unless a test wants it."""

    line: CountingCluster

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(
            CountingCluster(url, **{"timeout_s": 5.0, "heartbeat_s": 60.0, **settings})
        )

    def knows_all(self) -> bool:
        """Tell whether it could tell a replica that is behind from one that is not."""
        return self.line.is_current() and self.line._members.are_known()  # noqa: SLF001

    def warm(self, *tokens: str) -> None:
        """Have tokens verified and looked up, and the worker sure of what it knows."""
        for token in tokens:
            self.reason(token)
        until(self.knows_all, what="it is known what each replica has")
        for token in tokens:
            until(lambda token=token: self.is_warm(token), what=f"{token} is warm")  # type: ignore[misc]

    def ping(self) -> None:
        """Have it look at all nodes now."""
        with suppress(StoreUnavailable):
            self.store.ping()


def fill(cluster: RedisCluster) -> None:
    """Empty all nodes, begin the data set anew and register two clients."""
    for port in cluster.alive():
        if cluster.is_primary(port):
            cluster.run(port, "FLUSHALL")
    cluster.do("HSET", "dataset", "id", DATASET, "birth_s", "1")
    for client_id in ("demo", "other"):
        fields = [part for pair in client_fields().items() for part in pair]
        cluster.do("HSET", f"client:{client_id}", *fields)
