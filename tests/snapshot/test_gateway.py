"""A whole gateway loses its data and gets it back: nobody revoked comes in, clients mint again."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.processes import kill, until
from tests.snapshot.postgres import waiting
from tests.stack import ROOT, Credentials, Stack
from tests.store.tide_harness import flush
from tests.wire import ask, request


@pytest.fixture(scope="module")
def stack(postgres_url: str) -> Iterator[Stack]:
    """A gateway with a database of its own."""
    with psycopg.connect(f"{postgres_url}postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE gateway")
    with Stack(DATABASE_URL=f"{postgres_url}gateway") as stack:
        yield stack


@pytest.fixture(scope="module")
def orders(stack: Stack) -> Credentials:
    """A client that all tests here share."""
    return stack.client_create("orders", "demo:read orders:read")


def restore(stack: Stack, *words: str) -> "subprocess.Popen[str]":
    """Start scripts/restore, and do not wait."""
    return subprocess.Popen(
        [ROOT / "scripts" / "restore", *words],
        env=stack.environ(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def statuses(stack: Stack, *tokens: str) -> list[int]:
    return [stack.call("/demo/read", token).status for token in tokens]


def mint_status(stack: Stack, client: Credentials) -> int:
    return stack.asked_by(client, "/token", grant_type="client_credentials").status


def test_lost_data_is_restored(stack: Stack, orders: Credentials) -> None:
    """Tokens of before stay dead, revoked or not; secrets, scopes, routes and states are back."""
    stack.script("route", "set", "GET", "/demo/routed/orders", "orders:read")
    off = stack.client_create("off", "demo:read")
    stack.script("client", "disable", "off")
    alive, revoked, killed = (stack.mint(orders) for _ in range(3))
    once = stack.mint(orders, "/ott")
    assert [200, 200] == statuses(stack, alive, revoked)
    stack.revoke(revoked, orders)
    stack.script("token", "revoke-client", "orders")
    until(lambda: stack.redis.hgetall("used:orders"), 30, what="the last use is noted")
    stack.script("snapshot")
    shown = json.loads(stack.script("client", "show", "orders", "--json").stdout)

    flush(stack.redis)
    assert 401 == mint_status(stack, orders)
    stack.script("restore")

    assert [401, 401, 401, 401] == statuses(stack, alive, revoked, killed, once)
    assert 401 == mint_status(stack, off)
    fresh = stack.mint(orders)
    assert 200 == stack.call("/demo/routed/orders", fresh).status
    assert [200] == statuses(stack, stack.mint(orders, "/ott"))
    assert 200 == mint_status(stack, stack.demo)
    again = json.loads(stack.script("client", "show", "orders", "--json").stdout)
    assert shown["secrets"][0]["id"] == again["secrets"][0]["id"]
    assert again["secrets"][0]["last_used_s"]
    assert [401] == statuses(stack, revoked)


def test_what_was_revoked_after_the_snapshot_stays_dead(stack: Stack, orders: Credentials) -> None:
    """An old copy of everything revives no token: each is bound to the data set of its mint."""
    stack.script("snapshot")
    token = stack.mint(orders)
    assert [200] == statuses(stack, token)
    stack.revoke(token, orders)
    stack.script("restore", "--force", "--yes")
    assert [401, 200] == statuses(stack, token, stack.mint(orders))


def test_restore_that_is_killed_shuts_the_gateway_until_one_has_ended(
    stack: Stack, orders: Credentials
) -> None:
    """503 with Retry-After, warm tokens included; /health/ready says why; again is enough."""
    stack.script("snapshot")
    warm = stack.mint(orders)
    assert [200, 200] == statuses(stack, warm, warm)
    database = stack.settings("app.env")["DATABASE_URL"]
    with psycopg.connect(database) as other:
        row = other.execute("SELECT max(id) FROM portcullis.snapshots").fetchone()
        assert row
        other.execute(f"LOCK TABLE portcullis.clients_{row[0]} IN ACCESS EXCLUSIVE MODE".encode())
        process = restore(stack, "--force", "--yes")
        until(lambda: waiting(database) == 1, timeout_s=60, what="restore waits for clients")
        kill(process.pid)
        process.communicate(timeout=60)
    answer = stack.call("/demo/read", warm)
    assert (503, True) == (answer.status, bool(answer.header("Retry-After")))
    assert 503 == mint_status(stack, orders)
    ready = ask(stack.ops_address, request("GET", "/health/ready"))
    assert (503, "a restore has begun and has not ended") == (
        ready.status,
        ready.json()["dependencies"]["dataset"],
    )
    log = (stack.run_dir / "log" / "app.log").read_text()
    assert "a restore has begun and has not ended" in log
    stack.script("restore")
    assert [401, 200] == statuses(stack, warm, stack.mint(orders))


def test_under_load_a_token_is_good_then_undecided_then_dead(
    stack: Stack, orders: Credentials
) -> None:
    """In that order, on every worker; a revoked one is never good."""
    stack.script("snapshot")
    alive, revoked = stack.mint(orders), stack.mint(orders)
    stack.revoke(revoked, orders)
    seen: dict[str, list[int]] = {"alive": [], "revoked": [], "mint": []}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            seen["alive"] += statuses(stack, alive)
            seen["revoked"] += statuses(stack, revoked)
            seen["mint"].append(mint_status(stack, orders))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        until(lambda: seen["mint"] and 200 in seen["alive"], 60, "the load has begun")
        began = len(seen["alive"])
        stack.script("restore", "--force", "--yes")
        ended, count = len(seen["alive"]), len(seen["mint"])
        until(lambda: 200 in seen["mint"][count + 3 :], 60, "the load goes on")
    finally:
        is_over.set()
        thread.join()
    assert {401, 503} >= set(seen["revoked"])
    # Before and after the restore a busy machine may answer 503 too, and that is no step.
    before, during, after = seen["alive"][:began], seen["alive"][began:ended], seen["alive"][ended:]
    assert {200, 503} >= set(before)
    order = {200: 0, 503: 1, 401: 2}
    steps = [order[status] for status in during]
    assert steps == sorted(steps)
    assert {401} == set(after[1:]) - {503}
    assert {200, 503} >= set(seen["mint"])


@pytest.mark.timeout(300)
def test_drill_in_the_docs_works_as_pasted(stack: Stack, orders: Credentials) -> None:
    """A second gateway gets the newest snapshot, and the client mints there."""
    stack.script("snapshot")
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(r"### The drill\n.*?```sh\n(.*?)```", text, re.DOTALL)
    assert found
    lines = found[1]
    drill = Stack()
    drill.run_dir.rmdir()
    for shown, ours in (
        ("/tmp/drill", str(drill.run_dir)),
        ("8090", str(drill.http_port)),
        ("9091", str(drill.ops_port)),
    ):
        lines = lines.replace(shown, ours)
    known = dict(zip(("CLIENT_ID", "CLIENT_SECRET"), orders, strict=True))
    known["DATABASE_URL"] = stack.settings("app.env")["DATABASE_URL"]
    try:
        done = subprocess.run(
            ["bash", "-ec", lines],
            cwd=ROOT, env=drill.environ(WORKERS="1", **known), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=250, check=False,
        )  # fmt: skip
    finally:
        if drill.run_dir.exists():
            drill.stop()
    assert 0 == done.returncode, done.stderr
    assert "\nallowed" in done.stdout or "\nrefused: unknown_route" in done.stdout
    assert "orders " in done.stdout
    assert not drill.run_dir.exists()
