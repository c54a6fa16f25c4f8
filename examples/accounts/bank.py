"""The accounts in Redis. Whatever changes one is a Lua file, so it happens whole or not at all."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.commands.core import Script
from redis.exceptions import RedisError

import redis
from examples.accounts.problems import (
    InsufficientFunds,
    KeyReused,
    LimitExceeded,
    NoAccount,
    Problem,
    Unavailable,
)

OUTSIDE = "outside"
"""The account that deposits come from and withdrawals go to: all balances with it are always 0."""

LARGEST_CENTS = 2**53 - 1
_LUA = Path(__file__).with_name("lua")
_REFUSALS: dict[str, type[Problem]] = {
    "no_account": NoAccount,
    "insufficient_funds": InsufficientFunds,
    "limit_exceeded": LimitExceeded,
    "other_request": KeyReused,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request by its client: it counts once, however often it comes."""

    client_id: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Booked:
    """What came of an attempt. `is_again`: an earlier one had the same key and did the work."""

    words: Sequence[str]
    is_again: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history; `id` is `milliseconds-number`, and rises."""

    id: str
    kind: str
    cents: int
    balance_cents: int
    other: str
    reference: str


class Bank:
    """Opens accounts, books and tells. Raises the Problem that names what is wrong."""

    def __init__(self, store: "redis.Redis", *, answers_ttl_s: int, history_entries: int) -> None:
        self._store = store
        self._answers_ttl_s = answers_ttl_s
        self._history_entries = history_entries
        self._open = store.register_script((_LUA / "open.lua").read_text())
        self._book = store.register_script((_LUA / "book.lua").read_text())

    def open_account(self, attempt: Attempt) -> Booked:
        """Open an account; the words are its id and the time in epoch seconds."""
        account = secrets.token_urlsafe(16)
        return self._run(
            self._open,
            [_once(attempt), _account(account)],
            [attempt.fingerprint, self._answers_ttl_s, attempt.client_id, account],
        )

    def book(
        self, attempt: Attempt, kind: str, cents: int, source: str, target: str, reference: str
    ) -> Booked:
        """Move cents; the words are the entry's id and the balance of the client's side."""
        keys = [_once(attempt), _account(source), _account(target)]
        keys += [_history(source), _history(target)]
        who = [attempt.fingerprint, self._answers_ttl_s, attempt.client_id]
        what = [kind, cents, source, target, reference, self._history_entries]
        return self._run(self._book, keys, [*who, *what])

    def balance(self, client_id: str, account: str) -> int:
        """Return the balance of the client's own account."""
        try:
            found: Any = self._store.hmget(_account(account), ["owner", "balance"])
        except RedisError as error:
            raise Unavailable from error
        owner, balance = found
        if owner != client_id:
            raise NoAccount
        return int(balance)

    def history(self, client_id: str, account: str, before: str, limit: int) -> list[Entry]:
        """Return entries of the client's own account, newest first, older than `before`."""
        asked = self._store.pipeline(transaction=False)
        asked.hget(_account(account), "owner")
        asked.xrevrange(_history(account), f"({before}" if before else "+", "-", count=limit)
        try:
            owner, found = asked.execute()
        except RedisError as error:
            raise Unavailable from error
        if owner != client_id:
            raise NoAccount
        return [_entry(entry_id, fields) for entry_id, fields in found]

    def _run(self, script: Script, keys: list[str], values: list[Any]) -> Booked:
        try:
            words = str(script(keys, values)).split(" ")
        except RedisError as error:
            raise Unavailable from error
        is_again = words[0] == "again"
        outcome, *rest = words[1:] if is_again else words
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]
        return Booked(rest, is_again)


def _entry(entry_id: str, fields: dict[str, str]) -> Entry:
    return Entry(
        entry_id,
        fields["kind"],
        int(fields["amount"]),
        int(fields["balance"]),
        fields["other"],
        fields["reference"],
    )


# {bank}: all keys in one slot, as a script that touches several needs it.
def _account(account: str) -> str:
    return f"{{bank}}:account:{account}"


def _history(account: str) -> str:
    return f"{{bank}}:history:{account}"


def _once(attempt: Attempt) -> str:
    """A key is its client's own: no other client's key can be this one."""
    whole = f"{len(attempt.client_id)} {attempt.client_id} {attempt.key}"
    return f"{{bank}}:once:{hashlib.sha256(whole.encode()).hexdigest()}"
