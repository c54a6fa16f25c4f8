"""One run of wrk: requests from files, answers counted, wrong ones not forgiven."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.entrances import Question
from tests.wire import Connection

_SCRIPT = Path(__file__).with_name("load.lua")
_MARK = "bench "


class WrongAnswer(Exception):
    """The server said something else than it had to, or nothing. No figure stands on that."""


class RanOut(Exception):
    """There were fewer requests to be sent once than the server could answer."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Files of requests: `usual` in turn; `rare` once each, one in every `every`."""

    usual: Path | None = None
    rare: Path | None = None
    every: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What wrk saw. Latencies are of whole requests, as the client feels them."""

    requests: int
    refused: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    behind_ms: float


def write_requests(path: Path, questions: Sequence[Question]) -> Path:
    """Write questions as load.lua reads them."""
    lines = (
        (b"-" if one.status >= 400 else b"+") + one.data.replace(b"\r\n", b"\1") + b"\n"
        for one in questions
    )
    path.write_bytes(b"".join(lines))
    return path


def probe(port: int, questions: Sequence[Question]) -> None:
    """Ask one question of each kind and hold its status against the expected one, exactly."""
    connection = Connection(("127.0.0.1", port))
    for one in {question.status: question for question in questions}.values():
        answer = connection.ask(one.data)
        if answer.status != one.status:
            asked = one.data.split(b"\r\n", 1)[0].decode()
            raise WrongAnswer(f"{asked}: {answer.status} instead of {one.status}")
    connection.close()


def run(
    port: int,
    requests: Requests,
    *,
    seconds: int,
    connections: int = 64,
    per_s: int = 0,
    timeout_s: int = 2,
) -> Outcome:
    """Load a port for some seconds: as fast as it answers, or at a fixed rate.

    Raises WrongAnswer, RanOut.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{timeout_s}s"]
    command += ["-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--"]
    command += [str(requests.usual or ""), str(requests.rare or "")]
    command += [str(requests.every), str(per_s)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"wrk: {(done.stderr or done.stdout).strip()[-300:]}")
    seen = json.loads(lines[0].removeprefix(_MARK))
    check(seen, connections)
    return _outcome(seen)


def check(seen: dict[str, Any], connections: int) -> None:
    """Raise WrongAnswer unless every answer was the right one, as far as counts can tell.

    A request that is still on its way at the end is in `sent` and in no other count.
    """
    for trouble in ("connect", "read", "write", "timeout"):
        if seen[trouble]:
            raise WrongAnswer(f"{seen[trouble]} {trouble} errors in {seen['requests']} requests")
    refused, expected = seen["refused"], seen["sent_to_be_refused"]
    on_their_way = min(expected, connections + 1)
    # What ran out was sent again, and a one-time token is spent by then.
    if not expected - on_their_way <= refused <= expected + seen["ran_out"]:
        raise WrongAnswer(f"{refused} of {seen['requests']} were refused instead of {expected}")
    if not seen["requests"]:
        raise WrongAnswer("no request was answered")
    if seen["ran_out"]:
        raise RanOut(f"{seen['ran_out']} requests too few")


def _outcome(seen: dict[str, Any]) -> Outcome:
    return Outcome(
        requests=seen["requests"],
        refused=seen["refused"],
        requests_per_s=seen["requests"] / seen["duration_us"] * 1e6,
        p50_ms=seen["p50_us"] / 1e3,
        p95_ms=seen["p95_us"] / 1e3,
        p99_ms=seen["p99_us"] / 1e3,
        max_ms=seen["max_us"] / 1e3,
        behind_ms=seen["behind_ms"],
    )
