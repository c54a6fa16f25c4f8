"""Load through nginx while a cluster changes; revocations also go past the gateway."""

import threading
from contextlib import suppress

import redis
from tests.cluster.redis_cluster import RedisCluster
from tests.failover.model import Model
from tests.forgery import claims_of
from tests.stack import Stack


class ClusterModel(Model):
    """Also revokes as `redis-cli -c` does: however long Redis takes to say OK, then it counts."""

    def __init__(self, stack: Stack, cluster: RedisCluster) -> None:
        super().__init__(stack)
        self._cluster = cluster
        self._threads.append(threading.Thread(target=self._repeat, args=(self._set,)))

    def _set(self) -> None:
        token = self._mint("/token")
        if token is None or self._ask(token).status != 200:
            return
        with suppress(redis.RedisError, redis.exceptions.RedisClusterException):
            with redis.RedisCluster("127.0.0.1", next(iter(self._cluster.alive()))) as client:
                client.set(f"revoked:{claims_of(token)['jti']}", "bare", ex=600)
            if self._ask(token).status == 200:
                self.wrong.append("let in right after SET")
            self.dead.append(token)
            self.tried["set"] += 1
