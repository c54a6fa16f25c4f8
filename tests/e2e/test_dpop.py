"""DPoP through nginx, with nonces: a third-party client mints and calls, and thieves do not."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.test_third_party_node import FOLDER, NODE
from tests.processes import until
from tests.prover import Prover
from tests.stack import Stack
from tests.wire import Answer, ask, request
from tests.workers import ask_all, connections_to_workers

ALGORITHMS = ("ES256", "Ed25519", "PS256", "RS256")
MINE = Prover()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A gateway that asks for nonces, and whose demo client gets bound tokens alone."""
    with Stack(DPOP_NONCE="1") as stack:
        stack.script("route", "set", "GET", "/demo/routed/", "demo:read")
        stack.redis.hset("client:demo", "dpop_bound_access_tokens", "true")
        yield stack


@pytest.fixture(scope="module")
def seen(stack: Stack) -> dict[str, Any]:
    """What oauth4webapi's client reports; see the end of node/dpop.mjs."""
    client_id, secret = stack.demo
    task = {"issuer": stack.url, "client_id": client_id, "client_secret": secret, "resources": []}
    done = subprocess.run(
        [NODE, FOLDER / "dpop.mjs"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert not done.stderr, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


class Caller:
    """Somebody with a key, a token that is bound to it, and the newest nonce."""

    def __init__(self, stack: Stack, path: str = "/token") -> None:
        self._stack = stack
        self.nonce = ""
        for _ in range(2):
            proof = MINE.proof("POST", stack.url + path, time.time(), nonce=self.nonce)
            client_id, secret = stack.demo
            form = {"client_id": client_id, "client_secret": secret}
            answer = stack.form(path, {**form, "grant_type": "client_credentials"}, {"DPoP": proof})
            self.nonce = answer.header("DPoP-Nonce") or ""
        self.token = str(answer.json()["access_token"])

    def proof(self, path: str = "/demo/any", by: Prover = MINE, **changes: Any) -> str:
        claims = {"nonce": self.nonce, **changes}
        return by.proof("GET", self._stack.url + path, time.time(), self.token, **claims)

    def call(
        self, proof: str | None, path: str = "/demo/any", scheme: str = "DPoP", **more: str
    ) -> Answer:
        headers = {"Authorization": f"{scheme} {self.token}", **more}
        if proof is not None:
            headers["DPoP"] = proof
        data = request("GET", path, headers, host=f"127.0.0.1:{self._stack.http_port}")
        return ask(self._stack.address, data)


@pytest.fixture
def caller(stack: Stack) -> Caller:
    return Caller(stack)


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and error, which the challenge and the body agree about; there is one challenge."""
    (challenge,) = answer.all("WWW-Authenticate")
    error = str(answer.json()["error"])
    assert challenge.startswith("DPoP ")
    assert f'error="{error}"' in challenge
    return answer.status, error


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_library_mints_and_calls_with_its_key(seen: dict[str, Any], alg: str) -> None:
    """Query, fragment, escapes and the method are as its proofs say them."""
    one = seen["outcome"][alg]
    assert ("dpop", {"jkt": one["jkt"]}) == (
        one["minted"]["token_type"],
        one["introspected"]["cnf"],
    )
    assert "DPoP" == one["introspected"]["token_type"]
    paths = ("/demo/read", "/demo/write", "/demo/routed/a b/c")
    for call, path in zip(("read", "written", "routed"), paths, strict=True):
        assert "demo" == one[call]["headers"]["x-auth-client-id"]
        assert path == one[call]["path"]


def test_library_is_asked_for_a_nonce_once(seen: dict[str, Any]) -> None:
    """The first proof has none; each answer brings the next, so no call is ever repeated."""
    assert ["mint"] * 5 == seen["challenged"]
    assert set(ALGORITHMS) <= set(seen["algs"])
    for alg in ALGORITHMS:
        assert seen["outcome"][alg]["read"]["nonce"]


def test_upstream_sees_neither_token_nor_proof(seen: dict[str, Any]) -> None:
    """They are the gateway's business."""
    for alg in ALGORITHMS:
        assert not {"authorization", "dpop"} & set(seen["outcome"][alg]["read"]["headers"])


def test_one_time_token_is_good_once_and_for_its_key_alone(seen: dict[str, Any]) -> None:
    """Neither another key nor leaving the proof out spends it."""
    once = seen["once"]
    assert "dpop" == once["minted"]["token_type"]
    assert [401, 401, 401] == [once[one]["status"] for one in ("stolen", "plain", "again")]
    assert "demo" == once["called"]["headers"]["x-auth-client-id"]


def test_proof_is_good_once_through_nginx(caller: Caller) -> None:
    """The second request with it is told so."""
    proof = caller.proof()
    assert 200 == caller.call(proof).status
    assert (401, "invalid_dpop_proof") == error_of(caller.call(proof))
    assert 200 == caller.call(caller.proof()).status


def test_proof_is_good_on_one_worker_alone(stack: Stack, caller: Caller) -> None:
    """Shown to both at once, one takes it; after that none does."""
    headers = {
        "Authorization": f"DPoP {caller.token}",
        "X-Original-Method": "GET",
        "X-Original-URL": f"{stack.url}/demo/any",
    }
    with connections_to_workers(stack) as connections:
        assert len(connections) == 2
        for _ in range(5):
            sent = {**headers, "DPoP": caller.proof()}
            data = request("GET", "/validate?path=decoded", sent)
            first, then = ask_all(connections, data), ask_all(connections, data)
            assert [204, 401] == sorted(answer.status for answer in first)
            assert [401, 401] == [answer.status for answer in then]


@pytest.mark.parametrize("nonce", ["", "forged", "AAAAAAAAAAAAAAAAAAAAAA"])
def test_call_without_a_nonce_of_ours_is_told_one(caller: Caller, nonce: str) -> None:
    """nginx hands on the challenge, the nonce, and a body that says the same."""
    answer = caller.call(caller.proof(nonce=nonce))
    assert (401, "use_dpop_nonce") == error_of(answer)
    caller.nonce = answer.header("DPoP-Nonce") or ""
    allowed = caller.call(caller.proof())
    assert 200 == allowed.status
    assert allowed.header("DPoP-Nonce")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_bound_token_as_plain_bearer_is_refused(caller: Caller, scheme: str) -> None:
    """With its proof, and without."""
    for proof in (caller.proof(), None):
        assert (401, "invalid_token") == error_of(caller.call(proof, scheme=scheme))


def test_stripped_proof_is_refused(caller: Caller) -> None:
    """The scheme alone is nothing."""
    assert (401, "invalid_dpop_proof") == error_of(caller.call(None))


def test_proof_by_another_key_is_refused(caller: Caller) -> None:
    """A stolen token, and a thief's own key."""
    assert (401, "invalid_token") == error_of(caller.call(caller.proof(by=Prover())))


def test_client_cannot_say_where_its_call_went(stack: Stack, caller: Caller) -> None:
    """A proof for elsewhere counts nowhere, whatever headers come with it."""
    lured = caller.proof(htu="http://evil.example/demo/any")
    url = {"X-Original-URL": "http://evil.example/demo/any"}
    data = {"Authorization": f"DPoP {caller.token}", "DPoP": lured}
    for host, more in (("evil.example", {}), (f"127.0.0.1:{stack.http_port}", url)):
        answer = ask(stack.address, request("GET", "/demo/any", {**data, **more}, host=host))
        assert (401, "invalid_dpop_proof") == error_of(answer)
    absolute = request("GET", "http://evil.example/demo/any", data, host=stack.url[7:])
    assert (401, "invalid_dpop_proof") == error_of(ask(stack.address, absolute))


def test_other_gateways_get_no_bound_token_through(stack: Stack, caller: Caller) -> None:
    """What they pass on of their clients' may be a URL that the client has chosen."""
    headers = {
        "Authorization": f"DPoP {caller.token}",
        "DPoP": caller.proof(),
        "X-Original-Method": "GET",
        "X-Original-URL": f"{stack.url}/demo/any",
    }
    answer = ask(stack.ops_address, request("GET", "/validate", headers))
    assert (401, "wrong_proof") == (answer.status, answer.header("X-Auth-Reason"))


def test_second_proof_beside_a_good_one_goes_nowhere(stack: Stack, caller: Caller) -> None:
    """nginx before 1.23 knows but the first of several headers; a newer one joins them to none."""
    good, other = caller.proof(), caller.proof()
    data = [("Authorization", f"DPoP {caller.token}"), ("DPoP", good), ("DPoP", other)]
    answer = ask(stack.address, request("GET", "/demo/any", data, host=stack.url[7:]))
    if answer.status == 200:
        assert "dpop" not in answer.json()["headers"]
        assert (401, "invalid_dpop_proof") == error_of(caller.call(good))
    else:
        assert (401, "invalid_dpop_proof") == error_of(answer)
    assert 200 == caller.call(other).status


def test_two_proofs_are_refused_by_the_app(stack: Stack, caller: Caller) -> None:
    """Two headers that do arrive are no proof, and use up neither (RFC 9449 §4.3, 1)."""
    good = caller.proof()
    data = [
        ("Authorization", f"DPoP {caller.token}"),
        ("DPoP", good),
        ("DPoP", caller.proof()),
        ("X-Original-Method", "GET"),
        ("X-Original-URL", f"{stack.url}/demo/any"),
    ]
    answer = ask(stack.app_address, request("GET", "/validate", data))
    assert (401, "wrong_proof") == (answer.status, answer.header("X-Auth-Reason"))
    assert 200 == caller.call(good).status


def test_bound_token_is_undecided_without_redis(stack: Stack, caller: Caller) -> None:
    """Nobody knows whether its proof is new; when Redis is back, so is the call."""
    stack.freeze("redis")
    try:
        answer = caller.call(caller.proof())
        assert (503, "1") == (answer.status, answer.header("Retry-After"))
    finally:
        stack.thaw("redis")
    until(lambda: caller.call(caller.proof()).status == 200, what="bound calls pass again")


def test_plain_mint_of_a_client_that_must_bind_is_refused(stack: Stack) -> None:
    """dpop_bound_access_tokens in its record."""
    answer = stack.asked_by(stack.demo, "/token", grant_type="client_credentials")
    assert (400, "invalid_dpop_proof") == (answer.status, answer.json()["error"])
