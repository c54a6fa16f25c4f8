"""What happens all the time is not taken for an older copy."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import until
from tests.store.feed_harness import RedisServer, jti_of
from tests.store.tide_harness import (
    DEAD,
    GOOD,
    Gateway,
    assert_same_as_before,
    copy_of,
    dataset_id,
    flush,
    follow,
    put_back,
    revoke,
    swap,
)


def restart(gateway: Gateway) -> None:
    gateway.server.kill()
    gateway.server.start()


def cut_lines(gateway: Gateway) -> None:
    with gateway.server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)


def lose_worker(gateway: Gateway) -> None:
    """A worker that dies takes what it has seen with it."""
    with gateway.server.client() as client:
        client.set(f"revoked:{jti_of('dead')}", "x")
    gateway.worker().warm(GOOD)


def first_replica(gateway: Gateway) -> None:
    """Redis then begins a history of changes of its own accord."""
    with RedisServer() as replica:
        follow(gateway.server, replica)
    cut_lines(gateway)


def idle(gateway: Gateway) -> None:
    """Changes of all kinds that nobody reads, confirmed; then their server is gone."""
    with gateway.server.client() as client:
        client.hset("client:demo", "name", "x")
        client.set("notbefore:other", 1)
    gateway.confirm()
    restart(gateway)


def other_gateway(gateway: Gateway) -> None:
    other = Gateway(gateway.server, gateway.directory / "other")
    worker = other.worker()
    for name in ("one", "two"):
        revoke(worker, name)
        other.confirm()
        worker.line.close()
    restart(other)
    worker.reason(GOOD)
    other.close()


@pytest.mark.parametrize(
    "happen",
    [restart, cut_lines, lose_worker, first_replica, idle, other_gateway],
    ids=lambda happen: happen.__name__,
)
@pytest.mark.parametrize("confirmed", [True, False])
def test_nothing_is_lost_and_nothing_ends(
    happen: Callable[[Gateway], None], confirmed: bool, tmp_path: Path
) -> None:
    """Neither by what happens all the time, nor with changes that no mark has confirmed yet."""
    # By default Redis keeps its file waiting for up to two seconds while the disk is busy.
    with RedisServer("--appendonly", "yes", "--appendfsync", "no") as server:
        gateway = Gateway(server, tmp_path / "state")
        workers = [gateway.worker(), gateway.worker()]
        for worker in workers:
            worker.warm(DEAD, GOOD)
        revoke(workers[0])
        if confirmed:
            gateway.confirm()
        happen(gateway)
        assert_same_as_before(server, *workers)
        gateway.confirm()
        restart(gateway)
        assert_same_as_before(server, *workers, gateway.worker())
        gateway.close()


def test_replica_that_has_everything_takes_over_and_nothing_ends(gateway: Gateway) -> None:
    """With a change that is confirmed, and one that is not."""
    with RedisServer() as replica:
        follow(gateway.server, replica)
        worker = gateway.worker()
        worker.warm(DEAD, GOOD)
        revoke(worker, "another")
        gateway.confirm()
        revoke(worker)
        with replica.client() as client:
            until(lambda: client.exists(f"revoked:{jti_of('dead')}"))
            swap(gateway.server, replica)
            client.replicaof("NO", "ONE")
        assert_same_as_before(gateway.server, worker)


def test_emptied_redis_begins_one_data_set(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """That it has lost everything is known already; the marks find nothing more in it."""
    caplog.set_level(logging.WARNING)
    workers = [gateway.worker(), gateway.worker()]
    for worker in workers:
        worker.warm(DEAD, GOOD)
    revoke(workers[0])
    gateway.confirm()
    revoke(workers[0], "another")
    with gateway.server.client() as client:
        flush(client)
        assert {"revoked"} == {worker.reason(GOOD) for worker in workers}
        client.hset("client:demo", mapping={"status": "active", "scopes": "a", "secrets": "[]"})
    begun = dataset_id(gateway.server)
    for worker in workers:
        revoke(worker, "other")
        gateway.confirm()
        worker.line.close()
        assert "ok" == worker.reason(f"Bearer {begun}.fresh demo")
    assert begun == dataset_id(gateway.server)
    assert "gone back in time" not in caplog.text


def test_file_that_cannot_be_read_begins_anew(gateway: Gateway) -> None:
    """It is said in the log; a gateway without its memory still serves."""
    gateway.directory.mkdir()
    (gateway.directory / "tide").write_text("{")
    worker = gateway.worker()
    worker.warm(GOOD)
    revoke(worker)
    gateway.confirm()
    restart_and_keep(gateway)
    assert "ok" == worker.reason(GOOD)


def restart_and_keep(gateway: Gateway) -> None:
    put_back(gateway.server, copy_of(gateway.server))
