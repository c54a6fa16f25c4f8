"""A location may declare that known tokens stay good for a while without Redis; others refuse."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.watch import BOUND_S
from tests.forgery import claims_of
from tests.patience import be_patient
from tests.stack import AS_SHIPPED, Stack, until
from tests.store.feed_harness import RedisServer
from tests.wire import Answer, Connection, ask, request
from tests.workers import ask_all, connections_to_workers, settled, validate

STALE_S = 8
STALE_FOR_LONG = "60"
ROUNDS = int(os.environ.get("STALE_ROUNDS", "3"))
LOCATIONS = f"""
        location /stale/ {{
            set $portcullis_scope "demo:read";
            set $portcullis_stale {STALE_S};
            include portcullis-protect.conf;
            proxy_pass http://demo;
        }}
        location /stale/routed/ {{
            set $portcullis_scope "@routes";
            set $portcullis_stale {STALE_S};
            include portcullis-protect.conf;
            proxy_pass http://demo;
        }}
        location /denied/ {{
            set $portcullis_scope "demo:write";
            set $portcullis_stale {STALE_S};
            include portcullis-protect.conf;
            proxy_pass http://demo;
        }}
"""
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer(*DURABLE) as server:
        with server.client() as ops:
            ops.flushall()
        yield server


@pytest.fixture(scope="module")
def stack(redis_server: RedisServer) -> Iterator[Stack]:
    """A gateway on a Redis of the tests' own, with locations that declare staleness."""
    with Stack(REDIS_URL=redis_server.unix_url, **AS_SHIPPED) as stack:
        config = stack.run_dir / "nginx" / "nginx.conf"
        before = "        location = /demo/any {"
        config.write_text(config.read_text().replace(before, LOCATIONS + before))
        stack.script("route", "set", "GET", "/stale/routed/", "demo:read")
        be_patient(config.parent)  # how long it waits for the app is not what this is about
        stack.reload_nginx()
        yield stack


@pytest.fixture(scope="module")
def patient(stack: Stack, redis_server: RedisServer) -> Iterator[Stack]:
    """Another gateway, alike, that waits longer for Redis before it goes by what it knows."""
    alike = {"KEYS_DIR": str(stack.run_dir / "keys"), "ISSUER": stack.url}
    with Stack(REDIS_URL=redis_server.unix_url, **alike) as other:
        yield other


@pytest.fixture
def workers(stack: Stack) -> Iterator[dict[int, Connection]]:
    with connections_to_workers(stack) as found:
        yield found


def seen_by_all(stack: Stack, workers: dict[int, Connection]) -> str:
    """Return a token that every worker has judged, for the route table too."""
    token = stack.mint(scope="demo:read")
    for scope in ("demo:read", "@routes"):
        asked = validate(token, scope, X_Original_URI="/stale/routed/x")
        assert [204, 204] == [answer.status for answer in settled(workers, asked)]
    return token


def kill(server: RedisServer) -> None:
    server.kill()


def freeze(server: RedisServer) -> None:
    server.freeze()


class Timed:
    """Calls of many kinds, over and over, with when each began."""

    def __init__(self, stack: Stack, calls: dict[str, tuple[str, str]]) -> None:
        self._stack = stack
        self._calls = calls
        self.seen: list[tuple[str, float, float, Answer]] = []

    def run(self, until_s: float) -> None:
        """Call until then, on the monotonic clock, and each once more after it."""
        now = 0.0
        while now < until_s:
            now = time.monotonic()
            for name, (path, token) in self._calls.items():
                began = time.monotonic()
                answer = self._stack.call(path, token)
                self.seen.append((name, began, time.monotonic() - began, answer))

    def statuses(self, name: str, since: float, before: float = float("inf")) -> set[int]:
        return {
            answer.status
            for each, began, _, answer in self.seen
            if each == name and since <= began < before
        }


@pytest.mark.parametrize("fault", [kill, freeze])
def test_known_tokens_stay_good_for_as_long_as_is_declared_and_no_others(
    stack: Stack,
    patient: Stack,
    workers: dict[int, Connection],
    redis_server: RedisServer,
    fault: Callable[[RedisServer], None],
) -> None:
    """While Redis is killed or frozen; elsewhere it is 503 at once, and it comes back by itself."""
    token, dead, never = seen_by_all(stack, workers), stack.mint(), stack.mint()
    once = stack.mint(path="/ott", scope="demo:read")
    stack.revoke(dead)
    refused = settled(workers, validate(dead, "demo:read"))
    assert ["revoked", "revoked"] == [answer.header("X-Auth-Reason") for answer in refused]
    before = stale_decisions(stack)
    calls = {
        "stale": ("/stale/", token),
        "routed": ("/stale/routed/x", token),
        "denied": ("/denied/", token),
        "other": ("/demo/any", token),
        "dead": ("/stale/", dead),
        "never": ("/stale/", never),
        "once": ("/stale/", once),
    }
    fault(redis_server)
    gone_at = time.monotonic()
    timed = Timed(stack, calls)
    timed.run(gone_at + STALE_S + 1)
    assert_as_declared(timed, gone_at)
    for name in calls:
        assert {503} == timed.statuses(name, gone_at + STALE_S), name
    mend(redis_server)
    if fault is kill:  # a frozen Redis may have been told in its last moment to spend it
        assert 200 == until(lambda: patient.call("/demo/any", once).status % 503)
    wait_until_served(stack, token)
    assert 401 == until(lambda: stack.call("/stale/", dead).status % 503)
    assert stale_decisions(stack) > before
    told_of_it(stack, token)


