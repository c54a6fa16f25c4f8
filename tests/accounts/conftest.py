"""The accounts service in process, on a real Redis that is started once and emptied each time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from falcon import testing

import redis
from examples.accounts.bank import Bank
from examples.accounts.service import create_app
from tests.processes import redis_on_a_socket

HISTORY_ENTRIES = 200


@dataclass
class Accounts:
    """The service as nginx sees it, and the test's own hand in its Redis."""

    http: testing.TestClient
    redis: "redis.Redis"

    def post(
        self, path: str, body: Any = None, *, by: str = "alice", key: str | None = None
    ) -> testing.Result:
        """POST in a client's name, with a new idempotency key unless one is given."""
        headers = {"X-Auth-Client-Id": by, "Idempotency-Key": key or str(uuid4())}
        if body is None:
            return self.http.simulate_post(path, headers=headers)
        return self.http.simulate_post(path, headers=headers, json=body)

    def get(self, path: str, *, by: str = "alice", **params: str) -> testing.Result:
        return self.http.simulate_get(path, headers={"X-Auth-Client-Id": by}, params=params)

    def open(self, cents: int = 0, *, by: str = "alice") -> str:
        """Return a new account that holds so much."""
        account = str(self.post("/accounts", by=by).json["account"])
        if cents:
            booked = self.post(f"/accounts/{account}/deposits", {"amount_cents": cents}, by=by)
            assert booked.status_code == 201, booked.text
        return account

    def balance(self, account: str, *, by: str = "alice") -> int:
        return int(self.get(f"/accounts/{account}", by=by).json["balance_cents"])

    def sum(self) -> int:
        """Return all balances, with what the world outside owes: 0 at any time."""
        accounts = self.redis.scan_iter("{bank}:account:*")
        return sum(int(str(self.redis.hget(one, "balance"))) for one in accounts)


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    with redis_on_a_socket() as path:
        yield path


@pytest.fixture
def accounts(redis_socket: Path) -> Iterator[Accounts]:
    """No accounts yet."""
    connection = redis.Redis(unix_socket_path=str(redis_socket), decode_responses=True)
    connection.flushall()
    bank = Bank(connection, answers_ttl_s=60, history_entries=HISTORY_ENTRIES)
    made = Accounts(testing.TestClient(create_app(bank)), connection)
    yield made
    assert made.sum() == 0
    connection.config_set("maxmemory", 0)
    connection.close()
