"""Whatever command revokes a token: the next look at it, on every worker, sees that."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.line import Line
from app.store import Store
from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of, token_of

Writer = Callable[[Any, str], object]
"""Gets a redis-py client and the key, and brings the key about."""


@pytest.fixture
def workers(server: RedisServer) -> Iterator[list[FeedWorker]]:
    with FeedWorker(server.unix_url) as near, FeedWorker(server.tcp_url) as far:
        yield [near, far]


def by_script(client: Any, key: str) -> object:
    return client.eval("return redis.call('SET', KEYS[1], 'x', 'EX', 60)", 1, key)


def by_transaction(client: Any, key: str) -> object:
    with client.pipeline(transaction=True) as pipe:
        return pipe.set("unrelated", "x").set(key, "x").set("unrelated", "y").execute()


def by_rename(client: Any, key: str) -> object:
    client.set("aside", "x")
    return client.rename("aside", key)


def by_copy(client: Any, key: str) -> object:
    client.set("aside", "x")
    return client.copy("aside", key)


def by_restore(client: Any, key: str) -> object:
    client.set("aside", "x")
    return client.restore(key, 60_000, client.dump("aside"))


def by_move(client: Any, key: str) -> object:
    client.execute_command("SELECT", 1)
    client.set(key, "x")
    client.move(key, 0)
    return client.execute_command("SELECT", 0)


def by_store_of_another_worker(client: Any, key: str) -> object:
    path = client.connection_pool.connection_kwargs["path"]
    line = Line(f"unix://{path}", timeout_s=5)
    Store(line).revoke(key.removeprefix("revoked:"), NOW, "revoke")
    line.close()
    return None


def plainly(*command: str) -> Writer:
    """A command as typed, KEY for the key."""
    return lambda client, key: client.execute_command(
        *(key if part == "KEY" else part for part in command)
    )


WRITERS: dict[str, Writer] = {
    "SET": plainly("SET", "KEY", "x"),
    "SET EXAT": plainly("SET", "KEY", "x", "EXAT", str(NOW)),
    "SETEX": plainly("SETEX", "KEY", "60", "x"),
    "PSETEX": plainly("PSETEX", "KEY", "60000", "x"),
    "SETNX": plainly("SETNX", "KEY", "x"),
    "MSET": plainly("MSET", "unrelated", "x", "KEY", "x"),
    "GETSET": plainly("GETSET", "KEY", "x"),
    "APPEND": plainly("APPEND", "KEY", "x"),
    "SETBIT": plainly("SETBIT", "KEY", "7", "1"),
    "HSET": plainly("HSET", "KEY", "reason", "x"),
    "LPUSH": plainly("LPUSH", "KEY", "x"),
    "EVAL": by_script,
    "MULTI": by_transaction,
    "RENAME": by_rename,
    "COPY": by_copy,
    "RESTORE": by_restore,
    "MOVE": by_move,
    "Store.revoke": by_store_of_another_worker,
}


@pytest.mark.parametrize("name", WRITERS)
def test_revocation_by_any_command_is_seen_by_the_next_look(
    client: Any, workers: list[FeedWorker], name: str
) -> None:
    """A person may write the key by whatever Redis offers for it."""
    for number in range(20):
        token = token_of(number)
        for worker in workers:
            worker.warm(token)
        assert [True] * len(workers) == [worker.is_warm(token) for worker in workers]
        WRITERS[name](client, f"revoked:{jti_of(number)}")
        assert ["revoked"] * len(workers) == [worker.reason(token) for worker in workers]


def test_revocation_in_another_database_is_none_here(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Redis announces names without their database: the token is asked about again, and good."""
    token = token_of("a")
    for worker in workers:
        worker.warm(token)
    client.execute_command("SELECT", 1)
    client.set(f"revoked:{jti_of('a')}", "x")
    client.execute_command("SELECT", 0)
    assert [False, False] == [worker.is_warm(token) for worker in workers]
    assert [True, True] == [worker.is_warm(token) for worker in workers]


def test_revocation_that_is_taken_back_counts_at_once(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Facts follow Redis: nothing that was refused stays refused by memory alone."""
    for number in range(100):
        token, key = token_of("a"), f"revoked:{jti_of('a')}"
        client.set(key, "x")
        assert ["revoked"] * 2 == [worker.reason(token) for worker in workers]
        client.delete(key) if number % 2 else client.rename(key, "aside")
        assert ["ok"] * 2 == [worker.reason(token) for worker in workers]
