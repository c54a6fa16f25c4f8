"""The load results as a picture: ratios with their goals, and processor time."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.results import Results

mpl.use("svg")

from matplotlib import pyplot

_BAR, _BEFORE, _GOAL = "#3b6ea5", "#b9c9db", "#c0392b"


def plot(path: Path, results: Results, baseline: Results | None) -> None:
    """Draw all scenarios that have a ratio, the baseline's beside them, as one SVG."""
    load, older = results["load"], (baseline or {}).get("load", {})
    names = [name for name, one in reversed(load.items()) if "ratio" in one]
    figure, (left, right) = pyplot.subplots(
        1, 2, sharey=True, figsize=(12, 1.5 + 0.36 * len(names)), layout="constrained"
    )
    _draw(left, names, load, older, "ratio")
    _draw_goals(left, names, load, "ratio")
    left.set_xlabel("requests a second, as a ratio to noop in the same run")
    _draw(right, names, load, older, "cpu_us")
    _draw_goals(right, names, load, "cpu_us")
    right.set_xlabel("the app's CPU µs a request")
    right.legend(loc="lower right", frameon=False)
    left.set_yticks(range(len(names)), names)
    figure.suptitle(f"{results['commit']}, {results['date']}, {results['machine']['processor']}")
    figure.savefig(path, format="svg")
    pyplot.close(figure)


def _draw(axes: Any, names: list[str], load: Results, older: Results, figure: str) -> None:
    spreads = [load[name][figure] for name in names]
    medians = [one["median"] for one in spreads]
    ranges = [
        [one["median"] - one["low"] for one in spreads],
        [one["high"] - one["median"] for one in spreads],
    ]
    before = [older.get(name, {}).get(figure, {}).get("median", 0.0) for name in names]
    places = range(len(names))
    if any(before):
        axes.barh(places, before, height=0.85, color=_BEFORE, label="baseline")
    axes.barh(places, medians, height=0.5, xerr=ranges, color=_BAR, label="now, with range")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)


def _draw_goals(axes: Any, names: list[str], load: Results, figure: str) -> None:
    goals = [(load[name].get("goal") or {}).get(figure) for name in names]
    places = [place for place, goal in enumerate(goals) if goal]
    values = [goal for goal in goals if goal]
    axes.plot(values, places, "|", color=_GOAL, markersize=14, markeredgewidth=2, label="goal")
