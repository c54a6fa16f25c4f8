"""Idempotency keys: a request that comes again books nothing again, and gets the first answer."""

import threading

import pytest

from tests.accounts.conftest import Accounts
from tests.accounts.test_operations import problem

PATHS = ["/accounts", "/accounts/{}/deposits", "/accounts/{}/withdrawals", "/transfers"]


def body_for(path: str, source: str, target: str) -> dict[str, object] | None:
    if path == "/accounts":
        return None
    amount: dict[str, object] = {"amount_cents": 30}
    return {"from": source, "to": target, **amount} if path == "/transfers" else amount


@pytest.mark.parametrize("path", PATHS)
def test_same_request_again_gets_the_first_answer(accounts: Accounts, path: str) -> None:
    """Word for word, marked as a replay; the sum and the number of accounts stay."""
    source, target = accounts.open(100), accounts.open()
    body = body_for(path, source, target)
    first, *others = (accounts.post(path.format(source), body, key="k-1") for _ in range(4))
    assert "Idempotency-Replayed" not in first.headers
    for one in others:
        assert (201, first.text) == (one.status_code, one.text)
        assert "true" == one.headers["Idempotency-Replayed"]
    moved = {"/accounts": 0, "/accounts/{}/deposits": 30}.get(path, -30)
    assert 100 + moved == accounts.balance(source)
    opened = 4 if path == "/accounts" else 3  # with the world outside
    assert opened == len(list(accounts.redis.scan_iter("{bank}:account:*")))


def test_refusal_is_replayed_too(accounts: Accounts) -> None:
    """What was refused once stays refused under that key, although there is money now."""
    account = accounts.open()
    path = f"/accounts/{account}/withdrawals"
    first = accounts.post(path, {"amount_cents": 5}, key="k-1")
    accounts.post(f"/accounts/{account}/deposits", {"amount_cents": 5})
    assert (409, "insufficient-funds") == problem(first)
    assert first.text == accounts.post(path, {"amount_cents": 5}, key="k-1").text
    assert 201 == accounts.post(path, {"amount_cents": 5}, key="k-2").status_code


def test_key_of_another_request_is_refused(accounts: Accounts) -> None:
    """422: another amount, another account, another operation. The first answer is kept."""
    account, other = accounts.open(100), accounts.open(100)
    path = f"/accounts/{account}/deposits"
    first = accounts.post(path, {"amount_cents": 5}, key="k-1")
    for path_2, body in (
        (path, {"amount_cents": 6}),
        (path, {"amount_cents": 5, "reference": "x"}),
        (f"/accounts/{other}/deposits", {"amount_cents": 5}),
        (f"/accounts/{account}/withdrawals", {"amount_cents": 5}),
        ("/transfers", {"from": account, "to": other, "amount_cents": 5}),
        ("/accounts", None),
    ):
        answer = accounts.post(path_2, body, key="k-1")
        assert (422, "idempotency-key-reused") == problem(answer)
    assert first.text == accounts.post(path, {"amount_cents": 5}, key="k-1").text
    assert (105, 100) == (accounts.balance(account), accounts.balance(other))


def test_key_is_its_clients_own(accounts: Accounts) -> None:
    """Two clients with the same key are two requests, and neither sees the other's answer."""
    for client in ("alice", "bob"):
        account = accounts.open(by=client)
        path = f"/accounts/{account}/deposits"
        answer = accounts.post(path, {"amount_cents": 5}, by=client, key="k-1")
        assert (201, account) == (answer.status_code, answer.json["account"])
        assert "Idempotency-Replayed" not in answer.headers


def test_key_in_quotes_is_the_same_key(accounts: Accounts) -> None:
    """The draft has a structured string; most clients send it bare."""
    path = f"/accounts/{accounts.open()}/deposits"
    first, second = (accounts.post(path, {"amount_cents": 5}, key=key) for key in ('"k-1"', "k-1"))
    assert (first.text, "true") == (second.text, second.headers["Idempotency-Replayed"])


def test_spelling_of_the_body_makes_no_other_request(accounts: Accounts) -> None:
    """What counts is what it says: spaces and the order of members do not."""
    path = f"/accounts/{accounts.open()}/deposits"
    headers = {
        "X-Auth-Client-Id": "alice",
        "Idempotency-Key": "k-1",
        "Content-Type": "application/json; charset=utf-8",
    }
    bodies = ('{"amount_cents":5,"reference":"\\u0061"}', '{"reference": "a", "amount_cents": 5}')
    texts = {accounts.http.simulate_post(path, headers=headers, body=one).text for one in bodies}
    assert 1 == len(texts)


@pytest.mark.parametrize("path", PATHS)
def test_key_is_required(accounts: Accounts, path: str) -> None:
    """400: without one, a lost answer could not be asked for again."""
    source, target = accounts.open(100), accounts.open()
    answer = accounts.http.simulate_post(
        path.format(source),
        headers={"X-Auth-Client-Id": "alice"},
        json=body_for(path, source, target) or {},
    )
    assert (400, "idempotency-key-missing") == problem(answer)


@pytest.mark.parametrize("key", ["a b", "\u00e9", "x" * 256, '""', "a\tb"])
def test_odd_key_is_refused(accounts: Accounts, key: str) -> None:
    """1 to 255 printable ASCII characters."""
    assert (400, "malformed-request") == problem(accounts.post("/accounts", key=key))


def test_malformed_request_does_not_use_the_key_up(accounts: Accounts) -> None:
    """What was never tried has no answer to be kept."""
    path = f"/accounts/{accounts.open()}/deposits"
    assert 400 == accounts.post(path, {"amount_cents": 0}, key="k-1").status_code
    assert 201 == accounts.post(path, {"amount_cents": 1}, key="k-1").status_code


def test_kept_answers_perish(accounts: Accounts) -> None:
    """Every key has a TTL; accounts and histories have none."""
    account = accounts.open(100)
    accounts.post(f"/accounts/{account}/withdrawals", {"amount_cents": 500})
    for key in accounts.redis.scan_iter("*"):
        ttl_s = int(str(accounts.redis.ttl(key)))
        assert 0 < ttl_s <= 60 if ":once:" in key else ttl_s == -1, key


def test_same_request_many_times_at_once_books_once(accounts: Accounts) -> None:
    """Twenty threads, one key: one booking, twenty equal answers."""
    account = accounts.open()
    path, texts = f"/accounts/{account}/deposits", []

    def run() -> None:
        texts.append(accounts.post(path, {"amount_cents": 5}, key="k-1").text)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (20, 1, 5) == (len(texts), len(set(texts)), accounts.balance(account))


def test_full_store_books_nothing(accounts: Accounts) -> None:
    """503 with Retry-After, not half a transfer; with room again the same key goes through."""
    source, target = accounts.open(100), accounts.open()
    accounts.redis.config_set("maxmemory", 1)
    body = {"from": source, "to": target, "amount_cents": 5}
    refused = accounts.post("/transfers", body, key="k-1")
    assert (503, "unavailable") == problem(refused)
    assert "1" == refused.headers["Retry-After"]
    assert (100, 0) == (accounts.balance(source), accounts.balance(target))
    accounts.redis.config_set("maxmemory", 0)
    assert 201 == accounts.post("/transfers", body, key="k-1").status_code
