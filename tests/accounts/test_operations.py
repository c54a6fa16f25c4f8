"""Each operation of the accounts service: what it books, and what it refuses to."""

import re
from typing import Any

import pytest

from examples.accounts.bank import LARGEST_CENTS
from tests.accounts.conftest import HISTORY_ENTRIES, Accounts


def problem(answer: Any) -> tuple[int, str]:
    """Return status and type of a problem, having looked at its form (RFC 9457 §3)."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.status_code == answer.json["status"]
    assert {"type", "title", "status"} <= set(answer.json)
    return answer.status_code, answer.json["type"].removeprefix("urn:problem:")


def test_new_account_is_empty_and_has_an_address(accounts: Accounts) -> None:
    """201, Location, and a balance of nothing."""
    answer = accounts.post("/accounts")
    account = answer.json["account"]
    assert (201, f"/accounts/{account}") == (answer.status_code, answer.headers["Location"])
    assert re.fullmatch("[A-Za-z0-9_-]{22}", account)
    found = accounts.get(answer.headers["Location"])
    assert (200, {"account": account, "balance_cents": 0}) == (found.status_code, found.json)
    assert "no-store" == found.headers["Cache-Control"]


def test_deposit_and_withdrawal_are_the_balance(accounts: Accounts) -> None:
    """To the cent, down to nothing."""
    account = accounts.open()
    for kind, cents, balance in (
        ("deposits", 1000, 1000),
        ("deposits", 1, 1001),
        ("withdrawals", 400, 601),
        ("withdrawals", 601, 0),
    ):
        answer = accounts.post(f"/accounts/{account}/{kind}", {"amount_cents": cents})
        assert (201, balance) == (answer.status_code, answer.json["balance_cents"])
        assert balance == accounts.balance(account)


def test_transfer_takes_here_what_it_gives_there(accounts: Accounts) -> None:
    """From one's own account to anybody's; the answer tells of one's own alone."""
    source, target = accounts.open(500), accounts.open(7, by="bob")
    body = {"from": source, "to": target, "amount_cents": 120, "reference": "rent"}
    answer = accounts.post("/transfers", body)
    assert (201, {"entry", "account", "balance_cents"}) == (answer.status_code, set(answer.json))
    assert (source, 380) == (answer.json["account"], answer.json["balance_cents"])
    assert (380, 127) == (accounts.balance(source), accounts.balance(target, by="bob"))


@pytest.mark.parametrize("cents", [101, LARGEST_CENTS])
@pytest.mark.parametrize("kind", ["withdrawals", "transfers"])
def test_more_than_there_is_cannot_be_taken(accounts: Accounts, kind: str, cents: int) -> None:
    """409, and nothing has moved."""
    account, other = accounts.open(100), accounts.open()
    body: dict[str, Any] = {"amount_cents": cents}
    if kind == "withdrawals":
        path = f"/accounts/{account}/withdrawals"
    else:
        path, body = "/transfers", {**body, "from": account, "to": other}
    assert (409, "insufficient-funds") == problem(accounts.post(path, body))
    assert (100, 0) == (accounts.balance(account), accounts.balance(other))


def test_bank_never_holds_more_than_it_can_count(accounts: Accounts) -> None:
    """2^53 - 1 cents are exact, over all accounts together; one more is refused."""
    account, other = accounts.open(LARGEST_CENTS - 1), accounts.open()
    for path, cents, expected in ((other, 2, 409), (other, 1, 201), (account, 1, 409)):
        answer = accounts.post(f"/accounts/{path}/deposits", {"amount_cents": cents})
        assert expected == answer.status_code
    assert (409, "limit-exceeded") == problem(answer)
    body = {"from": other, "to": account, "amount_cents": 1}
    assert 201 == accounts.post("/transfers", body).status_code
    assert LARGEST_CENTS == accounts.balance(account)
    assert (
        LARGEST_CENTS
        == accounts.get(f"/accounts/{account}/history").json["entries"][0]["balance_cents"]
    )
    answer = accounts.post(f"/accounts/{account}/withdrawals", {"amount_cents": LARGEST_CENTS})
    assert (201, 0) == (answer.status_code, answer.json["balance_cents"])


