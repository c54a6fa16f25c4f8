"""Callers of the accounts example, many at once, who ask again until they have been answered."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.accounts_stack import AccountsStack, wording
from tests.stack import Credentials
from tests.wire import Answer, Closed, Connection, request

PATIENCE_S = 120.0
_BACK_OFF_S = 0.05


@dataclass
class Customers:
    """Clients with accounts, and what every answer so far says about them."""

    accounts: AccountsStack
    client: Credentials
    token: str
    ids: list[str] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)
    booked: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, changes: dict[str, int]) -> None:
        with self._lock:
            self.booked[kind] += 1
            for account, cents in changes.items():
                self.expected[account] += cents

    def total(self) -> int:
        return self.booked.total()


class Caller(threading.Thread):
    """One of many: it books until each of its bookings has been answered for good."""

    def __init__(self, customers: Customers, number: int, bookings: int) -> None:
        super().__init__(daemon=True)
        self.trouble: list[str] = []
        self._customers = customers
        self._random = random.Random(number)
        self._bookings = bookings
        self._connections: dict[int, Connection] = {}

    def run(self) -> None:
        try:
            for _ in range(self._bookings):
                self._book()
        except Exception as error:
            self.trouble.append(repr(error))
        for connection in self._connections.values():
            connection.close()

    def _book(self) -> None:
        one, other = self._random.sample(self._customers.ids, 2)
        cents = self._random.randint(1, 1000)
        kind = self._random.choice(["deposit", "withdrawal", "transfer"])
        if kind == "transfer":
            body: dict[str, Any] = {"from": one, "to": other, "amount_cents": cents}
            answer = self._until_answered("/transfers", body, is_once=True)
            changes = {one: -cents, other: cents}
        else:
            answer = self._until_answered(f"/accounts/{one}/{kind}s", {"amount_cents": cents})
            changes = {one: cents if kind == "deposit" else -cents}
        if answer.status == 409:
            kind, changes = "refused", {}
        self._customers.note(kind, changes)

    def _until_answered(self, path: str, body: Any, *, is_once: bool = False) -> Answer:
        """Try with one idempotency key until the service has said yes or no."""
        key, deadline = str(uuid4()), time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            token = self._one_time_token() if is_once else self._customers.token
            port = self._customers.accounts.port
            answer = self._ask(port, wording("POST", path, token, body, Idempotency_Key=key))
            if answer and answer.status in {201, 409}:
                return answer
            if answer and answer.status != 503 and not (is_once and answer.status == 401):
                raise AssertionError(f"{answer.status} {answer.body!r}")
            time.sleep(_BACK_OFF_S)
        raise AssertionError(f"{path} was not answered within {PATIENCE_S} s")

    def _one_time_token(self) -> str:
        stack, (client_id, secret) = self._customers.accounts.stack, self._customers.client
        grant = {"grant_type": "client_credentials", "scope": "accounts:write"}
        body = json.dumps({**grant, "client_id": client_id, "client_secret": secret}).encode()
        data = request("POST", "/ott", {"Content-Type": "application/json"}, body)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self._ask(stack.http_port, data)
            if answer and answer.status == 200:
                return str(answer.json()["access_token"])
            time.sleep(_BACK_OFF_S)
        raise AssertionError("no one-time token")

    def _ask(self, port: int, data: bytes) -> Answer | None:
        """None when the connection broke: nobody knows then whether anything was booked."""
        try:
            connection = self._connections.get(port) or Connection(("127.0.0.1", port), 30)
            self._connections[port] = connection
            return connection.ask(data)
        except (Closed, OSError):
            if broken := self._connections.pop(port, None):
                broken.close()
            return None


def open_accounts(
    accounts: AccountsStack, client: Credentials, count: int, cents: int
) -> Customers:
    """Return so many new accounts with so much money each."""
    token = accounts.stack.mint(client, scope="accounts:read accounts:write")
    customers = Customers(accounts, client, token)
    for _ in range(count):
        account = accounts.call("POST", "/accounts", token).json()["account"]
        path = f"/accounts/{account}/deposits"
        assert 201 == accounts.call("POST", path, token, {"amount_cents": cents}).status
        customers.ids.append(account)
        customers.expected[account] = cents
    return customers


def storm(
    customers: Customers, callers: int, bookings: int, disturb: Callable[[], None] | None = None
) -> None:
    """Let so many callers book at once; `disturb` when a third of it is done. Fail on trouble."""
    threads = [Caller(customers, number, bookings) for number in range(callers)]
    for thread in threads:
        thread.start()
    if disturb:
        deadline = time.monotonic() + PATIENCE_S
        while customers.total() < callers * bookings / 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        disturb()
    for thread in threads:
        thread.join(PATIENCE_S * 2)
    assert [] == [trouble for thread in threads for trouble in thread.trouble]
    assert callers * bookings == customers.total()
