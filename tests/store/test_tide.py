"""An older copy of the data is found out, and what nobody has confirmed is made again."""

import threading
from pathlib import Path
from typing import Any

import pytest

from app.lua import Script
from app.tide import KEY
from app.tide_file import TideFile
from tests.processes import until
from tests.service import DATASET
from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of
from tests.store.tide_harness import (
    DEAD,
    GOOD,
    Gateway,
    assert_begun_anew,
    assert_same_as_before,
    copy_of,
    dataset_id,
    follow,
    put_back,
    revoke,
    swap,
)


def with_older_copy(gateway: Gateway) -> FeedWorker:
    """Return a worker under which a copy was put back that lacks a confirmed revocation."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    revoke(worker)
    gateway.confirm()
    put_back(gateway.server, copy)
    return worker


def the_loss_told_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return the one line about it in the log."""
    (entry,) = [one.message for one in caplog.records if "gone back in time" in one.message]
    return str(entry)


def test_older_copy_put_back_under_a_worker_revives_nothing(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """It lacks a mark that was confirmed: its data set ends, and one line says why."""
    worker = with_older_copy(gateway)
    assert_begun_anew(gateway.server, worker)
    ended = f"Data set {DATASET} ends and {dataset_id(gateway.server)} begins"
    assert ended in the_loss_told_of(caplog)


def test_end_of_a_data_set_is_told_of_although_the_answer_is_lost(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has begun the next one; whoever asks again finds it, and would say nothing."""

    class Lost:
        def run(self, *arguments: Any) -> list[Any]:
            Script("dataset").run(*arguments)
            raise TimeoutError

    worker = with_older_copy(gateway)
    with monkeypatch.context() as patched:
        patched.setattr("app.tide._BEGIN", Lost())
        until(lambda: worker.reason(GOOD) and dataset_id(gateway.server) != DATASET)
    assert_begun_anew(gateway.server, worker)
    assert f"Data set {DATASET} ends and another begins" in the_loss_told_of(caplog)


def test_older_copy_put_back_while_nobody_looks_revives_nothing(gateway: Gateway) -> None:
    """All workers are gone and come back: the file remembers."""
    first = gateway.worker()
    first.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    revoke(first)
    gateway.confirm()
    first.line.close()
    put_back(gateway.server, copy)
    assert_begun_anew(gateway.server, gateway.worker())


def test_change_that_an_idle_worker_has_not_read_is_confirmed(gateway: Gateway) -> None:
    """Typed by hand, while no request makes anybody look."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    with gateway.server.client() as client:
        client.set(f"revoked:{jti_of('dead')}", "x")
    assert [True] == [tide.is_dirty() for tide in gateway.tides]
    gateway.confirm()
    put_back(gateway.server, copy)
    assert_begun_anew(gateway.server, gateway.worker(), worker)


@pytest.mark.parametrize("by", ["worker", "hand"])
def test_revocation_that_no_mark_has_confirmed_is_made_again(gateway: Gateway, by: str) -> None:
    """Whoever has seen it, if only in its last look at a broken line, brings it along."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    if by == "worker":
        revoke(worker)
    with gateway.server.client() as client:
        client.set(f"revoked:{jti_of('dead')}", "x")
    put_back(gateway.server, copy)
    assert_same_as_before(gateway.server, worker)
    with gateway.server.client() as client:
        assert 86_400 <= client.ttl(f"revoked:{jti_of('dead')}") <= 86_520


def test_spending_that_no_mark_has_confirmed_is_made_again(gateway: Gateway) -> None:
    """Nobody announces who spends; whoever did so remembers."""
    worker = gateway.worker()
    worker.warm(GOOD)
    worker.store.arm(jti_of("once"), NOW + 3600)
    copy = copy_of(gateway.server)
    assert "ok" == worker.store.spend(jti_of("once"), "r1")
    put_back(gateway.server, copy)
    until(lambda: worker.reason(GOOD) == "ok")
    assert "spent" == worker.store.spend(jti_of("once"), "r2")


def test_what_cannot_be_made_again_is_not_trusted(gateway: Gateway) -> None:
    """A server that takes no change is refused, and asked again later."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    revoke(worker)
    gateway.server.options = ("--min-replicas-to-write", "1")
    put_back(gateway.server, copy)
    assert {"store_unavailable"} == {worker.reason(GOOD) for _ in range(5)}
    with gateway.server.client() as client:
        client.config_set("min-replicas-to-write", 0)
    assert_same_as_before(gateway.server, worker)


@pytest.mark.parametrize("key", ["client:other", "notbefore:demo", "notbefore:*"])
def test_change_that_cannot_be_made_again_is_presumed_lost_on_another_server(
    gateway: Gateway, key: str
) -> None:
    """What a client or a not-before was set to is not known, so neither is whether it still is."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    with gateway.server.client() as client:
        if key.startswith("client"):
            client.hset(key, "status", "disabled")
        else:
            client.set(key, 1)
        copy = copy_of(gateway.server)
    worker.reason(GOOD)
    put_back(gateway.server, copy)
    assert_begun_anew(gateway.server, worker)


def test_replica_that_was_behind_revives_nothing(gateway: Gateway) -> None:
    """Promoted without the last revocation; others have raised their marks there already."""
    with RedisServer() as replica:
        follow(gateway.server, replica)
        worker = gateway.worker()
        worker.warm(DEAD, GOOD)
        with replica.client() as client:
            client.replicaof("127.0.0.1", "1")
            client.config_set("replica-read-only", "no")
        revoke(worker)
        gateway.confirm()
        swap(gateway.server, replica)
        with gateway.server.client() as client:
            client.replicaof("NO", "ONE")
        assert_begun_anew(gateway.server, worker)


def test_mark_never_climbs_on_an_older_copy(gateway: Gateway) -> None:
    """However often it is tried, the copy does not catch up with what is remembered."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    revoke(worker)
    gateway.confirm()
    known = TideFile(gateway.directory).read()
    put_back(gateway.server, copy)
    with gateway.server.client() as client:
        for _ in range(3):
            args: Any = ["dataset", KEY, known.gateway, DATASET, known.mark]
            reply = client.eval((Path("redis") / "tide.lua").read_text(), 2, *args)
            assert [DATASET, known.mark - 1] == reply
    assert_begun_anew(gateway.server, worker)


def test_data_set_that_has_ended_never_comes_back(gateway: Gateway) -> None:
    """The very newest copy of it neither: its tokens have been refused meanwhile."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    older = copy_of(gateway.server)
    revoke(worker)
    gateway.confirm()
    newest = copy_of(gateway.server, "newest.rdb")
    put_back(gateway.server, older)
    assert_begun_anew(gateway.server, worker)
    put_back(gateway.server, newest)
    assert_begun_anew(gateway.server, worker)


def test_workers_end_an_older_data_set_once(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight of them find it out together, and agree on the one that follows."""
    workers = [gateway.worker() for _ in range(8)]
    for worker in workers:
        worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    revoke(workers[0])
    gateway.confirm()
    put_back(gateway.server, copy)
    threads = [threading.Thread(target=worker.reason, args=(GOOD,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_begun_anew(gateway.server, *workers)
    begun = {one.message for one in caplog.records if "gone back in time" in one.message}
    assert 1 == len(begun)


def test_one_loss_ends_one_data_set_whoever_else_has_seen_it(gateway: Gateway) -> None:
    """A worker that comes later leaves the next data set alone; what is lost of that one counts."""
    first, second = gateway.worker(), gateway.worker()
    for worker in (first, second):
        worker.warm(DEAD, GOOD)
    copy = copy_of(gateway.server)
    disable_other(gateway.server, first, second)
    put_back(gateway.server, copy)
    assert_begun_anew(gateway.server, first)
    next_one = dataset_id(gateway.server)
    second.reason(GOOD)
    assert next_one == dataset_id(gateway.server)
    with gateway.server.client() as client:
        client.hset("dataset", "id", next_one)  # as whoever begins one does, heard by all
    for worker in (first, second):
        worker.reason(GOOD)
    assert next_one == dataset_id(gateway.server)
    copy = copy_of(gateway.server)
    disable_other(gateway.server, second)
    put_back(gateway.server, copy)
    second.reason(GOOD)
    assert next_one != dataset_id(gateway.server)


def disable_other(server: RedisServer, *workers: FeedWorker) -> None:
    """Have them all see a change of a client, which no mark confirms."""
    with server.client() as client:
        client.hset("client:other", "status", "disabled")
    for worker in workers:
        worker.reason(GOOD)


def test_more_changes_than_a_socket_holds_are_presumed_lost(gateway: Gateway) -> None:
    """Redis may have kept the last of them to itself, though it had acknowledged them."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    with gateway.server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number in range(10_001):
            pipe.set(f"revoked:{jti_of(number)}", "x")
        pipe.execute()
    put_back(gateway.server, copy_of(gateway.server))
    assert_begun_anew(gateway.server, worker)
