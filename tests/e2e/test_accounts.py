"""The accounts example through the real gateway: nginx alone decides who may do what."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts_stack import AccountsStack
from tests.e2e.accounts_storm import Customers, open_accounts
from tests.processes import children, kill
from tests.stack import ROOT, Credentials
from tests.wire import ask, request

README = ROOT / "examples" / "accounts" / "README.md"


@pytest.fixture(scope="module")
def alice(accounts: AccountsStack) -> Iterator[Credentials]:
    yield accounts.stack.client_create("alice", "accounts:read accounts:write")
    accounts.stack.script("client", "delete", "alice", "--yes")


@pytest.fixture(scope="module")
def bob(accounts: AccountsStack) -> Iterator[Credentials]:
    yield accounts.stack.client_create("bob", "accounts:read accounts:write")
    accounts.stack.script("client", "delete", "bob", "--yes")


@pytest.fixture
def hers(accounts: AccountsStack, alice: Credentials) -> Customers:
    """Two accounts of alice's with 1,000 cents each."""
    return open_accounts(accounts, alice, 2, 1000)


def blocks(language: str) -> list[str]:
    """Return the README's fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def transfer(hers: Customers) -> dict[str, object]:
    return {"from": hers.ids[0], "to": hers.ids[1], "amount_cents": 10}


def test_scope_decides_who_may_look_and_who_may_book(
    accounts: AccountsStack, hers: Customers
) -> None:
    """The service asks for neither: nginx has decided before."""
    tokens = {
        scope: accounts.stack.mint(hers.client, scope=f"accounts:{scope}")
        for scope in ("read", "write")
    }
    path = f"/accounts/{hers.ids[0]}"
    for method, target, body, needed in (
        ("GET", path, None, "read"),
        ("GET", f"{path}/history", None, "read"),
        ("POST", f"{path}/deposits", {"amount_cents": 1}, "write"),
        ("POST", f"{path}/withdrawals", {"amount_cents": 1}, "write"),
        ("POST", "/accounts", None, "write"),
    ):
        for scope, token in tokens.items():
            answer = accounts.call(method, target, token, body)
            assert (answer.status < 300) == (scope == needed), (method, target, scope)
            if scope != needed:
                challenge = f'error="insufficient_scope", scope="accounts:{needed}"'
                assert challenge in str(answer.header("WWW-Authenticate"))
        refused = accounts.call(method, target, None, body)
        assert (401, "Bearer") == (
            refused.status,
            str(refused.header("WWW-Authenticate")).split(" ")[0],
        )


def test_transfer_takes_one_time_tokens_only(accounts: AccountsStack, hers: Customers) -> None:
    """A plain token is told what is needed; a one-time token books once, whatever the key."""
    plain = accounts.call("POST", "/transfers", hers.token, transfer(hers))
    challenge = str(plain.header("WWW-Authenticate"))
    assert (403, True) == (plain.status, "a one-time token is needed" in challenge)
    wrong = accounts.stack.mint(hers.client, "/ott", scope="accounts:read")
    assert 403 == accounts.call("POST", "/transfers", wrong, transfer(hers)).status
    once = accounts.stack.mint(hers.client, "/ott", scope="accounts:write")
    statuses = [accounts.call("POST", "/transfers", once, transfer(hers)).status for _ in range(3)]
    assert [201, 401, 401] == statuses
    found = accounts.call("GET", f"/accounts/{hers.ids[0]}", hers.token)
    assert 990 == found.json()["balance_cents"]


def test_lost_answer_to_a_transfer_is_asked_for_again(
    accounts: AccountsStack, hers: Customers
) -> None:
    """A new one-time token and the old key: the first answer, and one booking."""
    first, second = (
        accounts.call(
            "POST",
            "/transfers",
            accounts.stack.mint(hers.client, "/ott", scope="accounts:write"),
            transfer(hers),
            Idempotency_Key="lost-answer",
        )
        for _ in range(2)
    )
    assert (201, first.body) == (second.status, second.body)
    assert "true" == second.header("Idempotency-Replayed")


ALIASES = ["X-Auth-Client-Id", "X_Auth_Client_Id", "X.Auth.Client.Id", "x-auth-client_id"]


@pytest.mark.parametrize("name", ALIASES)
def test_forged_identity_opens_no_account(
    accounts: AccountsStack, hers: Customers, bob: Credentials, name: str
) -> None:
    """Bob with alice's name in a header is still bob, and without a token nobody."""
    path = f"/accounts/{hers.ids[0]}"
    theirs = accounts.stack.mint(bob, scope="accounts:read")
    for token, status in ((theirs, 404), (None, 401), (hers.token, 200)):
        asked = request("GET", path, [(name, "alice"), (name, "bob")], token=token)
        assert status == ask(accounts.address, asked).status


def test_service_away_is_503_for_those_who_may_call(
    accounts: AccountsStack, hers: Customers
) -> None:
    """An allowed call is told to come back, as a problem; a refusal is still a refusal."""
    before = accounts.pid("app")
    for pid in (before, *children(before)):
        kill(pid)
    path = f"/accounts/{hers.ids[0]}"
    answer = accounts.call("GET", path, hers.token)
    assert (503, "1") == (answer.status, answer.header("Retry-After"))
    assert ("application/problem+json", "urn:problem:unavailable") == (
        answer.header("Content-Type"),
        answer.json()["type"],
    )
    assert 401 == accounts.call("GET", path, None).status
    assert "app: starting" in accounts.start()
    assert 1000 == accounts.call("GET", path, hers.token).json()["balance_cents"]


def test_second_run_leaves_all_as_it_is(accounts: AccountsStack) -> None:
    """Nothing is restarted, and the client keeps its secret."""
    before = (accounts.run_dir / "accounts.env").read_text()
    assert "starting" not in accounts.start()
    assert before == (accounts.run_dir / "accounts.env").read_text()


def test_readme_shows_the_lines_that_run() -> None:
    """Each line of its nginx block stands in nginx.conf."""
    (block,) = blocks("nginx")
    lines = {line.strip() for line in (README.parent / "nginx.conf").read_text().splitlines()}
    assert set() == {line.strip() for line in block.splitlines()} - lines


def test_readme_works_as_pasted(accounts: AccountsStack, tmp_path: Path) -> None:
    """Its shell lines open, book, are refused without a one-time token, and book with one."""
    text = "\n".join(blocks("sh"))
    (tmp_path / "run").symlink_to(accounts.stack.run_dir)
    done = subprocess.run(
        ["bash", "-eu"], input=text, cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert not done.stderr, done.stderr
    for found in ('"balance_cents": 3800', "insufficient_scope", '"balance_cents": 3000'):
        assert found in done.stdout, found
    assert 1 == done.stdout.count("invalid_token")
