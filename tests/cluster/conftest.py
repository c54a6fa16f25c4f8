"""One cluster for all tests here. Each test leaves it whole, though not with the same primaries."""

from collections.abc import Iterator

import pytest

from tests.cluster.redis_cluster import RedisCluster
from tests.cluster.worker import ClusterWorker, fill


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(redis_cluster: RedisCluster) -> RedisCluster:
    """The cluster with a new data set and the clients `demo` and `other`."""
    fill(redis_cluster)
    return redis_cluster


@pytest.fixture
def worker(cluster: RedisCluster) -> Iterator[ClusterWorker]:
    with ClusterWorker(cluster.url) as worker:
        yield worker
