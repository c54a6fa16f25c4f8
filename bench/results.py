"""The figures of one whole run, as they are kept in bench/results."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.rounds import Course, Plan, Run
from bench.scenarios import BOUND, EMPTY, WARM
from tests.stack import ROOT

FOLDER = Path(__file__).with_name("results")
BASELINE = FOLDER / "baseline.json"

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        rounded = [float(f"{value:.4g}") for value in values]
        return cls(float(f"{statistics.median(rounded):.4g}"), min(rounded), max(rounded))


def of_course(course: Course) -> Results:
    """Return the figures of one scenario. The ratio is to the yardstick of the same round."""
    runs, goal = course.runs, course.scenario.goal
    found: Results = {
        "requests_per_s": asdict(Spread.of([run.outcome.requests_per_s for run in runs])),
        "p50_ms": asdict(Spread.of([run.outcome.p50_ms for run in runs])),
        "p99_ms": asdict(Spread.of([run.outcome.p99_ms for run in runs])),
        "cpu_us": asdict(Spread.of([run.cpu_us for run in runs])),
        "resident_mb": round(max(run.resident_mb for run in runs), 1),
        "requests": sum(run.outcome.requests for run in runs),
        "refused": sum(run.outcome.refused for run in runs),
    }
    if all(run.noop_per_s for run in runs):
        found["ratio"] = asdict(Spread.of([_ratio(run) for run in runs]))
    if goal:
        found["goal"] = asdict(goal)
    return found


def of_load(noop: Course, courses: Sequence[Course]) -> Results:
    """Return the figures of all scenarios, by title, and of health beside an empty Falcon app."""
    found: Results = {
        "noop": of_course(noop),
        **{course.scenario.title: of_course(course) for course in courses},
    }
    by_way = {(course.scenario.name, course.scenario.way): course.runs for course in courses}
    for course in courses:
        plain = by_way.get((WARM, course.scenario.way))
        if course.scenario.name == BOUND and plain:
            found[course.scenario.title]["to_plain"] = _to_plain(course.runs, plain)
    health, empty = by_way.get(("health", "straight")), by_way.get((EMPTY.name, EMPTY.way))
    if health and empty:
        pairs = zip(health, empty, strict=True)
        ratios = [a.outcome.requests_per_s / b.outcome.requests_per_s for a, b in pairs]
        found["health, straight"]["ratio_to_empty_app"] = asdict(Spread.of(ratios))
    return found


def _to_plain(bound: Sequence[Run], plain: Sequence[Run]) -> Results:
    """Return what a certificate costs: figures of bound tokens over those of the same round."""
    pairs = list(zip(bound, plain, strict=True))
    rates = [a.outcome.requests_per_s / b.outcome.requests_per_s for a, b in pairs]
    return {
        "requests_per_s": asdict(Spread.of(rates)),
        "cpu_us": asdict(Spread.of([a.cpu_us / b.cpu_us for a, b in pairs])),
    }


def _ratio(run: Run) -> float:
    return run.outcome.requests_per_s / run.noop_per_s


def begin(plan: Plan, *, is_quick: bool) -> Results:
    """Return what there is to say before anything was measured: when, what, where."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _said_by("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "is_quick": is_quick,
        "plan": asdict(plan),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "nginx": _said_by("nginx", "-v").rpartition("/")[2],
            "redis": _said_by("redis-cli", "--version").rpartition(" ")[2],
            "load_average_before": round(os.getloadavg()[0], 2),
        },
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said_by(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip()


def save(results: Results) -> Path:
    """Write the results under their date; return where."""
    stamp = results["date"].replace("-", "").replace(":", "")[:15]
    path = FOLDER / f"{stamp}.json"
    write(path, results)
    return path


def write(path: Path, results: Results) -> None:
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def load_baseline() -> Results | None:
    """Return the committed results to compare with, None when there are none."""
    if not BASELINE.exists():
        return None
    found: Results = json.loads(BASELINE.read_text())
    return found
