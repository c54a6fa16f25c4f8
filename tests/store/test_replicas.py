"""A change is acknowledged when enough replicas have it, and refused in time when they have not."""

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from app.errors import StoreUnavailable
from app.line import Line
from app.replicas import NotReplicated, Replicas, wait_s
from app.store import Store
from tests.processes import until
from tests.service import Clock
from tests.store.feed_harness import NOW, RedisServer
from tests.store.tide_harness import follow

LONG_MS = 9_000
"""What a busy machine may need."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    with RedisServer() as primary, RedisServer() as replica:
        follow(primary, replica)
        yield primary, replica


@pytest.fixture
def primary(pair: tuple[RedisServer, RedisServer]) -> RedisServer:
    return pair[0]


@pytest.fixture
def line(primary: RedisServer) -> Iterator[Line]:
    with closing(Line(primary.tcp_url, timeout_s=10)) as line:
        yield line


@pytest.fixture
def store(line: Line) -> Store:
    """One that needs the replica."""
    return Store(line, replicas=Replicas(1, LONG_MS))


@pytest.fixture
def hasty(line: Line) -> Store:
    """One that needs the replica at once."""
    return Store(line, replicas=Replicas(1, 50))


@pytest.fixture
def frozen(pair: tuple[RedisServer, RedisServer]) -> Iterator[RedisServer]:
    """The replica stands still."""
    pair[1].freeze()
    yield pair[1]
    pair[1].thaw()


def is_acknowledged(store: Store) -> bool:
    try:
        store.revoke("a.b", NOW, "x")
    except NotReplicated:
        return False
    return True


def test_acknowledged_revocation_is_on_the_replica(
    store: Store, pair: tuple[RedisServer, RedisServer]
) -> None:
    """At once, each of them."""
    with pair[1].client() as replica:
        for number in range(50):
            store.revoke(f"a.{number}", NOW, "x")
            assert "x" == replica.get(f"revoked:a.{number}")


def test_spent_token_is_spent_on_the_replica(
    store: Store, pair: tuple[RedisServer, RedisServer]
) -> None:
    """Who takes over must not take it again."""
    store.arm("a.once", NOW)
    assert "ok" == store.spend("a.once", "r1")
    with pair[1].client() as replica:
        assert 0 == replica.exists("ott:a.once")
    assert ["ok", "spent"] == [store.spend("a.once", request) for request in ("r1", "r2")]


def test_revocation_that_the_replica_has_not_is_no_loss_of_the_line(
    hasty: Store, frozen: RedisServer
) -> None:
    """It is refused, the line goes on, and when the replica is there again, so is the answer."""
    assert [False] * 3 == [is_acknowledged(hasty) for _ in range(3)]
    assert hasty.learn(jti="a.b").is_revoked
    frozen.thaw()
    until(lambda: is_acknowledged(hasty), 30, what="it is there again")


def test_wait_may_take_longer_than_any_other_question(
    primary: RedisServer, frozen: RedisServer
) -> None:
    """A wait in vain ends by Redis' word, not by hanging up: a second past a timeout of two."""
    with closing(Line(primary.tcp_url, timeout_s=2)) as line:
        store = Store(line, replicas=Replicas(1, 3_000))
        began = time.monotonic()
        assert not is_acknowledged(store)
        assert time.monotonic() - began > 2.5
        assert line.feed() == "ok"


def test_change_that_writes_nothing_is_not_acknowledged_by_it(
    hasty: Store, primary: RedisServer, frozen: RedisServer
) -> None:
    """Another connection made it: WAIT alone would count from what this one wrote last."""
    hasty.arm("a.once", NOW)
    with pytest.raises(NotReplicated):
        hasty.spend("a.once", "r1")
    with closing(Line(primary.tcp_url, timeout_s=10)) as other:
        again = Store(other, replicas=Replicas(1, 50))
        with pytest.raises(NotReplicated):
            again.spend("a.once", "r1")
        assert "spent" == again.spend("a.once", "r2")


def test_no_replica_needed_waits_for_none(line: Line, frozen: RedisServer) -> None:
    """The default."""
    Store(line).revoke("a.b", NOW, "x")


def test_primary_without_good_replicas_takes_no_change(primary: RedisServer, line: Line) -> None:
    """min-replicas-to-write, which Redis itself holds: revocations and spending are 503."""
    store = Store(line)
    store.arm("a.once", NOW)
    with primary.client() as client:
        client.config_set("min-replicas-to-write", 2)
        try:
            for change in (
                lambda: store.revoke("a.c", NOW, "x"),
                lambda: store.spend("a.once", "r1"),
                lambda: store.arm("a.another", NOW),
            ):
                with pytest.raises(StoreUnavailable, match="try again") as raised:
                    change()
                assert "NOREPLICAS" in raised.value.detail
            assert store.learn("demo", "a.c", world=True).is_revoked is False
        finally:
            client.config_set("min-replicas-to-write", 0)
    assert "ok" == store.spend("a.once", "r1")


MARK = ("SET", "wait:{k}", "1", "EX", 1)


def test_only_one_change_a_second_waits_for_replicas_that_are_away() -> None:
    """A worker that waits answers nobody else; with the first answer its patience is back."""
    clock, counted = Clock(100.0), list[str]()
    replicas = Replicas(2, 50, counted.append, clock)
    shown: list[Any] = []
    for now, having in ((100, 1), (100.5, 0), (101, 1), (101.1, 2), (101.2, 2)):
        clock.now = now
        mark, wait = replicas.wait("k")
        assert MARK == mark
        shown.append(wait)
        with suppress(NotReplicated):
            replicas.check(["changed", "OK", having])
    assert [("WAIT", 2, ms) for ms in (50, 10, 50, 10, 50)] == shown
    assert ["changes_not_replicated"] * 3 == counted


@pytest.mark.parametrize(
    ("mark", "having", "why"),
    [
        ("OK", 0, "0 of 1 replicas have it"),
        ("OK", ValueError("NOPERM"), "NOPERM"),
        (ValueError("OOM"), 1, "OOM"),
    ],
)
def test_what_proves_nothing_is_no_acknowledgement(mark: Any, having: Any, why: str) -> None:
    """Where the mark was refused, WAIT counts from something else."""
    with pytest.raises(NotReplicated) as raised:
        Replicas(1, 50).check(["changed", mark, having])
    assert why == raised.value.detail


def test_nothing_is_waited_for_where_nothing_is_needed() -> None:
    """Nor is anything more asked."""
    assert () == Replicas(0, 50).wait("k")
    assert 0 == wait_s((("PING",),)) == wait_s(())
    assert wait_s((MARK, ("WAIT", 1, 50))) > 0.05
