"""A whole gateway on a cluster: everything works, and goes on working while the cluster changes."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from redis.crc import key_slot

import redis
from tests.cluster.model import ClusterModel
from tests.cluster.redis_cluster import QUICK_MS, RedisCluster
from tests.cluster.users import PASSWORD, known_to
from tests.forgery import claims_of
from tests.processes import until
from tests.stack import Stack
from tests.wire import ask, request
from tests.workers import ask_all, connections_to_workers, validate

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stack(redis_cluster: RedisCluster) -> Iterator[Stack]:
    for port in redis_cluster.ports:
        if redis_cluster.is_primary(port):
            redis_cluster.run(port, "FLUSHALL")
    with Stack(REDIS_URL=redis_cluster.url, REDIS_TIMEOUT_MS="900") as stack:
        yield stack


@pytest.fixture
def model(stack: Stack, redis_cluster: RedisCluster) -> Iterator[ClusterModel]:
    """Load that begins now; in the end the cluster is whole, and nothing was decided wrongly."""
    model = ClusterModel(stack, redis_cluster)
    with model:
        look_around(stack, model.good)
        yield model
        redis_cluster.mend()
        model.wait_until_served()
        until(lambda: model.tried["set"] > 5, timeout_s=60, what="tokens are revoked by SET")
    print(dict(sorted(model.tried.items())))
    assert [] == model.wrong
    model.check_all()
    assert 0 == model.tried["data sets ended"], "what was acknowledged had all arrived"


def look_around(stack: Stack, token: str) -> None:
    """Have each worker find out who is there, which takes a heartbeat or two."""
    with connections_to_workers(stack) as workers:
        for _ in range(12):
            ask_all(workers, validate(token))
            time.sleep(0.05)


def test_tokens_and_their_ends(stack: Stack) -> None:
    """Minted, called with, spent once, revoked, killed; disabled and enabled."""
    token, other, once = stack.mint(), stack.mint(), stack.mint(path="/ott")
    assert [200, 200] == [
        stack.call(path, token).status for path in ("/demo/any", "/demo/routed/read")
    ]
    assert [200, 401] == [stack.call("/demo/any", once).status for _ in range(2)]
    stack.revoke(token)
    assert [401, 200] == [stack.call("/demo/any", one).status for one in (token, other)]
    stack.script("client", "disable", "demo")
    assert 401 == stack.call("/demo/any", other).status
    stack.script("client", "enable", "demo")
    assert 200 == stack.call("/demo/any", other).status
    for kill in (("revoke", other), ("revoke-client", "demo"), ("revoke-all", "--yes")):
        fresh = stack.mint()
        assert 200 == stack.call("/demo/any", fresh).status
        stack.script("token", kill[0], *(kill[1:] if kill[0] != "revoke" else (fresh,)))
        assert 401 == stack.call("/demo/any", fresh).status


def test_scripts_find_what_lies_on_different_nodes(
    stack: Stack, redis_cluster: RedisCluster
) -> None:
    """As ops: clients are listed from all nodes, routes and the trail from theirs."""

    def script(name: str, *arguments: str) -> str:
        return stack.script(
            name, *arguments, REDIS_URL=redis_cluster.url_of("ops", PASSWORD)
        ).stdout

    names = [f"client{number}" for number in range(4)]
    with known_to(redis_cluster):
        for name in names:
            script("client", "create", name, "--scopes", "a:read")
        listed = json.loads(script("client", "list", "--json"))
        assert {"demo", *names} == {one["client_id"] for one in listed}
        script("client", "rotate", "client1")
        script("client", "delete", "client1", "--yes")
        script("route", "set", "GET", "/a/", "a:read")
        assert "/a/" in script("route", "list")
        assert "client_delete" in script("audit", "--client", "client1")
        why = script("token", "why", stack.mint(), "GET", "/demo/routed/read")
        assert "allowed" in why.splitlines()
        assert "ES256" in script("key", "list")


def test_gateway_says_that_it_is_ready(stack: Stack) -> None:
    """All nodes answer, and announce their changes."""
    answer = ask(stack.ops_address, request("GET", "/health/ready"))
    assert {"redis": "ok", "dataset": "ok", "feed": "ok"} == answer.json()["dependencies"]


def test_slots_that_move_and_a_failover_in_order_break_nothing(
    model: ClusterModel, redis_cluster: RedisCluster
) -> None:
    """Slots move: of the data set, the client, the routes, the trail; then a replica takes over."""
    keys = ("dataset", "client:demo", "notbefore:demo", "notbefore:*", "routes", "audit")
    slots = [key_slot(key.encode()) for key in keys] + list(range(100, 16_000, 4000))
    began = time.monotonic()
    for slot in slots:
        source = redis_cluster.owner_of_slot(slot)
        target = next(
            one for one in redis_cluster.ports if one != source and redis_cluster.is_primary(one)
        )
        redis_cluster.move_slot(slot, source, target)
    redis_cluster.take_over(redis_cluster.replica_of(redis_cluster.owner("dataset")))
    model.wait_until_served()
    print(f"in order: {model.outage_s(began):.2f} s without a decision")


def test_killed_primary_of_the_data_set_is_replaced(
    model: ClusterModel, redis_cluster: RedisCluster
) -> None:
    """Without it nothing can be decided; with its replica, all that was good still is."""
    port = redis_cluster.owner("dataset")
    replica = redis_cluster.replica_of(port)
    redis_cluster.be_patient(QUICK_MS)
    began = time.monotonic()
    redis_cluster.kill(port)
    until(lambda: redis_cluster.is_primary(replica), timeout_s=60, what="its replica takes over")
    model.wait_until_served()
    print(f"killed: {model.outage_s(began):.2f} s without a decision")


def test_frozen_primary_of_the_data_set_is_replaced_and_what_it_says_at_last_counts(
    stack: Stack, model: ClusterModel, redis_cluster: RedisCluster
) -> None:
    """Going on, it does not know yet that it is deposed, and may say OK to what it was asked."""
    port = redis_cluster.owner("dataset")
    replica, token = redis_cluster.replica_of(port), token_of(stack, redis_cluster, port)
    redis_cluster.be_patient(QUICK_MS)
    with redis_cluster.client(port) as client:
        connection: Any = client.connection_pool.get_connection()
        began = time.monotonic()
        redis_cluster.freeze(port)
        connection.send_command("SET", f"revoked:{claims_of(token)['jti']}", "x")
        until(lambda: redis_cluster.is_primary(replica), timeout_s=60, what="its replica is it")
        model.wait_until_served()
        print(f"frozen: {model.outage_s(began):.2f} s without a decision")
        assert 200 == until(lambda: stack.call("/demo/any", token).status % 503)
        redis_cluster.thaw(port)
        with suppress(redis.ResponseError):
            assert "OK" == connection.read_response()
            assert {stack.call("/demo/any", token).status for _ in range(8)} <= {401, 503}
            assert 401 == until(lambda: stack.call("/demo/any", token).status % 503)
            print("what it acknowledged at last counts")


def token_of(stack: Stack, cluster: RedisCluster, port: int) -> str:
    """Return a token whose revocation belongs to a node."""
    tokens = (stack.mint() for _ in range(100))
    return next(one for one in tokens if cluster.owner(f"revoked:{claims_of(one)['jti']}") == port)
