"""Run the microbenchmarks of the decision, with pytest-benchmark, in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.testbed import Testbed
from tests.stack import ROOT

_FILE = Path(__file__).with_name("decision_benchmark.py")
_GOALS_US = {"decision_without_drain": 0.7, "decision_with_drain": 2.2}


def measure(testbed: Testbed, *, seconds: float) -> dict[str, Any]:
    """Return microseconds by what was measured: the median and the least of all rounds."""
    gateway = testbed.gateway("ES256")
    report = testbed.folder / "decision.json"
    environ = {
        **os.environ,
        "BENCH_RUN_DIR": str(gateway.run_dir),
        "BENCH_TOKEN": testbed.signer("ES256").sign(1)[0].text,
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(_FILE)]
    command += [f"--benchmark-json={report}", f"--benchmark-max-time={seconds}"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"pytest-benchmark: {done.stdout.strip()[-2000:]}")
    found = {}
    for one in json.loads(report.read_text())["benchmarks"]:
        name, stats = one["name"].removeprefix("test_"), one["stats"]
        found[name] = {
            "median_us": round(stats["median"] * 1e6, 3),
            "least_us": round(stats["min"] * 1e6, 3),
            "goal_us": _GOALS_US.get(name),
        }
    return found
