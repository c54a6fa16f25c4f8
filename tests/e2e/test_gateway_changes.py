"""What ops change takes effect with the next request, on every worker."""

import itertools
import json
import os
import time
from collections.abc import Iterator

import pytest

from tests.forgery import claims_of
from tests.stack import ROOT, Credentials, Stack
from tests.wire import Connection, form
from tests.workers import ask_all, connections_to_workers, validate

NUMBERS = itertools.count()
NOT_BEFORE = (ROOT / "redis" / "not_before.lua").read_text()
ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))


@pytest.fixture
def workers(stack: Stack) -> Iterator[dict[int, Connection]]:
    """A connection to each of the two workers."""
    with connections_to_workers(stack) as found:
        yield found


@pytest.fixture
def client(stack: Stack) -> Iterator[Credentials]:
    """A client of a test's own, which both workers know by its token."""
    name = f"changing-{next(NUMBERS)}"
    yield stack.client_create(name, "demo:read demo:write")
    stack.script("client", "delete", name, "--yes")


def decided(
    workers: dict[int, Connection], token: str, scope: str = "", **names: str
) -> list[str | None]:
    """Return each worker's reason for what it says of a token."""
    answers = ask_all(workers, validate(token, scope, **names))
    return [answer.header("X-Auth-Reason") for answer in answers]


def minted(workers: dict[int, Connection], client: Credentials, **fields: str) -> list[str]:
    """Mint at each worker; return the scope that was granted, or the error."""
    asked = {
        "client_id": client[0],
        "client_secret": client[1],
        "grant_type": "client_credentials",
    }
    answers = [answer.json() for answer in ask_all(workers, form("/token", {**asked, **fields}))]
    return [answer.get("scope") or answer["error"] for answer in answers]


