"""Revocation is immediate: the very next look at a warm token, on any worker, sees it.

FEED_ROUNDS changes how many rounds there are.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.store.feed_harness import (
    NOW,
    FeedWorker,
    RedisServer,
    jti_of,
    token_of,
)

ROUNDS = int(os.environ.get("FEED_ROUNDS", "5000"))
BATCH = 5_000


@pytest.fixture
def workers(server: RedisServer) -> Iterator[list[FeedWorker]]:
    with ExitStack() as stack:
        urls = (server.unix_url, server.tcp_url, server.unix_url)
        yield [stack.enter_context(FeedWorker(url)) for url in urls]


def test_revoked_token_is_never_accepted_in_thousands_of_rounds(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Each round: warm on all workers, revoked by one of them or by hand, refused by all."""
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        token = token_of(number)
        for worker in workers:
            worker.warm(token)
        if number % 2:
            client.set(f"revoked:{jti_of(number)}", "x", ex=60)
        else:
            workers[number % len(workers)].store.revoke(jti_of(number), NOW, "revoke")
        outcomes.update(worker.reason(token) for worker in workers)
    assert {"revoked": ROUNDS * len(workers)} == outcomes


def test_worker_that_revokes_sees_it_too(client: Any, workers: list[FeedWorker]) -> None:
    """The announcement of its own change comes in one piece with the answer to it."""
    worker = workers[0]
    for number in range(200):
        worker.warm(token_of(number))
        worker.store.revoke(jti_of(number), NOW, "revoke")
        assert "revoked" == worker.reason(token_of(number))


@pytest.mark.parametrize("transaction", [False, True], ids=["pipelined", "MULTI"])
def test_batch_of_thousands_is_seen_whole(
    client: Any, workers: list[FeedWorker], transaction: bool
) -> None:
    """More than one read, one socket or one write of Redis can hold; the last ones count too."""
    names = [f"{number:060}" for number in range(BATCH)]
    for worker in workers:
        worker.warm(*map(token_of, names))
    with client.pipeline(transaction=transaction) as pipe:
        for name in names:
            pipe.set(f"revoked:{jti_of(name)}", "x")
        pipe.hset("client:other", "status", "disabled")
        pipe.execute()
    random.Random(1).shuffle(names)
    order = [names[-1], *names]
    for worker in workers:
        outcomes = Counter(worker.reason(token_of(name)) for name in order)
        assert {"revoked": len(order)} == outcomes


def test_change_of_another_prefix_behind_a_large_batch_is_seen(
    client: Any, workers: list[FeedWorker]
) -> None:
    """Redis writes 64 KiB at a time: what it announces last may come after the writer's answer."""
    worker = workers[0]
    for number in range(50):
        client.hset("client:demo", "status", "active")
        worker.warm(token_of(number))
        with client.pipeline(transaction=True) as pipe:
            for other in range(1_500):
                pipe.set(f"revoked:{other:060}", "x")
            pipe.hset("client:demo", "status", "disabled").execute()
        assert "client_disabled" == worker.reason(token_of(number))


def test_token_told_revoked_is_refused_whatever_goes_on_at_the_same_time(
    client: Any, server: RedisServer
) -> None:
    """Workers look without pause; none accepts a token that it could have known to be dead."""
    tokens = [token_of(number) for number in range(ROUNDS)]
    told = 0
    accepted: list[int] = []
    is_over = threading.Event()

    def look(seed: int) -> None:
        chance = random.Random(seed)
        with FeedWorker(server.unix_url) as worker:
            while not is_over.is_set():
                dead = told
                number = chance.randrange(max(0, dead - 20), min(len(tokens), dead + 20))
                if worker.reason(tokens[number]) == "ok" and number < dead:
                    accepted.append(number)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for number in range(len(tokens)):
        client.set(f"revoked:{jti_of(number)}", "x")
        told = number + 1
    is_over.set()
    for thread in threads:
        thread.join()
    assert [] == accepted
