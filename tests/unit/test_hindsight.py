"""What may be recalled while Redis cannot be asked: what was known to be good, and for how long."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import StoreUnavailable
from tests.unit.worker import Worker

KNOWN_UNTIL = 100.0


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    """A worker that Redis announces changes to, and that can be left alone."""
    made = Worker(keys_dir)
    made.monotonic.now = KNOWN_UNTIL
    return made


@pytest.fixture
def token(worker: Worker) -> str:
    """A token that the worker knows to be good."""
    token = worker.token()
    assert "ok" == worker.reason(token)
    return token


def lose(worker: Worker, after_s: float = 0.0) -> None:
    """Redis is gone, and some time has passed since it was last heard of."""
    worker.line.lose(worker.monotonic())
    worker.monotonic.now += after_s


def come_back(worker: Worker) -> None:
    worker.line.is_there = True
    worker.monotonic.now += 1
    worker.line.known_until = worker.monotonic()


def is_decided(worker: Worker, token: str) -> bool:
    """Whether Redis can be done without, in the way of a location that declares nothing."""
    try:
        return worker.reason(token) != ""
    except StoreUnavailable:
        return False


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [(0, "ok"), (9.999, "ok"), (10, "ok"), (10.001, "store_unavailable")],
)
def test_known_token_is_recalled_for_as_long_as_is_declared(
    worker: Worker, token: str, after_s: float, expected: str
) -> None:
    """From the last moment at which all was known for certain, not from each look."""
    lose(worker, after_s)
    assert not is_decided(worker, token)
    assert [expected] * 2 == [worker.recalled(token, 10) for _ in range(2)]


def test_other_tokens_are_not_recalled(worker: Worker, token: str) -> None:
    """Of a known client, in another spelling, one-time, or never judged by this worker."""
    never, once = worker.token("b"), worker.token("c", once=True)
    worker.reason(once)
    lose(worker)
    assert not is_decided(worker, never)
    others = [never, once, token.replace("Bearer", "bearer"), "Bearer x", ""]
    assert {"store_unavailable"} == {worker.recalled(other) for other in others}
    assert "ok" == worker.recalled(token)


def test_expired_token_is_not_recalled(worker: Worker, token: str) -> None:
    """Its end is its own matter."""
    lose(worker)
    worker.clock.now += 60
    assert "expired" == worker.recalled(token)


Change = Callable[[Worker], str]
CHANGES: dict[str, Change] = {
    "revoked": lambda worker: worker.revoke(),
    "client": lambda _: "client:demo",
    "killed": lambda _: "notbefore:demo",
    "all killed": lambda _: "notbefore:*",
    "data set": lambda _: "dataset",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_that_was_announced_before_the_loss_counts(
    worker: Worker, token: str, change: Change
) -> None:
    """Even if nobody had looked at it yet: what it did was never learnt, so nothing is known."""
    worker.line.announce(change(worker))
    lose(worker)
    assert "store_unavailable" == worker.recalled(token)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_that_is_announced_after_the_loss_counts(
    worker: Worker, token: str, change: Change
) -> None:
    """The line was made anew and lost again before anything could be asked."""
    lose(worker)
    assert "ok" == worker.recalled(token)
    worker.line.announce(change(worker))
    worker.line.lose(-1.0)
    assert "store_unavailable" == worker.recalled(token)


def test_flush_leaves_nothing_to_recall(worker: Worker, token: str) -> None:
    """The data was lost, and then Redis: its tokens are dead."""
    worker.line.news.append(None)
    lose(worker)
    assert "store_unavailable" == worker.recalled(token)


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        (lambda worker: worker.line.announce(worker.revoke()), "revoked"),
        (lambda worker: disable(worker), "client_disabled"),
    ],
)
def test_token_that_was_refused_before_stays_refused(
    worker: Worker, token: str, refuse: Callable[[Worker], None], reason: str
) -> None:
    """That is known as well."""
    refuse(worker)
    assert reason == worker.reason(token)
    lose(worker)
    assert reason == worker.recalled(token)


def disable(worker: Worker) -> None:
    worker.put_client("demo", status="disabled")
    worker.line.announce("client:demo")


def test_everything_is_asked_again_when_redis_is_back(worker: Worker, token: str) -> None:
    """A revocation of the meantime was never announced; the first answer tells."""
    lose(worker)
    assert "ok" == worker.recalled(token)
    worker.revoke()
    come_back(worker)
    assert "revoked" == worker.reason(token)
    lose(worker)
    assert "revoked" == worker.recalled(token)


@pytest.mark.parametrize(
    "change",
    [
        lambda worker: worker.put_client("demo", status="disabled"),
        lambda worker: worker.redis.set("notbefore:demo", "1"),
        lambda worker: worker.redis.set("notbefore:*", "1"),
        lambda worker: worker.redis.hset("dataset", "id", "ffffffff"),
    ],
)
def test_what_another_token_has_brought_to_light_counts(
    worker: Worker, token: str, change: Callable[[Worker], None]
) -> None:
    """Redis answered about one token of the client and is gone again: what it said then holds."""
    lose(worker)
    change(worker)
    come_back(worker)
    worker.reason(worker.token("b"))
    worker.line.is_there = False
    assert "store_unavailable" == worker.recalled(token)


def test_routes_are_recalled(worker: Worker, token: str) -> None:
    """As they were; unless they had changed, or had never been asked for."""
    worker.redis.hset("routes", "GET /a", "x")
    assert {"GET /a": "x"} == worker.memory.routes()
    lose(worker)
    assert "ok" == worker.recalled(token)
    assert {"GET /a": "x"} == worker.memory.recalled_routes()
    worker.line.announce("routes")
    assert "ok" == worker.recalled(token)
    with pytest.raises(StoreUnavailable):
        worker.memory.recalled_routes()


def test_token_that_is_known_to_be_good_now_needs_no_recalling(worker: Worker, token: str) -> None:
    """The line is current, but what else a call needs of Redis cannot be had, such as its rate."""
    assert "ok" == worker.recalled(token, 1)
    assert 0 == worker.memory.count_recalled(worker.memory.recall(token, worker.clock(), 1))


def test_line_that_announces_nothing_leaves_nothing_to_recall(worker: Worker, token: str) -> None:
    """What was good a moment ago may have been revoked right after: nobody would have said so."""
    worker.line.is_up, worker.line.known_until = False, float("-inf")
    worker.reason(token)
    assert "ok" == worker.reason(token)
    worker.line.is_there = False
    assert "store_unavailable" == worker.recalled(token, 3600)


def test_second_outage_is_counted_from_its_own_beginning(worker: Worker, token: str) -> None:
    """What Redis confirmed in between is as good as new."""
    lose(worker, 9)
    come_back(worker)
    assert "ok" == worker.reason(token)
    lose(worker, 9)
    assert "ok" == worker.recalled(token)


def test_outage_is_told_when_it_is_felt_and_when_it_is_over(
    worker: Worker, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each; the second has the count. An outage that nobody felt is not told."""
    caplog.set_level(logging.WARNING)
    for answers in (0, 3):
        caplog.clear()
        lose(worker, 2)
        for _ in range(answers):
            assert "ok" == worker.recalled(token)
            worker.memory.count_recalled(worker.memory.recall(token, worker.clock(), 10))
        come_back(worker)
        for _ in range(3):
            worker.clock.now += 1
            worker.monotonic.now += 1
            assert "ok" == worker.reason(worker.token(f"{worker.clock.now:.0f}"))
        expected = [
            "answering from what was known 2.0 s ago, where it is declared",
            f"answered {answers} calls from what was known before",
        ]
        assert (expected if answers else []) == [record.getMessage() for record in caplog.records]
        assert "ok" == worker.reason(token)


def test_nothing_is_kept_for_longer_than_an_hour(worker: Worker, token: str) -> None:
    """Clients that were in doubt make room again."""
    lose(worker, 3601)
    worker.clock.now += 1
    assert "store_unavailable" == worker.recalled(token, 3601)
    assert vars(vars(worker.memory)["_hindsight"])["_known"] is None
