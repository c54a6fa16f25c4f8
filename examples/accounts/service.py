"""An accounts service behind the gateway: it reads who is calling, and never sees a token."""

import json
import os
from datetime import UTC, datetime
from typing import Any

import falcon
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

import redis
from examples.accounts import problems, reading
from examples.accounts.bank import OUTSIDE, Bank, Booked, Entry

_TIMEOUT_MS = 1_000
_MEMBERS = ("amount_cents", "reference")


class Accounts:
    """`POST /accounts`: open one."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        order = reading.read_order(req, allowed=())
        booked = self._bank.open_account(order.attempt)
        account, opened_at_s = booked.words
        resp.set_header("Location", f"/accounts/{account}")
        opened_at = _time(int(opened_at_s))
        _created(resp, booked, {"account": account, "balance_cents": 0, "opened_at": opened_at})


class Account:
    """`GET /accounts/{id}`: its balance."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def on_get(self, req: falcon.Request, resp: falcon.Response, account: str) -> None:
        client_id = reading.caller(req)
        balance = self._bank.balance(client_id, reading.account_id(account))
        _answer(resp, {"account": account, "balance_cents": balance})


class Movements:
    """`POST /accounts/{id}/deposits` and `…/withdrawals`: money from outside and back there."""

    def __init__(self, bank: Bank, kind: str) -> None:
        self._bank = bank
        self._kind = kind

    def on_post(self, req: falcon.Request, resp: falcon.Response, account: str) -> None:
        order = reading.read_order(req, allowed=_MEMBERS)
        account = reading.account_id(account)
        sides = (OUTSIDE, account) if self._kind == "deposit" else (account, OUTSIDE)
        cents, reference = reading.cents(order.members), reading.reference(order.members)
        booked = self._bank.book(order.attempt, self._kind, cents, *sides, reference)
        _created(resp, booked, _entry(booked, account))


class Transfers:
    """`POST /transfers`: from an account of one's own to anybody's."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        order = reading.read_order(req, allowed=("from", "to", *_MEMBERS))
        cents, reference = reading.cents(order.members), reading.reference(order.members)
        source, target = (reading.account_id(order.members.get(one)) for one in ("from", "to"))
        if source == target:
            raise problems.MalformedRequest("from and to are the same account")
        booked = self._bank.book(order.attempt, "transfer", cents, source, target, reference)
        _created(resp, booked, _entry(booked, source))


class History:
    """`GET /accounts/{id}/history`: what was booked, newest first, a page at a time."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def on_get(self, req: falcon.Request, resp: falcon.Response, account: str) -> None:
        client_id, (before, limit) = reading.caller(req), reading.page(req)
        account = reading.account_id(account)
        found = self._bank.history(client_id, account, before, limit + 1)
        shown = found[:limit]
        following = shown[-1].id if len(found) > limit else None
        _answer(resp, {"entries": [_line(entry) for entry in shown], "next": following})


class Health:
    """`GET /health`: the process serves. nginx does not let it be seen."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        _answer(resp, {"status": "ok"})


def create_app(bank: Bank) -> falcon.App[falcon.Request, falcon.Response]:
    """Wire the service onto a bank."""
    app = falcon.App()
    app.set_error_serializer(problems.render_http_error)
    app.add_error_handler(problems.Problem, problems.render_problem)
    app.add_route("/accounts", Accounts(bank))
    app.add_route("/accounts/{account}", Account(bank))
    app.add_route("/accounts/{account}/deposits", Movements(bank, "deposit"))
    app.add_route("/accounts/{account}/withdrawals", Movements(bank, "withdrawal"))
    app.add_route("/accounts/{account}/history", History(bank))
    app.add_route("/transfers", Transfers(bank))
    app.add_route("/health", Health())
    return app


def application() -> falcon.App[falcon.Request, falcon.Response]:
    """Build the service from the environment; gunicorn calls it in each worker."""
    timeout_s = int(os.environ.get("ACCOUNTS_REDIS_TIMEOUT_MS") or _TIMEOUT_MS) / 1000
    store = redis.Redis.from_url(
        os.environ["ACCOUNTS_REDIS_URL"],
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # A connection that Redis closed, restarting, is made anew; what was asked is asked again,
        # which the idempotency key makes safe.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    answers_ttl_s = int(os.environ.get("ACCOUNTS_ANSWERS_TTL_S") or 86_400)
    history_entries = int(os.environ.get("ACCOUNTS_HISTORY_ENTRIES") or 1000)
    return create_app(Bank(store, answers_ttl_s=answers_ttl_s, history_entries=history_entries))


def _entry(booked: Booked, account: str) -> dict[str, Any]:
    entry, balance = booked.words
    return {"entry": entry, "account": account, "balance_cents": int(balance)}


def _line(entry: Entry) -> dict[str, Any]:
    shown = {
        "entry": entry.id,
        "kind": entry.kind,
        "amount_cents": entry.cents,
        "balance_cents": entry.balance_cents,
        "booked_at": _time(int(entry.id.partition("-")[0]) / 1000),
        "reference": entry.reference,
    }
    if entry.kind == "transfer":
        shown["other_account"] = entry.other
    return shown


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def _created(resp: falcon.Response, booked: Booked, members: dict[str, Any]) -> None:
    resp.status = falcon.HTTP_201
    if booked.is_again:
        resp.set_header("Idempotency-Replayed", "true")
    _answer(resp, members)


def _answer(resp: falcon.Response, members: dict[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.set_header("Cache-Control", "no-store")
    resp.text = json.dumps(members) + "\n"
