"""Two gateways on one Redis: what one does holds at the other, and one of them can be restarted."""

import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.callers import Load, check
from tests.faults.front import Front
from tests.forgery import claims_of, decode
from tests.stack import ROOT, Credentials, Stack, kill, until
from tests.store.feed_harness import RedisServer
from tests.wire import Answer, Connection
from tests.workers import ask_all, connections_to_workers, settled, validate

ROUNDS = int(os.environ.get("GATEWAY_ROUNDS", "20"))
NOT_BEFORE = (ROOT / "redis" / "not_before.lua").read_text()
NUMBERS = itertools.count()
AFTERWARDS = (("revoke", 200), ("dead", 401))


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    """A Redis that no gateway owns."""
    with RedisServer() as server:
        with server.client() as ops:
            ops.flushall()
        yield server


@pytest.fixture(scope="module")
def gateways(
    shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Stack]]:
    """Two gateways, alike but for their ports and folders: one Redis, one keyring, one issuer."""
    shared = {
        "REDIS_URL": shared_redis.unix_url,
        "KEYS_DIR": str(tmp_path_factory.mktemp("keys") / "keys"),
        "ISSUER": "https://gateway.example",
    }
    with Stack(**shared) as one, Stack(**shared) as other:
        yield [one, other]


@pytest.fixture
def workers(gateways: list[Stack]) -> Iterator[dict[int, Connection]]:
    """A connection to each of the four workers."""
    with connections_to_workers(gateways[0]) as near, connections_to_workers(gateways[1]) as far:
        yield {**near, **far}


@pytest.fixture
def client(gateways: list[Stack]) -> Credentials:
    """A client of a test's own."""
    return gateways[0].client_create(f"shared-{next(NUMBERS)}", "demo:read demo:write")


def jti_of(token: str) -> str:
    return str(claims_of(token)["jti"])


def kid_of(token: str) -> object:
    return json.loads(decode(token.partition(".")[0]))["kid"]


def reasons(answers: list[Answer]) -> set[str | None]:
    return {answer.header("X-Auth-Reason") for answer in answers}


def test_second_gateway_leaves_the_demo_client_of_the_first_alone(gateways: list[Stack]) -> None:
    """Each `make up` has written a secret that works, whoever was first."""
    one, other = gateways
    assert one.demo[1] != other.demo[1]
    one.start()
    for stack, holder in itertools.product(gateways, gateways):
        assert 200 == status_of(stack, stack.mint(holder.demo))


def test_gateways_publish_the_same_keys_and_the_same_issuer(gateways: list[Stack]) -> None:
    """Whoever validates tokens by itself need not know which gateway has minted them."""
    for path in ("/.well-known/jwks.json", "/.well-known/oauth-authorization-server"):
        one, other = (stack.call(path).json() for stack in gateways)
        assert one == other


def test_key_that_one_gateway_rotates_signs_at_both(gateways: list[Stack]) -> None:
    """Each accepts what the other has signed, with the new key and with the one before."""
    before = [stack.mint() for stack in gateways]
    new = json.loads(gateways[0].script("key", "rotate", "--delay-s", "2", "--json").stdout)["kid"]
    for stack in gateways:
        until(lambda stack=stack: kid_of(stack.mint()) == new, what="it signs")  # type: ignore[misc]
    for stack, token in itertools.product(gateways, [*before, *(one.mint() for one in gateways)]):
        assert 200 == status_of(stack, token)


Revocation = Callable[[Stack, RedisServer, Credentials, str], object]


def by_kill(server: RedisServer, key: str) -> None:
    with server.client() as ops:
        ops.eval(NOT_BEFORE, 1, key)


def by_hand(server: RedisServer, token: str) -> None:
    with server.client() as ops:
        ops.set(f"revoked:{jti_of(token)}", "x", ex=60)


def by_status(server: RedisServer, client_id: str) -> None:
    with server.client() as ops:
        ops.hset(f"client:{client_id}", "status", "disabled")


