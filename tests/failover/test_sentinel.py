"""Sentinel replaces the primary under load: nothing wrong is said, and nobody restarts anything."""

import time

import pytest

from tests.failover.model import Model
from tests.failover.sentinel_group import SentinelGroup
from tests.processes import until
from tests.stack import Stack
from tests.store.feed_harness import FeedWorker

pytestmark = pytest.mark.timeout(180)

BOUND_S = 0.25
SCHEDULING_S = 1.0
"""What a busy machine may add to any answer."""


def report(name: str, model: Model, broke_at: float) -> None:
    assert [] == model.wrong
    outage_s, bound_s = model.outage_s(broke_at), BOUND_S + SCHEDULING_S
    late = [took_s for at, _, took_s in model.answers if at > broke_at and took_s > bound_s]
    asked = sum(at > broke_at for at, *_ in model.answers)
    print(f"\n{name}: {outage_s:.1f} s without a decision; {dict(model.tried)}")
    assert {"200", "401", "503"} <= set(model.tried)
    assert len(late) <= 3 + asked // 50, late


def test_killed_primary_is_replaced(stack: Stack, group: SentinelGroup) -> None:
    """SIGKILL; later it comes back by itself, thinks that it is the primary, and nobody asks it."""
    old = group.settled()
    with Model(stack) as model:
        broke_at = time.monotonic()
        old.kill()
        model.wait_until_served()
        old.start()
        assert "master" == until(lambda: old.ask("ROLE"), 30)[0]
        model.wait_until_served()
        with group.hurried():
            until(lambda: (old.ask("ROLE") or [""])[0] == "slave", 60, "it is made a replica")
        model.wait_until_served()
    report("primary killed", model, broke_at)
    model.check_all()
    assert old.port not in group.named()


def test_frozen_primary_is_replaced_and_not_trusted_when_it_thaws(
    stack: Stack, group: SentinelGroup
) -> None:
    """SIGSTOP, SIGCONT: a worker that slept through it all does not believe it either."""
    old = group.settled()
    with Model(stack) as model, FeedWorker(group.url, timeout_s=0.15, heartbeat_s=0.25) as sleeper:
        jti = f"{old.ask('HGET', 'dataset', 'id')}.known-to-the-sleeper"
        until(lambda: sleeper.reason(f"Bearer {jti} demo") == "ok", what="the sleeper knows it")
        broke_at = time.monotonic()
        old.freeze()
        model.wait_until_served()
        served_s = time.monotonic() - broke_at
        new = group.node_at((group.named() - {old.port}).pop())
        assert new.ask("SET", f"revoked:{jti}", "x")
        old.thaw()
        role = until(lambda: old.ask("ROLE"), what="it answers again")
        assert "master" == role[0], "it does not know better yet"
        answers = [sleeper.reason(f"Bearer {jti} demo") for _ in range(3)]
        assert "ok" not in answers
        until(
            lambda: sleeper.reason(f"Bearer {jti} demo") == "revoked", what="the new one is asked"
        )
        with group.hurried():
            until(lambda: (old.ask("ROLE") or [""])[0] == "slave", 60, "it is made a replica")
        model.wait_until_served()
    report(f"primary frozen ({served_s:.1f} s until all was served)", model, broke_at)
    model.check_all()
