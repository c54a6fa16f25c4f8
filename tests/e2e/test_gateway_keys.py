"""Every algorithm on a stack of its own, and key rotation while calls go on."""

import base64
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.forgery import claims_of
from tests.stack import Stack, until
from tests.wire import pipeline, request
from tests.workers import ask_all, connections_to_workers, validate


def header_of(token: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    return found


def published(stack: Stack) -> dict[str, Any]:
    """Return the public keys by their kid."""
    answer = stack.call("/.well-known/jwks.json")
    assert "application/json" == answer.header("Content-Type")
    return {key["kid"]: key for key in answer.json()["keys"]}


@pytest.fixture(scope="module", params=["EdDSA", "RS256", "HS256"])
def signed(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, str]]:
    """A gateway that signs with another algorithm than the default one."""
    with Stack(ALG=request.param) as stack:
        yield stack, request.param


def test_algorithm_by_configuration_mints_and_validates(signed: tuple[Stack, str]) -> None:
    """The whole way, on each worker: mint, call, introspect, revoke; a changed signature is not."""
    stack, alg = signed
    token = stack.mint()
    assert alg == header_of(token)["alg"]
    head, payload, signature = token.split(".")
    changed = f"{head}.{payload}.{signature[:-10]}{'A' * 10}"
    with connections_to_workers(stack) as workers:
        for sent, status in ((token, 204), (changed, 401), (token, 204)):
            answers = ask_all(workers, validate(sent, "demo:read"))
            assert [status] * 2 == [answer.status for answer in answers]
    assert stack.asked_by(stack.demo, "/introspect", token=token).json()["active"] is True
    assert 200 == stack.call("/demo/read", token).status
    stack.revoke(token)
    assert 401 == stack.call("/demo/read", token).status


def test_published_keys_are_public(signed: tuple[Stack, str]) -> None:
    """The JWK set has the signing key, nothing private of it, and never a shared secret."""
    stack, alg = signed
    keys = published(stack)
    private = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
    assert not any(private & set(key) for key in keys.values())
    expected = set() if alg == "HS256" else {header_of(stack.mint())["kid"]}
    assert expected == set(keys)
    assert all((alg, "sig") == (key["alg"], key["use"]) for key in keys.values())


def test_metadata_lists_what_works(stack: Stack) -> None:
    """RFC 8414: the issuer to the byte, and endpoints that answer."""
    answer = stack.call("/.well-known/oauth-authorization-server")
    document = answer.json()
    assert stack.url == document["issuer"]
    endpoints = {name: url for name, url in document.items() if name.endswith(("_endpoint", "uri"))}
    assert {
        "token_endpoint": f"{stack.url}/token",
        "revocation_endpoint": f"{stack.url}/revoke",
        "introspection_endpoint": f"{stack.url}/introspect",
        "jwks_uri": f"{stack.url}/.well-known/jwks.json",
    } == endpoints
    for url in endpoints.values():
        assert 404 != stack.call(url.removeprefix(stack.url)).status


@pytest.fixture(scope="module")
def rotating() -> Iterator[Stack]:
    """A gateway whose keys are changed."""
    with Stack() as stack:
        yield stack


class Caller:
    """Mints and calls without pause, with every token that it has ever got."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._chance = random.Random(7517)
        self.tokens = [stack.mint() for _ in range(5)]

    def kid(self) -> str:
        """Return the key that signed the newest token."""
        return header_of(self.tokens[-1])["kid"]

    def call(self) -> None:
        """Mint one token, then make 30 calls with any: none may be refused."""
        self.tokens.append(self._stack.mint())
        sent = self._chance.choices(self.tokens, k=30)
        assert {200} == set(self.statuses(sent))

    def statuses(self, tokens: list[str]) -> list[int]:
        calls = [request("GET", "/demo/read", token=token) for token in tokens]
        return [answer.status for answer in pipeline(self._stack.address, calls)]


def test_rotation_and_retirement_under_load_refuse_no_live_token(rotating: Stack) -> None:
    """The new key is in the JWK set before it signs, the old one as long as a token of it may live.

    Only whoever wants them dead `--now` ends them.
    """
    caller = Caller(rotating)
    old = caller.kid()
    done = rotating.script("key", "rotate", "--alg", "EdDSA", "--delay-s", "5", "--json")
    new, signs_from_s = (json.loads(done.stdout)[name] for name in ("kid", "signs_from_s"))
    until(lambda: {old, new} == set(published(rotating)))
    while caller.kid() == old:
        caller.call()
    for _ in range(20):
        caller.call()
        assert new == caller.kid()

    fresh = [token for token in caller.tokens if header_of(token)["kid"] == new]
    assert signs_from_s <= min(claims_of(token)["iat"] for token in fresh), "it signed too soon"
    dying = [token for token in caller.tokens if header_of(token)["kid"] == old]
    rotating.script("key", "retire", old)
    assert {200} == set(caller.statuses(dying))
    assert {old, new} == set(published(rotating))
    rotating.script("key", "retire", old, "--now", "--yes")

    with connections_to_workers(rotating) as workers:

        def are_dead() -> bool:
            assert {200} == set(caller.statuses(fresh))
            answers = ask_all(workers, validate(dying[0]))
            return {401} == {one.status for one in answers}

        until(are_dead)
        assert [204] * 2 == [one.status for one in ask_all(workers, validate(fresh[0]))]
    assert {401} == set(caller.statuses(dying))
    assert {new} == set(published(rotating))


def test_rotation_and_retirement_hold_for_every_worker_once_the_script_has_ended(
    rotating: Stack,
) -> None:
    """Who mints, fetches the keys or calls next need not wait, whichever worker answers."""
    with connections_to_workers(rotating) as workers:
        for _ in range(5):
            old = rotating.mint()
            assert [204] * 2 == [one.status for one in ask_all(workers, validate(old))]
            made = json.loads(rotating.script("key", "rotate", "--delay-s", "0", "--json").stdout)
            until(lambda made=made: time.time() >= made["signs_from_s"])  # type: ignore[misc]
            token, kid = rotating.mint(), header_of(old)["kid"]
            assert {kid, header_of(token)["kid"]} <= set(published(rotating))
            assert header_of(token)["kid"] != kid
            assert [204] * 2 == [one.status for one in ask_all(workers, validate(token))]
            rotating.script("key", "retire", kid, "--now", "--yes")
            assert kid not in published(rotating)
            assert [401] * 2 == [one.status for one in ask_all(workers, validate(old))]
