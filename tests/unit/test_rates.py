"""A worker takes calls ahead of a client's rate, and asks a hundred times a second at most."""

from pathlib import Path

import pytest

from app.clients import Client
from app.errors import RateLimited, TooManyRequests
from app.gate import NEVER, Holder
from app.rates import Rates
from app.store import Store
from tests.forgery import NOW
from tests.service import client_fields
from tests.unit.worker import Worker


class Bucket(Store):
    """A store that grants what is left, and notes what was wanted."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.wanted: list[tuple[str, int, int]] = []

    def take(self, key: str, *, rate_per_s: int, wanted: int) -> tuple[int, float]:
        self.wanted.append((key, rate_per_s, wanted))
        taken = min(wanted, self.left)
        self.left -= taken
        return taken, 0.0 if taken else 0.25


def holder(rate_per_s: int | None, client_id: str = "demo") -> Holder:
    fields = client_fields(rate_per_s=str(rate_per_s or ""))
    return Holder(Client.from_fields(client_id, fields), NEVER)


def call(rates: Rates, caller: Holder, now: float = NOW) -> int:
    """Call once; return 0, or the seconds to wait."""
    try:
        rates.take_call(caller, now)
    except RateLimited as refusal:
        return refusal.retry_after_s
    return 0


@pytest.mark.parametrize(
    ("rate_per_s", "wanted"), [(1, 1), (99, 1), (100, 1), (199, 1), (200, 2), (50_000, 500)]
)
def test_share_is_a_hundredth_of_a_second(rate_per_s: int, wanted: int) -> None:
    """And one call at the least."""
    bucket = Bucket(10**6)
    call(Rates(bucket), holder(rate_per_s))
    assert [("rate:demo", rate_per_s, wanted)] == bucket.wanted


def test_calls_of_a_share_ask_nothing() -> None:
    """Of 1,000 calls at 1,000 a second, a hundred ask."""
    bucket, caller = Bucket(10**6), holder(1000)
    rates = Rates(bucket)
    assert {0} == {call(rates, caller) for _ in range(1000)}
    assert 100 == len(bucket.wanted)


def test_no_more_is_allowed_than_was_taken() -> None:
    """Whatever is asked for, in whatever shares it comes."""
    bucket = Bucket(95)
    workers = [(Rates(bucket), holder(1000)) for _ in range(4)]
    allowed = sum(call(*worker) == 0 for _ in range(100) for worker in workers)
    assert 95 == allowed


def test_refused_client_is_refused_without_asking_until_its_wait_is_over() -> None:
    """A flood over the rate costs Redis no more than a client at its rate."""
    bucket, caller = Bucket(0), holder(10)
    rates = Rates(bucket)
    assert [1] * 50 == [call(rates, caller, NOW + 0.24 * n / 50) for n in range(50)]
    assert 1 == len(bucket.wanted)
    bucket.left = 1
    assert 0 == call(rates, caller, NOW + 0.25)


def test_share_is_good_for_a_second() -> None:
    """What was not used is no reserve for later."""
    bucket, caller = Bucket(10**6), holder(1000)
    rates = Rates(bucket)
    for now in (NOW, NOW + 0.99, NOW + 1.0):
        call(rates, caller, now)
    assert 2 == len(bucket.wanted)


def test_clock_that_is_set_back_shuts_nobody_out() -> None:
    """A wait that lies in the future of a clock that was wrong is no wait."""
    bucket, caller = Bucket(0), holder(10)
    rates = Rates(bucket)
    assert 1 == call(rates, caller, NOW + 3600)
    bucket.left = 1
    assert 0 == call(rates, caller, NOW)


def test_mints_are_counted_apart_from_calls() -> None:
    """The same rate, a bucket of its own: calls never keep a client from its next token."""
    bucket, caller = Bucket(1), holder(1)
    rates = Rates(bucket)
    rates.take_mint(caller, NOW)
    with pytest.raises(TooManyRequests) as refused:
        rates.take_mint(caller, NOW)
    assert {"Retry-After": "1", "RateLimit": '"client";r=0;t=1'} == {
        name: refused.value.headers("r")[name] for name in ("Retry-After", "RateLimit")
    }
    bucket.left = 1
    assert 0 == call(rates, caller)
    assert ["rate:mint:demo", "rate:mint:demo", "rate:demo"] == [key for key, *_ in bucket.wanted]


def test_client_without_a_rate_asks_nothing() -> None:
    """And neither does a holder that is nobody."""
    bucket = Bucket(0)
    for caller in (holder(None), Holder(None, NEVER)):
        Rates(bucket).take_call(caller, NOW)
        Rates(bucket).take_mint(caller, NOW)
    assert [] == bucket.wanted


@pytest.mark.usefixtures("still_redis")
def test_changed_rate_counts_from_the_next_call(keys_dir: Path) -> None:
    """What was taken under the old rate goes with the record that it was taken for."""
    worker = Worker(keys_dir)
    rates = Rates(worker.store)
    worker.put_client("demo", rate_per_s="1")
    token = worker.token()

    def holder_now() -> Holder:
        return worker.memory.token(token, worker.clock()).holder

    assert [0, 1] == [call(rates, holder_now()) for _ in range(2)]
    worker.put_client("demo", rate_per_s="")
    worker.line.announce("client:demo")
    assert 0 == call(rates, holder_now())