def assert_as_declared(timed: Timed, gone_at: float) -> None:
    """Good tokens stayed good for a while where that is declared, and nothing else did."""
    assert [{200}, {200}, {403}] == [
        timed.statuses(name, gone_at, gone_at + 1) for name in ("stale", "routed", "denied")
    ]
    assert {401, 503} == timed.statuses("dead", gone_at)
    for name in ("never", "once"):
        assert {503} == timed.statuses(name, gone_at)
    assert {503} == timed.statuses("other", gone_at + 2 * BOUND_S)


def wait_until_served(stack: Stack, token: str) -> None:
    until(lambda: stack.call("/demo/any", token).status == 200, what="the token is good")
    until(lambda: is_spent_well(stack), what="one-time tokens are good")


def is_spent_well(stack: Stack) -> bool:
    """Tell whether a new one-time token works; one whose answer came too late is used up."""
    once = stack.mint(path="/ott", scope="demo:read")
    return stack.call("/stale/", once).status == 200


def mend(server: RedisServer) -> None:
    if server.is_running():
        server.thaw()
    else:
        server.start()


def stale_decisions(stack: Stack) -> int:
    text = ask(stack.ops_address, request("GET", "/metrics")).body.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("portcullis_stale_d")]
    return int(float(line.split()[1]))


def told_of_it(stack: Stack, token: str) -> None:
    """The log has when a worker began and when it ended; the access log each such call."""

    def is_told() -> bool:
        stack.call("/stale/", stack.mint())
        lines = (stack.run_dir / "log" / "app.log").read_text().splitlines()
        messages = [str(entry_of(line).get("message")) for line in lines]
        told = [message for message in messages if "from what was known" in message]
        begun = sum(message.startswith("answering from") for message in told)
        return begun > 0 and len(told) == 2 * begun

    until(is_told, what="the end is told")
    until(lambda: [one for one in stack.access_log(reason="ok") if one["stale_s"]] != [])
    for one in stack.access_log(reason="ok"):
        assert one["stale_s"] == "" or float(one["stale_s"]) <= STALE_S
    assert token not in (stack.run_dir / "log" / "app.log").read_text()


def entry_of(line: str) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return entry


def test_revocation_in_the_moment_that_redis_comes_back_counts_at_once(
    patient: Stack, redis_server: RedisServer
) -> None:
    """No worker knows yet that it is back; each looks before it goes by what it knew."""
    with connections_to_workers(patient) as workers:
        for _ in range(ROUNDS):
            token = seen_by_all(patient, workers)
            asked = validate(token, X_Allow_Stale=STALE_FOR_LONG)
            redis_server.kill()
            assert {204} == {answer.status for answer in ask_all(workers, asked)}
            redis_server.start()
            with redis_server.client() as ops:
                ops.set(f"revoked:{jti_of(token)}", "x", ex=60)
            for _ in range(5):
                assert 204 not in {answer.status for answer in ask_all(workers, asked)}
            until(lambda: [401, 401] == [answer.status for answer in ask_all(workers, asked)])  # noqa: B023


def test_revocation_while_redis_is_frozen_counts_when_it_is_not(
    stack: Stack, workers: dict[int, Connection], redis_server: RedisServer
) -> None:
    """It is done when Redis is thawed; nobody waits for it longer than a moment then."""
    token = seen_by_all(stack, workers)
    asked = validate(token, X_Allow_Stale=STALE_FOR_LONG)
    redis_server.freeze()
    with redis_server.client() as ops:
        revoking = threading.Thread(target=lambda: ops.set(f"revoked:{jti_of(token)}", "x", ex=60))
        revoking.start()
        until(lambda: [204, 204] == [answer.status for answer in ask_all(workers, asked)])
        redis_server.thaw()
        revoking.join()
    until(lambda: [401, 401] == [answer.status for answer in ask_all(workers, asked)], 20)
    for _ in range(50):
        assert [401, 401] == [answer.status for answer in ask_all(workers, asked)]


def jti_of(token: str) -> str:
    return str(claims_of(token)["jti"])