def test_disabled_client_is_shut_out_and_enabled_let_in(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Its tokens and its secret, on each worker; ten times in a row."""
    token = stack.mint(client)
    for _ in range(10):
        assert ["ok", "ok"] == decided(workers, token)
        assert ["demo:read"] * 2 == minted(workers, client, scope="demo:read")
        stack.script("client", "disable", client[0])
        assert ["client_disabled"] * 2 == decided(workers, token)
        assert ["invalid_client"] * 2 == minted(workers, client)
        stack.script("client", "enable", client[0])


def test_status_typed_into_redis_counts_as_well(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """A bare HSET, and a status that nobody knows, shut the client out."""
    token = stack.mint(client)
    for status in ("disabled", "Active", ""):
        stack.redis.hset(f"client:{client[0]}", "status", status)
        assert ["client_disabled"] * 2 == decided(workers, token), status
    stack.redis.hset(f"client:{client[0]}", "status", "active")
    assert ["ok", "ok"] == decided(workers, token)


def test_rotated_secret_works_beside_the_old_one_for_its_grace(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Both mint during the grace; without one the old secret is dead at once, tokens are not."""
    token = stack.mint(client)
    done = stack.script("client", "rotate", client[0], "--grace-s", "600", "--json")
    second = client[0], json.loads(done.stdout)["client_secret"]
    for one in (client, second):
        assert ["demo:read demo:write"] * 2 == minted(workers, one)
    done = stack.script("client", "rotate", client[0], "--grace-s", "0", "--json")
    third = client[0], json.loads(done.stdout)["client_secret"]
    for one in (client, second):
        assert ["invalid_client"] * 2 == minted(workers, one)
    assert ["demo:read demo:write"] * 2 == minted(workers, third)
    assert ["ok", "ok"] == decided(workers, token, "demo:read")


def test_changed_scopes_count_for_the_next_mint(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """A token keeps the scope that it was minted with."""
    token = stack.mint(client)
    stack.script("client", "scopes", client[0], "demo:read other")
    assert ["demo:read other"] * 2 == minted(workers, client)
    assert ["invalid_scope"] * 2 == minted(workers, client, scope="demo:write")
    assert ["ok", "ok"] == decided(workers, token, "demo:write")


def test_client_that_was_deleted_and_made_again_revives_nothing(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Its old tokens stay dead, one-time tokens too; the new ones work at once."""
    tokens = [stack.mint(client), stack.mint(client, "/ott")]
    stack.script("client", "delete", client[0], "--yes")
    for token in tokens:
        assert not {"ok"} & set(decided(workers, token))
    again = stack.client_create(client[0], "demo:read")
    for token in tokens:
        assert ["revoked", "revoked"] == decided(workers, token)
    assert ["ok", "ok"] == decided(workers, stack.mint(again))


def test_revoke_client_kills_what_is_out_and_nothing_that_comes(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Eight times within a second or two: which second it is does not blur the line."""
    other = stack.mint()
    for _ in range(8):
        token, once = stack.mint(client), stack.mint(client, "/ott")
        assert ["ok", "ok"] == decided(workers, token)
        stack.script("token", "revoke-client", client[0])
        for dead in (token, once):
            assert ["revoked", "revoked"] == decided(workers, dead)
        assert ["ok", "ok"] == decided(workers, stack.mint(client))
    assert ["ok", "ok"] == decided(workers, other)


def test_revoke_all_kills_everything_and_lets_everyone_mint_again(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Whose token it is does not matter, nor which worker knew it."""
    tokens = [stack.mint(client), stack.mint()]
    stack.script("token", "revoke-all", "--yes")
    for token in tokens:
        assert ["revoked", "revoked"] == decided(workers, token)
    for token in (stack.mint(client), stack.mint()):
        assert ["ok", "ok"] == decided(workers, token)


@pytest.mark.parametrize("kills", list(itertools.product(["client", "all"], repeat=3)))
def test_mints_between_kills_of_one_moment_survive_only_those_before(
    stack: Stack, workers: dict[int, Connection], client: Credentials, kills: tuple[str, ...]
) -> None:
    """What was minted before a kill is dead, what comes after it lives, in whatever order."""
    names = {"client": f"notbefore:{client[0]}", "all": "notbefore:*"}
    with stack.redis as ops:
        for _ in range(ROUNDS):
            dead: list[str] = []
            began = time.time()
            for kill in kills:
                dead.append(stack.mint(client))
                assert ["ok", "ok"] == decided(workers, dead[-1])
                ops.eval(NOT_BEFORE, 1, names[kill])
            alive = stack.mint(client)
            found = [decided(workers, token) for token in (*dead, alive)]
            assert [["revoked"] * 2] * len(kills) + [["ok"] * 2] == found
            assert int(began) <= claims_of(alive)["iat"] <= time.time()


def test_route_is_in_force_at_once(
    stack: Stack, workers: dict[int, Connection], client: Credentials
) -> None:
    """Set, changed and deleted routes hold for the next request on each worker."""
    token = stack.mint(client)
    asked = {"X_Original_URI": "/demo/routed/new/thing"}
    for _ in range(5):
        assert ["unknown_route"] * 2 == decided(workers, token, "@routes", **asked)
        stack.script("route", "set", "GET", "/demo/routed/new", "demo:read")
        assert ["ok", "ok"] == decided(workers, token, "@routes", **asked)
        stack.script("route", "set", "*", "/demo/routed/new/", "admin")
        assert ["missing_scope"] * 2 == decided(workers, token, "@routes", **asked)
        stack.script("route", "delete", "*", "/demo/routed/new/", "--yes")
        assert ["ok", "ok"] == decided(workers, token, "@routes", **asked)
        stack.script("route", "delete", "GET", "/demo/routed/new", "--yes")


def test_rate_is_shared_by_all_workers(stack: Stack, workers: dict[int, Connection]) -> None:
    """A client's allowance is its own, however many workers it meets."""
    hasty = stack.client_create("shared-rate", "demo:read", rate_per_s="10")
    asked, began = validate(stack.mint(hasty)) * 50, time.monotonic()
    for connection in workers.values():
        connection.send(asked)
    answers = [connection.receive() for connection in workers.values() for _ in range(50)]
    took_s = time.monotonic() - began
    stack.script("client", "delete", "shared-rate", "--yes")
    reasons = [answer.header("X-Auth-Reason") for answer in answers]
    assert {"ok", "rate_limited"} == set(reasons)
    assert 10 <= reasons.count("ok") <= 10 + 10 * took_s + 1


def test_rate_over_all_workers_is_kept_within_a_tenth(
    stack: Stack, workers: dict[int, Connection]
) -> None:
    """A second's burst and then the rate, while both workers are asked for far more."""
    rate_per_s, at_once = 500, 25
    steady = stack.client_create("steady", "demo:read", rate_per_s=str(rate_per_s))
    asked = validate(stack.mint(steady)) * at_once
    allowed, asked_s = 0, 0.0
    began = now = time.monotonic()
    while asked_s < 3:
        for connection in workers.values():
            connection.send(asked)
        for connection in workers.values():
            answers = [connection.receive() for _ in range(at_once)]
            allowed += sum(answer.status == 204 for answer in answers)
        before, now = now, time.monotonic()
        # What comes while the machine stands still may be lost to the client: it is not counted.
        asked_s += min(now - before, at_once / rate_per_s)
    stack.script("client", "delete", "steady", "--yes")
    assert 0.9 * rate_per_s * (1 + asked_s) <= allowed
    assert allowed <= 1.1 * rate_per_s * (1 + now - began)