UNKNOWN = "A" * 22


def test_account_of_somebody_else_is_not_there(accounts: Accounts) -> None:
    """Reading, moving and sending from it: the same 404 as for one that does not exist."""
    theirs, mine = accounts.open(100, by="bob"), accounts.open(100)
    for one in (theirs, UNKNOWN, "outside", "x", "A" * 22 + "%0A"):
        answers = [
            accounts.get(f"/accounts/{one}"),
            accounts.get(f"/accounts/{one}/history"),
            accounts.post(f"/accounts/{one}/deposits", {"amount_cents": 1}),
            accounts.post(f"/accounts/{one}/withdrawals", {"amount_cents": 1}),
            accounts.post("/transfers", {"from": one, "to": mine, "amount_cents": 1}),
        ]
        assert [(404, "no-such-account")] * 5 == [problem(answer) for answer in answers]
    assert 1 == len({answer.text for answer in answers})
    assert (100, 100) == (accounts.balance(theirs, by="bob"), accounts.balance(mine))


@pytest.mark.parametrize("to", [UNKNOWN, "outside", "", None, 7, {}])
def test_money_cannot_be_sent_to_nowhere(accounts: Accounts, to: object) -> None:
    """An account that does not exist takes nothing, nor does the world outside."""
    mine = accounts.open(100)
    answer = accounts.post("/transfers", {"from": mine, "to": to, "amount_cents": 1})
    assert (404, "no-such-account") == problem(answer)
    assert 100 == accounts.balance(mine)


def test_transfer_to_the_same_account_is_malformed(accounts: Accounts) -> None:
    """It would book two entries that say nothing."""
    mine = accounts.open(100)
    answer = accounts.post("/transfers", {"from": mine, "to": mine, "amount_cents": 1})
    assert (400, "malformed-request") == problem(answer)


AMOUNTS = [0, -1, 1.0, 1.5, 1e3, "1", True, None, [], LARGEST_CENTS + 1, 10**400]


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: str(amount)[:12])
def test_amount_is_a_whole_number_of_cents(accounts: Accounts, amount: object) -> None:
    """No fraction, no sign, no text, no truth value, nothing that JSON numbers cannot carry."""
    account = accounts.open(100)
    for kind in ("deposits", "withdrawals"):
        answer = accounts.post(f"/accounts/{account}/{kind}", {"amount_cents": amount})
        assert (400, "malformed-request") == problem(answer)
    assert 100 == accounts.balance(account)


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b"{}",
    b'{"amount_cents": NaN}',
    b'{"amount_cents": 1, "amount_cents": 1}',
    b'{"amount_cents": 1, "amount": 1}',
    b'{"amount_cents": 1, "reference": 1}',
    b'{"amount_cents": 1, "reference": "a\\nb"}',
    b'{"amount_cents": 1, "reference": "\\ud800"}',
    b'{"amount_cents": 1, "reference": "' + b"a" * 141 + b'"}',
    b'{"amount_cents": ' + b"9" * 5000 + b"}",
    b"[" * 10_000,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:24].decode("latin-1"))
def test_body_that_may_mean_something_else_is_refused(accounts: Accounts, body: bytes) -> None:
    """Broken, doubled, unknown or over-long members: 400, and nothing is booked."""
    account = accounts.open()
    headers = {"X-Auth-Client-Id": "alice", "Idempotency-Key": "k"}
    json = {**headers, "Content-Type": "application/json"}
    path = f"/accounts/{account}/deposits"
    assert (400, "malformed-request") == problem(
        accounts.http.simulate_post(path, headers=json, body=body)
    )
    assert 0 == accounts.balance(account)


