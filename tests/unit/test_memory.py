"""What a worker remembers: facts, for as long as Redis announces no change of them."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import StoreUnavailable
from tests.forgery import NOW
from tests.service import DATASET, add_key
from tests.unit.worker import Worker


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    return Worker(keys_dir)


def test_warm_token_asks_redis_nothing(worker: Worker) -> None:
    """The first look asks for all there is to know, in one round trip; later ones for nothing."""
    token, other = worker.token("a"), worker.token("b")
    first = worker.asked(token)
    everything = ["HGETALL client:demo", "GET notbefore:demo", "GET notbefore:*", "HGET dataset"]
    assert [*everything, f"EXISTS revoked:{DATASET}.a"] == first
    assert [[], [], [f"EXISTS revoked:{DATASET}.b"]] == [
        list(worker.asked(one)) for one in (token, token, other)
    ]


def test_warm_token_is_served_while_redis_is_away_unless_in_doubt(worker: Worker) -> None:
    """A current line means that nothing has changed; without it nothing is known."""
    token = worker.token()
    worker.reason(token)
    worker.server.connected = False
    assert "ok" == worker.reason(token)
    worker.line.is_up = False
    with pytest.raises(StoreUnavailable):
        worker.memory.token(token, NOW)


def revoke(worker: Worker) -> str:
    return worker.revoke()


def disable(worker: Worker) -> str:
    worker.redis.hset("client:demo", "status", "disabled")
    return "client:demo"


def delete(worker: Worker) -> str:
    worker.redis.delete("client:demo")
    return "client:demo"


def kill_client(worker: Worker) -> str:
    worker.redis.set("notbefore:demo", NOW)
    return "notbefore:demo"


def kill_all(worker: Worker) -> str:
    worker.redis.set("notbefore:*", NOW)
    return "notbefore:*"


def lose_data(worker: Worker) -> str:
    worker.redis.delete("dataset")
    return "dataset"


CHANGES = pytest.mark.parametrize(
    ("change", "reason"),
    [
        (revoke, "revoked"),
        (disable, "client_disabled"),
        (delete, "client_disabled"),
        (kill_client, "revoked"),
        (kill_all, "revoked"),
        (lose_data, "revoked"),
    ],
)


@CHANGES
def test_announced_change_counts_for_the_next_look(
    worker: Worker, change: Any, reason: str
) -> None:
    """Each kind of change reaches the warm tokens that it concerns."""
    token = worker.token()
    assert "ok" == worker.reason(token)
    worker.line.announce(change(worker))
    assert [reason, reason] == [worker.reason(token) for _ in range(2)]


@CHANGES
def test_everything_is_in_doubt_after_a_flush_or_a_lost_line(
    worker: Worker, change: Any, reason: str
) -> None:
    """`None` in the news stands for every key; a line that is not current announces nothing."""
    token = worker.token()
    assert "ok" == worker.reason(token)
    change(worker)
    assert "ok" == worker.reason(token)
    worker.line.news.append(None)
    assert reason == worker.reason(token)


@CHANGES
def test_nothing_is_remembered_while_the_line_is_not_current(
    worker: Worker, change: Any, reason: str
) -> None:
    """Each look asks again, and what was learned before is not believed."""
    token = worker.token()
    assert "ok" == worker.reason(token)
    worker.line.is_up = False
    assert "ok" == worker.reason(token)
    change(worker)
    assert reason == worker.reason(token)


@CHANGES
def test_change_announced_beside_an_answer_is_not_lost(
    worker: Worker, change: Any, reason: str
) -> None:
    """News that comes in while an answer is noted still throws that answer out."""
    token = worker.token()
    worker.line.rushing = [change(worker)]
    worker.redis.flushall()
    worker.redis.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    worker.put_client("demo")
    assert "ok" == worker.reason(token)
    change(worker)
    assert reason == worker.reason(token)


def test_change_of_one_token_or_client_leaves_others_warm(worker: Worker) -> None:
    """Only what is concerned is asked again."""
    worker.put_client("other")
    mine, second, others = worker.token("a"), worker.token("b"), worker.token("c", "other")
    for token in (mine, second, others):
        worker.reason(token)
    worker.line.announce(f"revoked:{DATASET}.a")
    assert [[f"EXISTS revoked:{DATASET}.a"], [], []] == [
        list(worker.asked(token)) for token in (mine, second, others)
    ]
    worker.line.announce("client:demo")
    found = [list(worker.asked(token)) for token in (mine, second, others)]
    assert ["HGETALL client:demo", "GET notbefore:demo", f"EXISTS revoked:{DATASET}.a"] == found[0]
    assert [[f"EXISTS revoked:{DATASET}.b"], []] == found[1:]


def test_keys_of_no_interest_change_nothing(worker: Worker) -> None:
    """Watching a prefix also brings names that only look alike."""
    token = worker.token()
    worker.reason(token)
    worker.line.announce("routes2", "datasets", "revoked:", "client:nobody", "notbefore:x", "")
    assert [] == worker.asked(token)


def test_client_that_comes_back_is_served_again(worker: Worker) -> None:
    """A token of a client that was gone for a moment is not refused for good."""
    token = worker.token()
    worker.line.announce(delete(worker))
    assert "client_disabled" == worker.reason(token)
    worker.put_client("demo")
    worker.line.announce("client:demo")
    assert "ok" == worker.reason(token)


def test_warm_token_dies_at_its_exp(worker: Worker) -> None:
    """The time is looked at each time, and before anything else."""
    token = worker.token(exp=NOW + 60)
    worker.reason(token)
    worker.clock.now = NOW + 59.9
    assert "ok" == worker.reason(token)
    worker.clock.now = NOW + 60
    assert "expired" == worker.reason(token)


def test_warm_token_dies_with_its_key(worker: Worker) -> None:
    """A retired key's tokens are forgotten at the next look at the keyring."""
    token = worker.token()
    worker.reason(token)
    add_key(worker.keys_dir, "b", "HS256")
    ring = (worker.keys_dir / "keyring").read_text().splitlines()
    (worker.keys_dir / "keyring").write_text(ring[1] + "\n")
    worker.monotonic.now += 1
    worker.clock.now += 1
    assert "unknown_key" == worker.reason(token)


def test_routes_are_asked_once_until_they_change(worker: Worker) -> None:
    """The table is one fact like the others."""
    worker.reason(worker.token())
    worker.redis.hset("routes", "GET /a", "x")
    assert [{"GET /a": "x"}] * 2 == [worker.memory.routes() for _ in range(2)]
    worker.redis.hset("routes", "GET /b", "y")
    worker.line.announce("routes")
    worker.reason(worker.token())
    assert {"GET /a": "x", "GET /b": "y"} == worker.memory.routes()
    assert 2 == worker.line.asked.count("HGETALL routes")


def test_client_secrets_follow_an_announced_change(worker: Worker) -> None:
    """A rotated secret counts at the next mint; nothing is asked in between."""
    assert worker.memory.registration("demo")[0].client
    worker.line.asked.clear()
    worker.memory.registration("demo")
    assert [] == worker.line.asked
    worker.put_client("demo", scopes="changed")
    worker.line.announce("client:demo")
    client = worker.memory.registration("demo")[0].client
    assert client
    assert ("changed",) == client.scopes
