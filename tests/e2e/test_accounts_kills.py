"""No money appears or vanishes: 500 callers at once, killed workers, a killed Redis."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.accounts_stack import AccountsStack
from tests.e2e.accounts_storm import Customers, open_accounts, storm
from tests.processes import kill, until
from tests.stack import Credentials

CALLERS, BOOKINGS = 500, 3
OPENING_CENTS = 5_000


@pytest.fixture(scope="module")
def client(accounts: AccountsStack) -> Iterator[Credentials]:
    yield accounts.stack.client_create("crowd", "accounts:read accounts:write")
    accounts.stack.script("client", "delete", "crowd", "--yes")


@pytest.fixture
def customers(accounts: AccountsStack, client: Credentials) -> Customers:
    """Twenty accounts for all the callers."""
    return open_accounts(accounts, client, 20, OPENING_CENTS)


def check_books(customers: Customers) -> None:
    """Every account holds what the answers say, its history adds up to it, and all is 0."""
    accounts = customers.accounts
    held = {
        one: accounts.call("GET", f"/accounts/{one}", customers.token).json()["balance_cents"]
        for one in customers.ids
    }
    assert dict(customers.expected) == held
    for one in customers.ids:
        entries: Any = accounts.redis.xrange(f"{{bank}}:history:{one}")
        assert held[one] == sum(int(fields["amount"]) for _, fields in entries)
    assert 0 == accounts.sum()
    assert {"deposit", "withdrawal", "transfer"} <= set(customers.booked)


def test_500_callers_at_once_leave_the_books_exact(customers: Customers) -> None:
    """Each booking that was answered counts once, none that was refused."""
    storm(customers, CALLERS, BOOKINGS)
    check_books(customers)


def test_killed_workers_take_no_money_with_them(customers: Customers) -> None:
    """SIGKILL, one worker after the other: callers who lost an answer ask again by their key."""
    accounts = customers.accounts
    killed: list[int] = []

    def kill_each() -> None:
        for victim in accounts.workers():
            kill(victim)
            killed.append(victim)
            until(
                lambda: len(set(accounts.workers()) - set(killed)) == 2,
                30,
                "the arbiter replaces it",
            )

    storm(customers, CALLERS, BOOKINGS, kill_each)
    assert 2 == len(killed)
    check_books(customers)


def test_killed_redis_comes_back_with_every_answered_booking(customers: Customers) -> None:
    """SIGKILL in the middle of it, and a restart from its append-only file."""
    accounts = customers.accounts
    assert {"appendfsync": "always"} == accounts.redis.config_get("appendfsync")
    said: list[str] = []

    def kill_redis() -> None:
        kill(accounts.pid("redis"))
        said.append(accounts.start())

    storm(customers, CALLERS, BOOKINGS, kill_redis)
    assert "redis: starting" in said[0]
    assert "app: starting" not in said[0]
    check_books(customers)


def test_one_key_from_many_callers_books_once(customers: Customers) -> None:
    """Fifty connections with the same request, over both workers: one booking, one answer."""
    accounts, account = customers.accounts, customers.ids[0]
    ready, bodies = threading.Barrier(50), list[bytes]()

    def run() -> None:
        ready.wait(30)
        path = f"/accounts/{account}/deposits"
        answer = accounts.call(
            "POST", path, customers.token, {"amount_cents": 7}, Idempotency_Key="one-key"
        )
        bodies.append(answer.body)

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (50, 1) == (len(bodies), len(set(bodies)))
    found = accounts.call("GET", f"/accounts/{account}", customers.token).json()
    assert OPENING_CENTS + 7 == found["balance_cents"]
