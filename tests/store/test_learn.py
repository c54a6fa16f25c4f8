"""What the store learns in one round trip, and how each answer is read."""

import math
from typing import Any

import pytest

from app.gate import NEVER, NotBefore, World
from tests.service import DATASET, client_fields, secret_entry
from tests.store.conftest import Backend

NOW = 4_000_000_000


def fill(backend: Backend) -> None:
    mapping: Any = client_fields(secret_entry(secret_id="1"), audiences="u v", rate_per_s="7")
    backend.redis.hset("client:demo", mapping=mapping)
    backend.redis.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    backend.redis.hset("routes", mapping={"GET /a": "x y", "* /": ""})


def test_everything_is_learned_at_once(backend: Backend) -> None:
    """Client, not-befores, data set, revocation and routes."""
    fill(backend)
    backend.redis.set("notbefore:demo", "5")
    backend.redis.set("notbefore:*", "6.007")
    backend.redis.set(f"revoked:{DATASET}.j", "x")
    answers = backend.store.learn("demo", f"{DATASET}.j", world=True, routes=True)
    assert answers.holder
    assert answers.holder.client
    client = answers.holder.client
    assert (
        "demo",
        True,
        ("orders:read", "orders:write"),
        ("u", "v"),
        None,
        7,
        "1",
        NotBefore(5),
    ) == (
        client.client_id,
        client.is_active,
        client.scopes,
        client.audiences,
        client.ttl_s,
        client.rate_per_s,
        client.secrets[0].id,
        answers.holder.not_before,
    )
    assert (World(NotBefore(kill_ms=6007), DATASET), True) == (answers.world, answers.is_revoked)
    assert {"GET /a": "x y", "* /": ""} == answers.routes


def test_what_is_not_asked_is_none(backend: Backend) -> None:
    """Each part can be asked alone."""
    fill(backend)
    only_client = backend.store.learn("demo")
    only_jti = backend.store.learn(jti="j")
    only_world = backend.store.learn(world=True)
    only_routes = backend.store.learn(routes=True)
    assert only_client.holder
    assert (None, None, None) == (only_client.world, only_client.is_revoked, only_client.routes)
    assert (None, None, False, None) == (
        only_jti.holder,
        only_jti.world,
        only_jti.is_revoked,
        only_jti.routes,
    )
    assert World(NEVER, DATASET) == only_world.world
    assert only_routes.routes
    assert (None, None) == (only_routes.holder, only_routes.world)


def test_what_is_not_there_is_known_not_to_be_there(backend: Backend) -> None:
    """No client, no not-before, no revocation, no routes: certain answers all of them."""
    backend.redis.hset("dataset", "id", DATASET)
    answers = backend.store.learn("nobody", "j", world=True, routes=True)
    assert answers.holder
    assert (None, NEVER) == (answers.holder.client, answers.holder.not_before)
    assert (World(NEVER, DATASET), False, {}) == (
        answers.world,
        answers.is_revoked,
        answers.routes,
    )


def test_bytes_that_are_no_text_are_kept_as_they_are(backend: Backend) -> None:
    """A route in another encoding still matches the request's bytes."""
    backend.redis.hset("routes", mapping={b"GET /\xff": b"x"})
    assert {"GET /\udcff": "x"} == backend.store.learn(routes=True).routes


@pytest.mark.parametrize(
    ("text", "not_before"),
    [
        ("7", NotBefore(7)),
        ("7.2", NotBefore(8)),
        ("7.200", NotBefore(kill_ms=7200)),
        ("soon", NotBefore(math.inf)),
        ("", NotBefore(math.inf)),
    ],
)
def test_not_before_is_read_towards_the_safe_side(
    backend: Backend, text: str, not_before: NotBefore
) -> None:
    """Rounded up; what cannot be read kills everything."""
    backend.redis.set("notbefore:demo", text)
    holder = backend.store.learn("demo").holder
    assert holder
    assert not_before == holder.not_before


def test_ping_returns_when_redis_answers(backend: Backend) -> None:
    """And says nothing else."""
    backend.store.ping()
