"""The line to Redis breaks: what was learned on it is in doubt, and it is made anew at once."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import StoreUnavailable
from tests.processes import until
from tests.service import DATASET
from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of, token_of

TOKEN = token_of("a")
KEY = f"revoked:{jti_of('a')}"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis that keeps its data when it is killed."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server
        for path in (server.directory / "appendonlydir").iterdir():
            path.unlink()
        (server.directory / "appendonlydir").rmdir()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    with server.client() as client:
        yield client


@pytest.fixture
def worker(server: RedisServer) -> Iterator[FeedWorker]:
    """A worker to which the token is warm; no heartbeat will help it."""
    with FeedWorker(server.unix_url) as worker:
        worker.warm(TOKEN)
        assert worker.is_warm(TOKEN)
        yield worker


def kill_lines(client: Any) -> None:
    """Have Redis hang up on everybody else."""
    assert client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_token_is_not_accepted_from_memory_once_redis_is_gone(
    server: RedisServer, worker: FeedWorker
) -> None:
    """The kernel tells at once: no heartbeat is needed."""
    server.kill()
    assert ["store_unavailable"] * 3 == [worker.reason(TOKEN) for _ in range(3)]


def test_revocation_while_the_line_was_cut_counts_for_the_next_look(
    client: Any, worker: FeedWorker
) -> None:
    """Nobody could announce it, so everything is asked again; and that costs no 503."""
    for number in range(300):
        client.delete(KEY)
        worker.warm(TOKEN)
        kill_lines(client)
        if number % 2:
            client.set(KEY, "x")
            assert "revoked" == worker.reason(TOKEN)
        assert ("revoked" if number % 2 else "ok") == worker.reason(TOKEN)


@pytest.mark.parametrize("look", [1, 2])
def test_restart_costs_no_answer(
    server: RedisServer, worker: FeedWorker, client: Any, look: int
) -> None:
    """Redis went and came back between two requests: the second of them is answered as usual."""
    for _ in range(look):
        server.kill()
        server.start()
    asked = len(worker.line.asked)
    assert "ok" == worker.reason(TOKEN)
    assert "HGETALL client:demo" in worker.line.asked[asked]
    assert worker.is_warm(TOKEN)


def test_first_write_after_a_restart_is_not_lost(server: RedisServer, worker: FeedWorker) -> None:
    """A revocation finds the old connection closed before it is sent, so it is sent once, anew."""
    server.kill()
    server.start()
    worker.store.revoke(jti_of("a"), NOW, "revoke")
    assert "revoked" == worker.reason(TOKEN)


def test_restart_without_its_data_revives_nothing(server: RedisServer, worker: FeedWorker) -> None:
    """A new data set begins, in which no token of the old one is good."""
    worker.store.revoke(jti_of("b"), NOW, "revoke")
    assert "revoked" == worker.reason(token_of("b"))
    with server.client() as client:
        client.flushall()
    server.kill()
    server.start()
    assert ["revoked"] * 2 == [worker.reason(token) for token in (TOKEN, token_of("b"))]
    with server.client() as client:
        assert DATASET != client.hget("dataset", "id")


def test_worker_is_back_within_half_a_second(server: RedisServer, worker: FeedWorker) -> None:
    """Measured while it is asked without pause, from when Redis answers others again."""
    took_s = []
    for _ in range(5):
        server.kill()
        assert "store_unavailable" == worker.reason(TOKEN)
        server.start()
        began = time.monotonic()
        until(lambda: worker.reason(TOKEN) == "ok")
        took_s.append(time.monotonic() - began)
    assert statistics.median(took_s) < 0.5


def test_redis_that_is_full_is_no_answer_until_there_is_room(
    client: Any, worker: FeedWorker
) -> None:
    """It says so and hangs up, before anybody has asked anything."""
    client.config_set("maxclients", 1)
    kill_lines(client)
    assert ["store_unavailable"] * 2 == [worker.reason(TOKEN) for _ in range(2)]
    client.config_set("maxclients", 100)
    until(lambda: worker.reason(TOKEN) == "ok")
    assert worker.is_warm(TOKEN)


def test_dead_redis_costs_next_to_nothing(server: RedisServer, worker: FeedWorker) -> None:
    """Nearly all refusals are made without trying, and the few tries fail at once."""
    server.kill()
    spent: list[float] = []
    until_s = time.monotonic() + 1
    while time.monotonic() < until_s or len(spent) < 1000:
        began = time.perf_counter()
        with pytest.raises(StoreUnavailable):
            worker.memory.token(TOKEN, NOW)
        spent.append(time.perf_counter() - began)
    spent.sort()
    assert spent[len(spent) // 2] < 0.000_2
    assert spent[len(spent) * 99 // 100] < 0.002


def test_worker_whose_line_redis_cut_for_being_slow_believes_nothing(
    client: Any, worker: FeedWorker
) -> None:
    """Redis hangs up on a feed that is not read; what it had not sent is lost with it."""
    client.config_set("appendfsync", "no")
    client.config_set("client-output-buffer-limit", "normal 100000 0 0")
    lines = int(client.info("clients")["connected_clients"])
    for number in range(100):
        client.mset({f"revoked:{number:03}{other:090}": "x" for other in range(100)})
    client.set(KEY, "x")
    until(lambda: lines - 1 == int(client.info("clients")["connected_clients"]))
    assert "revoked" == worker.reason(TOKEN)
