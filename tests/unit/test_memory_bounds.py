"""What a worker does not remember, and how much it remembers at most."""

from collections import OrderedDict
from pathlib import Path

import pytest

from app.errors import Refused
from app.gate import Holder
from tests.forgery import NOW
from tests.service import DATASET, ISSUER
from tests.unit.worker import Worker


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    return Worker(keys_dir)


def test_one_time_token_is_never_kept(worker: Worker) -> None:
    """It is good once: there is nothing to remember. With its client known, nothing is asked:
    whether it is revoked goes with the question that spends it."""
    token = worker.token(once=True)
    assert [f"EXISTS revoked:{DATASET}.a"] == worker.asked(token)[-1:]
    assert [] == worker.asked(token)


def test_other_spelling_of_a_jti_takes_the_place_of_the_first(worker: Worker) -> None:
    """One announcement must reach every spelling: so there is one at a time."""
    first = worker.token()
    second = first.replace("Bearer", "bearer")
    third = worker.token(aud=[ISSUER])
    for token in (first, second, third, first, third):
        assert "ok" == worker.reason(token)
    worker.line.announce(worker.revoke())
    assert {"revoked"} == {worker.reason(token) for token in (first, second, third)}


def clients_of(facts: object) -> OrderedDict[str, Holder]:
    kept: OrderedDict[str, Holder] = vars(vars(facts)["_holders"])["_by_id"]
    return kept


@pytest.mark.parametrize("most", [1, 2, 7])
def test_tokens_and_clients_are_bounded(keys_dir: Path, most: int) -> None:
    """However many pass by, no more than the stated number is kept, and all of them still pass."""
    worker = Worker(keys_dir, most_tokens=most, most_clients=most)
    for n in range(30):
        worker.put_client(f"c{n}")
    tokens = [worker.token(f"t{n}", f"c{n % 10}") for n in range(30)]
    for token in tokens * 2:
        assert "ok" == worker.reason(token)
    kept = vars(worker.memory)
    tokens = kept["_tokens"]
    assert [most] * 3 == [len(tokens), len(tokens.by_jti), len(clients_of(kept["_facts"]))]


def test_token_in_use_outlives_those_that_pass_once(keys_dir: Path) -> None:
    """Second chance: a hit spares a token from the next round of eviction."""
    worker = Worker(keys_dir, most_tokens=10)
    used = worker.token("used")
    worker.reason(used)
    for n in range(100):
        worker.reason(worker.token(f"t{n}"))
        assert [] == worker.asked(used)


def test_forgotten_client_is_no_longer_believed(keys_dir: Path) -> None:
    """A client that had to make room gets no announcements here, so its tokens ask again."""
    worker = Worker(keys_dir, most_clients=1)
    worker.put_client("other")
    token = worker.token()
    worker.reason(token)
    worker.reason(worker.token("b", "other"))
    worker.redis.hset("client:demo", "status", "disabled")
    assert "client_disabled" == worker.reason(token)


def test_unknown_clients_are_not_kept(worker: Worker) -> None:
    """Anybody can name them without end."""
    for n in range(50):
        assert worker.memory.registration(f"nobody{n}")[0].client is None
    assert not any(worker.memory.has_client(f"nobody{n}") for n in range(50))


def test_refusal_that_is_raised_again_and_again_does_not_grow(worker: Worker) -> None:
    """A remembered refusal remembers nothing of the requests that it refused."""
    token = worker.token()
    worker.line.announce(worker.revoke())
    depths = []
    for _ in range(50):
        with pytest.raises(Refused) as raised:
            worker.memory.token(token, NOW)
        depths.append(len(raised.traceback))
    assert 1 == len(set(depths[1:]))
