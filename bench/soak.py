"""Memory over millions of warm requests: full of tokens, and then flat."""

from collections.abc import Callable
from typing import Any

from bench import load
from bench.gateway import resident_mb
from bench.load import Requests, write_requests
from bench.testbed import Testbed

REQUESTS = 3_000_000
TOKENS = 100_000
GOAL_MB = 150.0
_CHUNK_S = 10
_SETTLED = 1 / 3
"""By this share of the requests every worker has met every token. From here on memory is flat."""

_FLAT_MB = 3.0


def measure(
    testbed: Testbed, say: Callable[[str], None], requests: int = REQUESTS, tokens: int = TOKENS
) -> dict[str, Any]:
    """Return the resident memory of each worker, sampled between the chunks of a long load."""
    gateway, signer, target = testbed.fresh_gateway()
    say(f"soak: signing {tokens:,} tokens")
    questions = [target.entrance.call(token) for token in signer.sign(tokens)]
    usual = Requests(write_requests(testbed.folder / "soak", questions))
    del questions
    series: list[dict[str, Any]] = []
    done = 0
    while done < requests:
        done += load.run(target.entrance.port, usual, seconds=_CHUNK_S).requests
        sizes = [round(resident_mb(pid), 1) for pid in gateway.workers]
        series.append({"requests": done, "resident_mb": sizes})
        say(f"soak: {done:,} of {requests:,} requests, {sizes} MiB")
    return {
        "tokens": tokens,
        "requests": done,
        "series": series,
        "largest_mb": max(max(one["resident_mb"]) for one in series),
        "growth_mb": growth_mb(series),
        "is_flat": growth_mb(series) <= _FLAT_MB,
        "goal_mb": GOAL_MB,
    }


def growth_mb(series: list[dict[str, Any]]) -> float:
    """Return by how much the worker that grew most has grown since memory had settled."""
    total = series[-1]["requests"]
    settled = [one["resident_mb"] for one in series if one["requests"] >= total * _SETTLED]
    growth: list[float] = [
        last - first for first, last in zip(settled[0], settled[-1], strict=True)
    ]
    return round(max(growth), 1)
