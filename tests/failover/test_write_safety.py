"""What was acknowledged survives the primary: it is killed as soon as it has answered.

REPLICA_ROUNDS makes it long. The replica sits behind a link that takes its time, so what is not
waited for has not arrived there.
"""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import closing, suppress

import pytest

from app.line import Line
from app.replicas import NotReplicated, Replicas
from app.store import Store
from tests.processes import until
from tests.relay import Relay
from tests.stack import free_port
from tests.store.feed_harness import NOW, RedisServer

ROUNDS = int(os.environ.get("REPLICA_ROUNDS", "4"))
A_ROUND = 3
LATE_S = 0.05


class Link:
    """From a primary to its replica, both in step when this is made; then late, or cut."""

    def __init__(self, primary: RedisServer, replica: RedisServer) -> None:
        self._late_s = 0.0
        self._is_held = self._is_cut = False
        self._let_go = threading.Event()
        port = free_port()
        self._relay = Relay(port, primary.path, self._pass)
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(port))
            until(
                lambda: client.info("replication")["master_link_status"] == "up",
                timeout_s=30,
                what="the replica is in step",
            )

    def _pass(self, data: bytes) -> Iterable[bytes]:
        if self._is_held:
            self._let_go.wait()
        time.sleep(self._late_s)  # the slow link itself
        return () if self._is_cut else (data,)

    def slow_down(self) -> None:
        self._late_s = LATE_S

    def hold(self) -> None:
        """Let nothing through any more."""
        self._is_held = True

    def cut(self) -> None:
        """What is on its way is lost."""
        self._is_cut = True
        self._let_go.set()
        self._relay.close()


def revoke(primary: RedisServer, turn: int, replicas: Replicas) -> set[str]:
    """Return the revocations that were acknowledged, the last one just now."""
    acknowledged = set()
    with closing(Line(primary.tcp_url, timeout_s=10)) as line:
        store = Store(line, replicas=replicas)
        for jti in (f"a.{turn}.{number}" for number in range(A_ROUND)):
            with suppress(NotReplicated):
                store.revoke(jti, NOW, "x")
                acknowledged.add(jti)
        primary.kill()
    return acknowledged


def taken_over(replica: RedisServer) -> set[str]:
    """Make a replica the primary; return the revocations that it has."""
    with replica.client() as client:
        client.replicaof("NO", "ONE")
        return {key.removeprefix("revoked:") for key in client.keys("revoked:*")}


def test_acknowledged_revocation_survives_the_loss_of_the_primary() -> None:
    """SIGKILL right after the answer, again and again: whoever takes over has each of them."""
    acknowledged, lost = set(), set()
    with RedisServer() as primary, RedisServer() as replica:
        for turn in range(ROUNDS):
            link = Link(primary, replica)
            try:
                link.slow_down()
                told = revoke(primary, turn, Replicas(1, 9_000))
            finally:
                link.cut()
            acknowledged |= told
            lost |= told - taken_over(replica)
            primary.start()
            primary, replica = replica, primary
    print(f"\n{len(acknowledged)} revocations acknowledged, {len(lost)} lost")
    assert A_ROUND * ROUNDS == len(acknowledged)
    assert set() == lost


@pytest.mark.parametrize(("needed", "count"), [(0, A_ROUND), (1, 0)])
def test_revocation_that_no_replica_has_is_lost_if_it_is_acknowledged(
    needed: int, count: int
) -> None:
    """So the waiting is what saves it: without it all are acknowledged and lost; with it, none."""
    with RedisServer() as primary, RedisServer() as replica:
        link = Link(primary, replica)
        try:
            link.hold()
            told = revoke(primary, 0, Replicas(needed, 100))
        finally:
            link.cut()
        assert count == len(told)
        assert set() == told & taken_over(replica)