@pytest.mark.parametrize(
    ("media_type", "body", "status"),
    [("text/plain", b'{"amount_cents":1}', 415), ("application/json", b" " * 16_385, 413)],
)
def test_wrong_or_large_body_is_refused(
    accounts: Accounts, media_type: str, body: bytes, status: int
) -> None:
    """415 and 413, as problems too."""
    headers = {"X-Auth-Client-Id": "alice", "Idempotency-Key": "k", "Content-Type": media_type}
    path = f"/accounts/{accounts.open()}/deposits"
    assert status == problem(accounts.http.simulate_post(path, headers=headers, body=body))[0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("DELETE", "/accounts", 405), ("PUT", "/transfers", 405)],
)
def test_what_is_not_served_is_a_problem_too(
    accounts: Accounts, method: str, path: str, status: int
) -> None:
    """What the framework refuses has the same form."""
    assert (status, "about:blank") == problem(accounts.http.simulate_request(method, path))


def test_caller_that_the_gateway_does_not_name_gets_nothing(accounts: Accounts) -> None:
    """Without the gateway in front there is nobody to be; a token or an alias names nobody."""
    account = accounts.open(100)
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-Auth-Client-Id": ""}):
        assert (500, "unidentified") == problem(
            accounts.http.simulate_get(f"/accounts/{account}", headers=headers)
        )


def test_history_tells_every_booking_newest_first(accounts: Accounts) -> None:
    """Kind, signed amount, balance after it, reference, and who was on the other side."""
    mine, theirs = accounts.open(1000), accounts.open(by="bob")
    accounts.post(f"/accounts/{mine}/withdrawals", {"amount_cents": 300, "reference": "cash"})
    accounts.post("/transfers", {"from": mine, "to": theirs, "amount_cents": 50})
    found = accounts.get(f"/accounts/{mine}/history").json
    shown = [
        (one["kind"], one["amount_cents"], one["balance_cents"], one["reference"])
        for one in found["entries"]
    ]
    assert [
        ("transfer", -50, 650, ""),
        ("withdrawal", -300, 700, "cash"),
        ("deposit", 1000, 1000, ""),
    ] == shown
    assert theirs == found["entries"][0]["other_account"]
    (received,) = accounts.get(f"/accounts/{theirs}/history", by="bob").json["entries"]
    assert ("transfer", 50, 50, mine) == (
        received["kind"],
        received["amount_cents"],
        received["balance_cents"],
        received["other_account"],
    )
    assert found["next"] is None


def test_history_is_read_in_pages(accounts: Accounts) -> None:
    """`next` leads on without a gap or a repetition, also while new entries come in."""
    account = accounts.open()
    for cents in range(1, 8):
        accounts.post(f"/accounts/{account}/deposits", {"amount_cents": cents})
    seen: list[int] = []
    before = ""
    while True:
        found = accounts.get(f"/accounts/{account}/history", limit="3", before=before).json
        seen += [one["amount_cents"] for one in found["entries"]]
        accounts.post(f"/accounts/{account}/deposits", {"amount_cents": 99})
        before = found["next"]
        if not before:
            break
    assert [7, 6, 5, 4, 3, 2, 1] == seen


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"before": "x"}, {"before": "1"}],
)
def test_page_that_cannot_be_is_refused(accounts: Accounts, params: dict[str, str]) -> None:
    """400, not a guess."""
    path = f"/accounts/{accounts.open()}/history"
    assert (400, "malformed-request") == problem(accounts.get(path, **params))


def test_history_is_capped(accounts: Accounts) -> None:
    """Old entries go; the balance stands by itself."""
    account = accounts.open()
    for _ in range(HISTORY_ENTRIES + 250):
        accounts.post(f"/accounts/{account}/deposits", {"amount_cents": 1})
    kept = int(str(accounts.redis.xlen(f"{{bank}}:history:{account}")))
    assert HISTORY_ENTRIES <= kept <= HISTORY_ENTRIES + 100
    assert HISTORY_ENTRIES + 250 == accounts.balance(account)
