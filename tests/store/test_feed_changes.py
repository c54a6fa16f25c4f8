"""Clients, not-befores, routes and the data set: each change counts for the very next look."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import until
from tests.service import DATASET, client_fields
from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of, token_of

ROUNDS = int(os.environ.get("FEED_ROUNDS", "5000")) // 10
NOT_BEFORE = Path(__file__).parents[2].joinpath("redis/not_before.lua").read_text()

Change = Callable[[Any], object]
MINE, OTHERS = token_of("a"), token_of("b", "other")


@pytest.fixture
def workers(server: RedisServer, client: Any) -> Iterator[list[FeedWorker]]:
    """Two workers, to which both tokens are warm."""
    with FeedWorker(server.unix_url) as near, FeedWorker(server.tcp_url) as far:
        for worker in (near, far):
            worker.warm(MINE, OTHERS)
        yield [near, far]


def reasons(workers: list[FeedWorker], token: str = MINE) -> set[str]:
    return {worker.reason(token) for worker in workers}


def begin_another_data_set(client: Any) -> object:
    return client.hset("dataset", "id", "ffffffff")


OF_THIS_CLIENT: dict[str, tuple[Change, str]] = {
    "disabled": (lambda r: r.hset("client:demo", "status", "disabled"), "client_disabled"),
    "disabled by HMSET": (
        lambda r: r.execute_command("HMSET", "client:demo", "status", "disabled"),
        "client_disabled",
    ),
    "deleted": (lambda r: r.delete("client:demo"), "client_disabled"),
    "unlinked": (lambda r: r.unlink("client:demo"), "client_disabled"),
    "renamed": (lambda r: r.rename("client:demo", "client:new"), "client_disabled"),
    "moved away": (lambda r: r.move("client:demo", 1), "client_disabled"),
    "expired": (lambda r: r.expireat("client:demo", 1), "client_disabled"),
    "unreadable": (lambda r: r.hdel("client:demo", "status"), "store_unavailable"),
    "of another type": (lambda r: r.set("client:demo", "x"), "store_unavailable"),
    "killed by hand": (lambda r: r.set("notbefore:demo", NOW, ex=60), "revoked"),
    "killed by script": (lambda r: r.eval(NOT_BEFORE, 1, "notbefore:demo"), "revoked"),
    "killed by nonsense": (lambda r: r.set("notbefore:demo", "soon"), "revoked"),
}
OF_ALL: dict[str, tuple[Change, str]] = {
    "all killed": (lambda r: r.set("notbefore:*", NOW), "revoked"),
    "all killed by script": (lambda r: r.eval(NOT_BEFORE, 1, "notbefore:*"), "revoked"),
    "data set deleted": (lambda r: r.delete("dataset"), "revoked"),
    "data set replaced": (begin_another_data_set, "revoked"),
}


@pytest.mark.parametrize("name", OF_THIS_CLIENT)
def test_change_of_a_client_counts_at_once_and_for_it_alone(
    client: Any, workers: list[FeedWorker], name: str
) -> None:
    """Its tokens are refused from the next look on, and stay refused; others stay warm."""
    change, reason = OF_THIS_CLIENT[name]
    change(client)
    assert [{reason}, {reason}] == [reasons(workers) for _ in range(2)]
    assert [True, True] == [worker.is_warm(OTHERS) for worker in workers]


@pytest.mark.parametrize("name", OF_ALL)
def test_change_that_concerns_all_counts_at_once(
    client: Any, workers: list[FeedWorker], name: str
) -> None:
    """Every token is looked at with new eyes."""
    change, reason = OF_ALL[name]
    change(client)
    assert [{reason}, {reason}] == [reasons(workers, token) for token in (MINE, OTHERS)]


def test_client_that_is_disabled_and_enabled_in_turn_is_never_seen_otherwise(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Facts follow Redis in both directions, without a wait."""
    for _ in range(ROUNDS):
        client.hset("client:demo", "status", "disabled")
        assert {"client_disabled"} == reasons(workers)
        client.hset("client:demo", "status", "active")
        assert {"ok"} == reasons(workers)


def test_client_that_comes_back_is_good_again_at_once(
    client: Any, workers: list[FeedWorker]
) -> None:
    """A client that was gone is asked about each time, so nothing is remembered against it."""
    for _ in range(50):
        client.rename("client:demo", "aside")
        assert {"client_disabled"} == reasons(workers)
        client.rename("aside", "client:demo")
        assert {"ok"} == reasons(workers)


def test_scopes_of_a_client_change_for_the_next_mint(
    client: Any, workers: list[FeedWorker]
) -> None:
    """What a client may be granted is never older than the change of it."""
    for number in range(ROUNDS):
        client.hset("client:demo", "scopes", f"scope:{number}")
        for worker in workers:
            found = worker.memory.registration("demo")[0].client
            assert found
            assert (f"scope:{number}",) == found.scopes


def test_new_client_is_known_at_once(client: Any, workers: list[FeedWorker]) -> None:
    """That it was unknown a moment ago is not remembered."""
    for number in range(50):
        name = f"new-{number}"
        assert workers[0].memory.registration(name)[0].client is None
        client.hset(f"client:{name}", mapping=client_fields())
        assert workers[0].memory.registration(name)[0].client


def test_routes_change_for_the_next_call(client: Any, workers: list[FeedWorker]) -> None:
    """The route table is read again after each change of it, and only then."""
    worker = workers[0]
    for number in range(ROUNDS):
        client.hset("routes", "GET /a", f"scope:{number}")
        worker.warm(MINE)
        for _ in range(2):
            assert {"GET /a": f"scope:{number}"} == worker.memory.routes()
    assert ROUNDS == sum("HGETALL routes" in one for one in worker.line.asked)
    client.delete("routes")
    worker.warm(MINE)
    assert {} == worker.memory.routes()


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "FLUSHDB ASYNC"])
def test_flush_kills_every_token_and_revives_none(
    client: Any, workers: list[FeedWorker], command: str
) -> None:
    """Redis announces a flush just after it has answered; a revoked token never gains by it."""
    dead = token_of("dead")
    client.set(f"revoked:{jti_of('dead')}", "x")
    assert {"revoked"} == reasons(workers, dead)
    client.execute_command(command)
    assert {"revoked"} == reasons(workers, dead)
    until(lambda: reasons(workers) == {"revoked"})
    assert [{"revoked"}, {"revoked"}] == [reasons(workers, token) for token in (OTHERS, dead)]
    assert DATASET != client.hget("dataset", "id")


def test_not_before_that_expires_lets_tokens_live_again(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Redis announces what it expires, whenever it gets to that."""
    for key in ("notbefore:demo", "notbefore:*"):
        client.set(key, NOW)
        assert {"revoked"} == reasons(workers)
        client.pexpire(key, 50)
        until(lambda: reasons(workers) == {"ok"}, what=f"{key} expires")


def test_latest_of_several_changes_counts(client: Any, workers: list[FeedWorker]) -> None:
    """Changes that come in one heap leave what Redis now holds."""
    for number in range(100):
        for status in ("disabled", "active", "disabled", "active")[number % 2 :]:
            client.hset("client:demo", "status", status)
        client.hset("client:demo", "status", "disabled" if number % 3 else "active")
        assert {"client_disabled" if number % 3 else "ok"} == reasons(workers)