REVOCATIONS: dict[str, Revocation] = {
    "/revoke": lambda stack, _, client, token: stack.revoke(token, client),
    "SET": lambda _, server, __, token: by_hand(server, token),
    "disable": lambda _, server, client, __: by_status(server, client[0]),
    "revoke-client": lambda _, server, client, __: by_kill(server, f"notbefore:{client[0]}"),
    "revoke-all": lambda _, server, __, ___: by_kill(server, "notbefore:*"),
}


@pytest.mark.parametrize("revoke", REVOCATIONS.values(), ids=REVOCATIONS)
def test_token_of_one_gateway_is_good_at_the_other_until_it_is_revoked_at_either(
    gateways: list[Stack],
    shared_redis: RedisServer,
    workers: dict[int, Connection],
    client: Credentials,
    revoke: Revocation,
) -> None:
    """Refused by every worker of both from the next request on, round after round."""
    for number in range(ROUNDS):
        minting, revoking = gateways[number % 2], gateways[number // 2 % 2]
        token = minting.mint(client)
        asked = validate(token, "demo:read")
        assert {"ok"} == reasons(settled(workers, asked))
        revoke(revoking, shared_redis, client, token)
        assert "ok" not in reasons(ask_all(workers, asked)), number
        assert reasons(settled(workers, asked)) <= {"revoked", "client_disabled"}
        with shared_redis.client() as ops:
            ops.hset(f"client:{client[0]}", "status", "active")


def test_scripts_at_one_gateway_hold_at_the_other(
    gateways: list[Stack], client: Credentials
) -> None:
    """As ops types it, through nginx and all."""
    one, other = gateways
    for words in (("token", "revoke-client", client[0]), ("client", "disable", client[0])):
        token = other.mint(client)
        assert [200, 200] == [status_of(stack, token) for stack in gateways]
        one.script(*words)
        assert [401, 401] == [status_of(stack, token) for stack in gateways]


def status_of(stack: Stack, token: str) -> int:
    """Call until there is an answer: a busy machine may say 503 before."""

    def decided() -> int | None:
        status = stack.call("/demo/read", token).status
        return None if status == 503 else status

    return until(decided, what="it is decided")


def test_one_time_token_is_spent_for_both(
    gateways: list[Stack], workers: dict[int, Connection], client: Credentials
) -> None:
    """Exactly one of four workers takes it, when all are asked at once."""
    for number in range(ROUNDS):
        token = gateways[number % 2].mint(client, "/ott")
        for pid, connection in workers.items():
            connection.send(validate(token, request_id=f"r{pid}"))
        found = Counter(one.receive().header("X-Auth-Reason") for one in workers.values())
        assert {"ok": 1, "spent": 3} == found


def test_rolling_restart_loses_no_request(gateways: list[Stack], client: Credentials) -> None:
    """Stopped and started again once the front sends nothing there any more."""
    with Front(gateways) as front, Load(front.address, client, "write revoke") as load:
        for stack in gateways:
            load.wait_for(50)
            stack.reload_nginx()
        load.wait_for(50)
        front.take_out(stack)
        stack.script("down")
        load.wait_for(50)
        stack.start()
        front.take_out()
        load.wait_for(100)
    check(load, gateways, *(("call", 200), ("write", 200), ("mint", 200)), *AFTERWARDS)


def test_gateway_that_dies_loses_no_get_and_no_mint(
    gateways: list[Stack], client: Credentials
) -> None:
    """The front asks the other one. What is not safe to repeat is not repeated."""
    with Front(gateways) as front, Load(front.address, client, "") as load:
        load.wait_for(50)
        stack = gateways[1]
        for pid in (stack.pid("nginx"), *stack.workers("nginx")):
            kill(pid)
        load.wait_for(100)
        stack.start()
        load.wait_for(100)
    check(load, gateways, ("call", 200), ("mint", 200))
