"""sentinels://: sentinels and Redis by TLS alone."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor import sentinels
from snapshot import outcome, redis_access

from app.errors import StoreUnavailable
from tests.failover.sentinel_group import SENTINEL_PASSWORD, SERVICE, SentinelGroup
from tests.processes import until
from tests.stack import ROOT
from tests.store.feed_harness import FeedWorker


@pytest.fixture(scope="module")
def secured() -> Iterator[SentinelGroup]:
    with SentinelGroup(has_tls=True) as group:
        yield group


def test_worker_follows_a_failover(secured: SentinelGroup) -> None:
    """It asks the sentinels by TLS, and whomever they name."""
    old = secured.settled()
    old.ask("HSET", "dataset", "id", "0a1b2c3d")
    old.ask("HSET", "client:demo", "status", "active")
    with FeedWorker(secured.url, timeout_s=10.0, heartbeat_s=0.25) as worker:
        worker.store.revoke("0a1b2c3d.a", 4_000_000_000, "x")
        assert "ok" == worker.line.feed()
        with secured.hurried():
            question = ("SENTINEL", "FAILOVER", SERVICE)
            first = secured.sentinels[0]
            until(lambda: first.ask(*question, password=SENTINEL_PASSWORD) == "OK", 30, "it begins")
            until(lambda: secured.named() and old.port not in secured.named(), 60, "it is over")
        new = secured.settled()
        until(lambda: is_revoked(worker, "0a1b2c3d.b"), 60, "the new one is asked")
        assert "x" == new.ask("GET", "revoked:0a1b2c3d.b")


def is_revoked(worker: FeedWorker, jti: str) -> bool:
    try:
        worker.store.revoke(jti, 4_000_000_000, "x")
    except StoreUnavailable:
        return False
    return True


def test_scripts_and_doctor_read_the_same_url(
    secured: SentinelGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scripts/route writes, the doctor finds nothing, snapshot finds the primary."""
    primary = secured.settled()
    env = {"PATH": os.environ["PATH"], "RUN_DIR": str(tmp_path), "REDIS_URL": secured.url}
    command = [str(ROOT / "scripts" / "route"), "set", "GET", "/a/", "a"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert {"GET /a/": "a"} == primary.client().hgetall("routes")
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    monkeypatch.delenv("REPLICAS_TO_ACK", raising=False)
    assert [] == list(sentinels.find(secured.url))
    monkeypatch.setenv("REDIS_URL", secured.url)
    assert f"127.0.0.1:{primary.port}" == redis_access.connect().place


def test_certificate_that_nobody_vouches_for_is_not_trusted(
    secured: SentinelGroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By nobody: the app, the scripts, snapshot, the doctor."""
    url = secured.url.partition("&ssl_ca_certs")[0]
    with FeedWorker(url, timeout_s=2.0, heartbeat_s=0.25) as worker:
        assert not is_revoked(worker, "0a1b2c3d.c")
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(outcome.Failed, match="no sentinel names a primary"):
        redis_access.connect()
    assert "CERTIFICATE_VERIFY_FAILED" in " ".join(one.problem for one in sentinels.find(url))
    env = {"PATH": os.environ["PATH"], "RUN_DIR": str(tmp_path), "REDIS_URL": url}
    command = [str(ROOT / "scripts" / "route"), "list"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (1, 1) == (done.returncode, done.stderr.count("\n")), done.stderr
