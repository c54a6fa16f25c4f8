"""Latency at a fixed rate: requests leave on time, whether or not the answers do (open loop)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench import load
from bench.entrances import Straight
from bench.gateway import Gateway
from bench.load import Requests, write_requests
from bench.testbed import Testbed
from bench.warming import warm
from tests.wire import Connection

_TOKENS = 5_000
_NEW_ONE_IN = 100
_CONNECTIONS = 250
_LOOKS = 20
_ROOM = "8gb"


@dataclass(frozen=True, slots=True)
class Stage:
    """So many requests a second while so many clients are registered, and what is hoped for."""

    per_s: int
    clients: int
    seconds: int
    p50_goal_ms: float | None = None
    p95_goal_ms: float | None = None


STAGES = (
    Stage(1_700, 100_000, 20, 1, 3),
    Stage(8_000, 500_000, 20, None, 8),
    Stage(20_000, 1_000_000, 20, None, 20),
)
QUICK_STAGES = (Stage(1_700, 10_000, 2, 1, 3),)


def measure(
    testbed: Testbed, stages: Sequence[Stage], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return what came of each stage. Tokens are of clients anywhere among those registered."""
    gateway = testbed.gateway("ES256")
    _make_room(gateway)
    return [_run(testbed, gateway, stage, say) for stage in stages]


def _make_room(gateway: Gateway) -> None:
    """Let the private Redis take a million clients, and not rewrite its file meanwhile."""
    gateway.stack.redis.config_set("maxmemory", _ROOM)
    gateway.stack.redis.config_set("auto-aof-rewrite-percentage", "0")


def _run(
    testbed: Testbed, gateway: Gateway, stage: Stage, say: Callable[[str], None]
) -> dict[str, Any]:
    target = testbed.target("ES256", "nginx")
    say(f"fixed rate: registering {stage.clients:,} clients")
    testbed.signer("ES256").add_clients(stage.clients)
    slowest_s = _let_them_hear(testbed, gateway)
    requests = _requests(testbed, gateway, stage)
    say(f"fixed rate: {stage.per_s:,} requests a second for {stage.seconds} s")
    found = load.run(
        target.entrance.port,
        requests,
        seconds=stage.seconds,
        connections=_CONNECTIONS,
        per_s=stage.per_s,
    )
    return {
        **asdict(stage),
        **asdict(found),
        "is_kept_up": found.requests_per_s >= 0.98 * stage.per_s,
        "slowest_after_loading_ms": round(slowest_s * 1000, 1),
    }


def _requests(testbed: Testbed, gateway: Gateway, stage: Stage) -> Requests:
    """Warm tokens of clients at random, and enough new ones."""
    signer, entrance = testbed.signer("ES256"), testbed.target("ES256", "nginx").entrance
    usual = [entrance.call(token) for token in signer.sign(_TOKENS)]
    warm(gateway, usual)
    count = 2 * stage.per_s * stage.seconds // _NEW_ONE_IN
    new = [entrance.call(token) for token in signer.sign(count)]
    return Requests(
        write_requests(testbed.folder / "rate-usual", usual),
        write_requests(testbed.folder / "rate-new", new),
        _NEW_ONE_IN,
    )


def _let_them_hear(testbed: Testbed, gateway: Gateway) -> float:
    """Let idle workers take in the news of all these clients; return the slowest answer, in s.

    Each look is on a connection of its own, so that every worker gets some.
    """
    question = Straight(gateway.straight_port).call(testbed.signer("ES256").sign(1)[0])
    slowest_s = 0.0
    for _ in range(_LOOKS):
        begun = time.monotonic()
        connection = Connection(("127.0.0.1", gateway.straight_port), timeout_s=60)
        answer = connection.ask(question.data)
        connection.close()
        slowest_s = max(slowest_s, time.monotonic() - begun)
        if answer.status != question.status:
            raise load.WrongAnswer(f"after loading clients: {answer.status}")
    return slowest_s
