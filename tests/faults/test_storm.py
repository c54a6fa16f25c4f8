"""Every fault in turn, under a mixed load, each decision held against a model.

STORM_ROUNDS changes how many rounds of all faults there are, STORM_S how long each lasts.
"""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.e2e.mixed_load import Expected, Lane, Token, expired_tokens, read
from tests.faults.faults import FAULTS, Fault
from tests.stack import AS_SHIPPED, Credentials, Stack, until
from tests.wire import Answer, Closed

ROUNDS = int(os.environ.get("STORM_ROUNDS", "1"))
SECONDS = float(os.environ.get("STORM_S", "0.7"))
LANES = 6
AT_ONCE = 8


@dataclass
class StormLane(Lane):
    """A lane that outlives its connection, and knows which data set is in force."""

    stack: Stack | None = None
    lost: int = 0

    def turn(self) -> None:
        """Send some requests and check their answers; what is cut off is in doubt."""
        assert self.stack
        try:
            self.send(AT_ONCE)
            self.check()
        except (Closed, ConnectionError):
            # nginx closes a connection for good reasons too; nobody knows what was done.
            for expected in self.waiting:
                self._doubt(expected)
            self.lost += len(self.waiting)
            self.waiting.clear()
            self.connection.close()
            self.connection = self.stack.connect(timeout_s=30)

    def check(self) -> None:
        while self.waiting:
            expected = self.waiting[0]
            answer = self.connection.receive()
            self.waiting.pop(0)
            self.seen[f"{expected.kind} {answer.status}"] += 1
            if answer.status == 503:
                self._hold(expected, answer)
            elif not expected.token or expected.token.jti not in self.in_doubt:
                self._check(expected, answer)

    def _hold(self, expected: Expected, answer: Answer) -> None:
        assert answer.header("Retry-After"), (expected, answer)
        self._doubt(expected)

    def forget_all(self) -> None:
        """The data is lost: whatever was minted before must be refused from now on."""
        for name in ("good", "once", "spent"):
            self.pools["revoked"] += self.pools[name]
            self.pools[name] = []
        self.pools["revoked"] = self.pools["revoked"][-200:]


@contextmanager
def small_disk(stack: Stack) -> Iterator[bool]:
    """Give the gateway a file system of 32 MiB; tell whether this machine lets us."""
    folder = stack.run_dir
    size_mib = 32 + 16 * ROUNDS  # the logs of each round stay on it
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack(**AS_SHIPPED)
    with small_disk(made) as is_mounted, made:
        made.has_small_disk = is_mounted  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def lanes(stack: Stack) -> Iterator[list[StormLane]]:
    """Connections with tokens of three clients; tokens that are no good are kept by each."""
    clients = {name: stack.client_create(name, scopes) for name, scopes in CLIENTS.items()}
    expired = expired_tokens(stack, stack.client_create("short", "demo:read", ttl_s="1"), 2)
    with ExitStack() as open_connections:
        made = []
        for number in range(LANES):
            connection = open_connections.enter_context(stack.connect(timeout_s=30))
            pools: dict[str, list[Token]] = {name: [] for name in POOLS}
            lane = StormLane(connection, clients, random.Random(number), pools, stack=stack)
            lane.pools["expired"] = [*expired]
            refill(stack, lane)
            made.append(lane)
        yield made
        for lane in made:
            lane.connection.close()


CLIENTS = {"reader": "demo:read", "writer": "demo:write", "both": "demo:read demo:write"}
POOLS = ("good", "expired", "disabled", "once", "spent", "revoked")


def refill(stack: Stack, lane: StormLane) -> None:
    """Mint until there is enough to go on with."""
    while len(lane.pools["good"]) < 12:
        minted = [try_mint(stack, client) for client in lane.clients.values()]
        lane.pools["good"] += [read(raw) for raw in minted if raw]


def try_mint(stack: Stack, client: Credentials) -> str | None:
    answer = stack.asked_by(client, "/token", grant_type="client_credentials")
    assert answer.status in {200, 503}
    return str(answer.json()["access_token"]) if answer.status == 200 else None


def blow(stack: Stack, lanes: list[StormLane], fault: Fault) -> float:
    """Let one fault happen under load; return the seconds until all was well again."""
    for lane in lanes:
        lane.turn()
    with fault.hurt(stack):
        if fault.loses_data:
            for lane in lanes:
                lane.forget_all()
        until_s = time.monotonic() + SECONDS
        while time.monotonic() < until_s:
            for lane in lanes:
                lane.turn() if lane.pools["good"] else refill(stack, lane)
    ended = time.monotonic()
    client = next(iter(lanes[0].clients.values()))
    until(lambda: is_well(stack, client), 60, f"all is well after {fault.name}")
    took_s = time.monotonic() - ended
    for lane in lanes:
        refill(stack, lane)
        lane.turn()
    return took_s


def is_well(stack: Stack, client: Credentials) -> bool:
    raw = try_mint(stack, client)
    return raw is not None and stack.call("/demo/any", raw).status == 200


@pytest.mark.timeout(120 + 600 * ROUNDS)
def test_no_fault_gives_a_wrong_decision(stack: Stack, lanes: list[StormLane]) -> None:
    """Good is 200 or 503, whatever was revoked, spent, forged or lost is never let in again."""
    order = random.Random(1)
    faults = [one for one in FAULTS if one.name != "disk full" or stack.has_small_disk]  # type: ignore[attr-defined]
    slowest: dict[str, float] = {}
    for _ in range(ROUNDS):
        for fault in order.sample(faults, len(faults)):
            took_s = blow(stack, lanes, fault)
            slowest[fault.name] = max(took_s, slowest.get(fault.name, 0.0))
    seen = sum((lane.seen for lane in lanes), Counter[str]())
    print(f"\n{seen.total()} decisions, 0 wrong, {sum(lane.lost for lane in lanes)} cut off")
    print(dict(sorted(seen.items())))
    print("seconds until well:", {name: round(took_s, 2) for name, took_s in slowest.items()})
    assert {"good 200", "good 503", "revoked 401", "spent 401", "forged 401"} <= set(seen)
