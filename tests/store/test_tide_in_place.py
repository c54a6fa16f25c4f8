"""Data is exchanged under a Redis that runs on: an older copy is found out before it is trusted."""

from collections.abc import Callable
from typing import Any

import pytest

import redis
from app.login import Login
from app.tide_file import TideFile
from app.wire import Command, Wire
from tests.processes import until
from tests.service import DATASET, client_fields
from tests.store.feed_harness import RedisServer
from tests.store.tide_harness import (
    DEAD,
    GOOD,
    Gateway,
    assert_begun_anew,
    assert_same_as_before,
    dataset_id,
    decided,
    flush,
    follow,
    revoke,
)

Dump = dict[bytes, bytes]


def raw(server: RedisServer) -> "redis.Redis":
    return redis.Redis(unix_socket_path=str(server.path), protocol=2)


def dump(server: RedisServer) -> Dump:
    with raw(server) as client:
        keys: Any = client.keys()
        return {key: client.dump(key) for key in keys}


def empty_and_fill(server: RedisServer, older: Dump) -> None:
    with raw(server) as client:
        client.flushall()
        for key, value in older.items():
            client.restore(key, 0, value)


def replace_each_key(server: RedisServer, older: Dump) -> None:
    with raw(server) as client:
        keys: Any = client.keys()
        client.delete(*set(keys) - set(older))
        for key, value in older.items():
            client.restore(key, 0, value, replace=True)


@pytest.mark.parametrize("put_in_place", [empty_and_fill, replace_each_key])
def test_older_copy_put_in_place_revives_nothing(
    gateway: Gateway, put_in_place: Callable[[RedisServer, Dump], None]
) -> None:
    """No line breaks, and nothing but the announcement tells: the very next request is refused."""
    worker, other = gateway.worker(), gateway.worker()
    for each in (worker, other):
        each.warm(DEAD, GOOD)
    older = dump(gateway.server)
    revoke(worker)
    gateway.confirm()
    put_in_place(gateway.server, older)
    assert {"revoked"} == {each.reason(DEAD) for each in (worker, other)}
    assert_begun_anew(gateway.server, worker, other)


@pytest.mark.parametrize("put_in_place", [empty_and_fill, replace_each_key])
def test_older_copy_put_in_place_at_once_revives_nothing(
    gateway: Gateway, put_in_place: Callable[[RedisServer, Dump], None]
) -> None:
    """Before any mark has confirmed the change: the server is the same, and yet it may lack it."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    older = dump(gateway.server)
    revoke(worker)
    put_in_place(gateway.server, older)
    assert "revoked" == worker.reason(DEAD)
    assert_begun_anew(gateway.server, worker)


def test_older_primary_that_is_followed_revives_nothing(gateway: Gateway) -> None:
    """Redis takes over an older copy as a replica, and all its lines stay."""
    with RedisServer() as older:
        follow(gateway.server, older)
        worker = gateway.worker()
        worker.warm(DEAD, GOOD)
        with older.client() as client:
            client.replicaof("NO", "ONE")
        revoke(worker)
        gateway.confirm()
        follow(older, gateway.server)
        assert {"store_unavailable"} == {worker.reason(DEAD) for _ in range(5)}
        with gateway.server.client() as client:
            client.replicaof("NO", "ONE")
        until(lambda: dataset_id(gateway.server) != DATASET or worker.reason(GOOD) == "", 20)
        assert_begun_anew(gateway.server, worker)


def test_data_set_that_begins_after_a_loss_stays(gateway: Gateway) -> None:
    """A client that is put back meanwhile is no loss, nor is another database that is emptied."""
    workers = [gateway.worker() for _ in range(2)]
    with gateway.server.client() as client:
        client.flushall()
    for worker in workers:
        worker.line.ask(("PING",))
    with gateway.server.client() as client:
        client.flushall()
        mapping: Any = client_fields()
        client.hset("client:demo", mapping=mapping)
    assert "revoked" == workers[0].reason(GOOD)
    begun = dataset_id(gateway.server)
    fresh = f"Bearer {begun}.fresh demo"
    assert ["ok"] * 4 == [worker.reason(fresh) for worker in workers * 2]
    gateway.confirm()
    with gateway.server.client() as client:
        client.execute_command("SELECT", 1)
        flush(client, "FLUSHDB")
    assert ["ok"] * 4 == [worker.reason(fresh) for worker in workers * 2]
    assert begun == dataset_id(gateway.server)
    assert all(worker.is_warm(fresh) for worker in workers)


def test_data_set_that_begins_while_the_file_is_busy_is_used(gateway: Gateway) -> None:
    """A disk that is slow for another worker refuses nobody."""
    worker = gateway.worker()
    worker.warm(GOOD)
    with TideFile(gateway.directory).locked():
        with gateway.server.client() as client:
            client.hset("dataset", "id", "0badcafe")
        assert "ok" == worker.reason("Bearer 0badcafe.fresh demo")
    assert "ok" == worker.reason("Bearer 0badcafe.fresh demo")


def test_revocation_stands_beside_a_database_that_is_emptied(gateway: Gateway) -> None:
    """It is announced as if all was lost, and nothing is."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    revoke(worker)
    with gateway.server.client() as client:
        client.execute_command("SELECT", 1)
        flush(client, "FLUSHDB")
    assert_same_as_before(gateway.server, worker)


def test_data_set_that_begins_while_a_worker_logs_in_stays(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is announced, and so is a client that is made right after: both are there already."""
    with gateway.server.client() as client:
        client.flushall()
        over = Login.over

        def login(self: Login, wire: Wire, deadline: float) -> str | None:
            why_not = over(self, wire, deadline)
            if self.watched and not client.exists("dataset"):
                mapping: Any = client_fields()
                client.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
                client.hset("client:demo", mapping=mapping)
            return why_not

        monkeypatch.setattr(Login, "over", login)
        worker = gateway.worker()
        assert "ok" == worker.reason(GOOD)
        assert "ok" == worker.reason(GOOD)
        assert DATASET == dataset_id(gateway.server)


def test_data_exchanged_while_it_is_looked_at_is_looked_at_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look found everything in place; the token is revoked again."""
    worker = gateway.worker()
    worker.warm(DEAD, GOOD)
    older = [dump(gateway.server)]
    revoke(worker)
    exchange = Wire.exchange

    def look(self: Wire, commands: tuple[Command, ...], deadline: float) -> list[Any]:
        replies = exchange(self, commands, deadline)
        if older and commands[0][0] == "INFO":
            replace_each_key(gateway.server, older.pop())
            exchange(self, (("PING",),), deadline)
        return replies

    monkeypatch.setattr(Wire, "exchange", look)
    with gateway.server.client() as client:
        client.client_kill_filter(skipme=True)
    assert "revoked" == decided(worker, DEAD)
    assert [] == older
