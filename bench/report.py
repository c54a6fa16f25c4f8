"""The results as text: tables with goals, and what has changed since the committed baseline."""

from collections.abc import Iterator, Sequence
from typing import Any

from bench.results import Results

_GAP = "  "


def report(results: Results, baseline: Results | None) -> str:
    """Return everything that was measured, as a text of several tables."""
    older = baseline or {}
    parts = []
    if "load" in results:
        parts.append(_load_table(results["load"], older.get("load", {})))
        parts += _health_line(results["load"])
        parts += _bound_lines(results["load"])
    if "decision" in results:
        parts.append(_decision_table(results["decision"], older.get("decision", {})))
    if "rate" in results:
        parts.append(_rate_table(results["rate"]))
    if "accounts" in results:
        parts.append(_accounts_table(results["accounts"]))
    if "soak" in results:
        parts.append(_soak_lines(results["soak"]))
    parts.append(_about_baseline(results, baseline))
    return "\n\n".join(parts)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns: words to the left, everything else to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(_GAP.join([first, *rest]).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def verdict(value: float, goal: float, stretch: float | None = None, *, is_most: bool) -> str:
    """Say whether a figure reaches its goal, which is the least or, if `is_most`, the most."""
    sign = "≤" if is_most else "≥"
    if stretch is not None and (value <= stretch if is_most else value >= stretch):
        return f"{sign} {stretch:g} met"
    is_met = value <= goal if is_most else value >= goal
    return f"{sign} {goal:g} {'met' if is_met else 'MISSED'}"


def change(now: float, before: float | None) -> str:
    """Return by how much a figure differs from the baseline's, in per cent."""
    return f"{(now / before - 1) * 100:+.0f} %" if before else "-"


def _load_table(load: Results, older: Results) -> str:
    head = ["scenario", "req/s", "range", "p50 ms", "p99 ms", "ratio to noop", "range"]
    head += ["goal", "vs base", "CPU µs", "goal", "vs base", "MiB"]
    return table([head, *(_load_row(name, one, older.get(name)) for name, one in load.items())])


def _load_row(name: str, one: Results, older: Results | None) -> list[str]:
    per_s, cpu, goal = one["requests_per_s"], one["cpu_us"], one.get("goal", {})
    row = [name, f"{per_s['median']:,.0f}", _range(per_s, ",.0f")]
    row += [f"{one['p50_ms']['median']:.2f}", f"{one['p99_ms']['median']:.1f}"]
    if ratio := one.get("ratio"):
        row += [f"{ratio['median']:.2f}", _range(ratio, ".2f")]
        row.append(_goal(ratio["median"], goal.get("ratio"), goal.get("stretch")))
        row.append(change(ratio["median"], _median(older, "ratio")))
    else:
        row += ["", "", "", ""]
    row.append(f"{cpu['median']:.1f}")
    most = goal.get("cpu_us")
    row.append(verdict(cpu["median"], most, is_most=True) if most else "")
    row.append(change(cpu["median"], _median(older, "cpu_us")))
    return [*row, f"{one['resident_mb']:.0f}"]


def _goal(value: float, goal: float | None, stretch: float | None) -> str:
    return verdict(value, goal, stretch, is_most=False) if goal else ""


def _median(one: Results | None, name: str) -> float | None:
    found = (one or {}).get(name)
    return float(found["median"]) if found else None


def _range(spread: dict[str, float], form: str) -> str:
    return f"{spread['low']:{form}}-{spread['high']:{form}}"


def _health_line(load: Results) -> Iterator[str]:
    ratio = load.get("health, straight", {}).get("ratio_to_empty_app")
    if ratio:
        goal = verdict(ratio["median"], 0.95, is_most=False)
        spread = _range(ratio, ".2f")
        text = "health, as a ratio to an empty Falcon application, both straight"
        yield f"{text}: {ratio['median']:.2f} ({spread}), {goal}"


def _bound_lines(load: Results) -> Iterator[str]:
    for title, one in load.items():
        if ratio := one.get("to_plain"):
            rate, cpu = ratio["requests_per_s"], ratio["cpu_us"]
            goal = verdict(cpu["median"], 1.15, is_most=True)
            text = f"{title}, as a ratio to plain: req/s {rate['median']:.2f}"
            text += f" ({_range(rate, '.2f')}), CPU {cpu['median']:.2f}"
            yield f"{text} ({_range(cpu, '.2f')}), {goal}"


def _decision_table(decision: Results, older: Results) -> str:
    rows = [["in process, one core", "median µs", "least µs", "goal", "vs base"]]
    for name, one in decision.items():
        goal, before = one["goal_us"], older.get(name, {}).get("median_us")
        row = [name.replace("_", " "), f"{one['median_us']:.2f}", f"{one['least_us']:.2f}"]
        row.append(verdict(one["median_us"], goal, is_most=True) if goal else "")
        rows.append([*row, change(one["median_us"], before)])
    return table(rows)


def _rate_table(stages: Sequence[dict[str, Any]]) -> str:
    rows = [["fixed rate", "clients", "req/s", "p50 ms", "goal", "p95 ms", "goal"]]
    rows[0] += ["p99 ms", "max ms", "kept up"]
    for one in stages:
        row = [f"{one['per_s']:,} req/s", f"{one['clients']:,}", f"{one['requests_per_s']:,.0f}"]
        for name in ("p50", "p95"):
            value, goal = one[f"{name}_ms"], one[f"{name}_goal_ms"]
            row += [f"{value:.2f}", verdict(value, goal, is_most=True) if goal else ""]
        row += [f"{one['p99_ms']:.2f}", f"{one['max_ms']:.1f}"]
        rows.append([*row, "yes" if one["is_kept_up"] else "NO"])
    return table(rows)


def _accounts_table(found: dict[str, Any]) -> str:
    rows = [[f"accounts, {found['connections']} connections", "req/s", "range", "p50 ms"]]
    rows[0] += ["p99 ms", "ratio", "range", "CPU µs in all"]
    for operation in ("balance", "deposit"):
        for way in ("protected", "unprotected"):
            one, ratio = found[operation][way], found[operation]["ratio"]
            per_s = one["requests_per_s"]
            row = [f"{operation}, {way}", f"{per_s['median']:,.0f}", _range(per_s, ",.0f")]
            row += [f"{one['p50_ms']['median']:.1f}", f"{one['p99_ms']['median']:.1f}"]
            is_first = way == "protected"
            row += [f"{ratio['median']:.2f}", _range(ratio, ".2f")] if is_first else ["", ""]
            rows.append([*row, f"{one['cpu_us']['median']:.0f}"])
    return table(rows)


def _soak_lines(soak: dict[str, Any]) -> str:
    rows = [["soak: requests", *(f"worker {i + 1} MiB" for i in range(_workers(soak)))]]
    rows += [[f"{one['requests']:,}", *map(str, one["resident_mb"])] for one in soak["series"]]
    goal = verdict(soak["largest_mb"], soak["goal_mb"], is_most=True)
    flat = "flat" if soak["is_flat"] else "NOT FLAT"
    tail = f"{soak['tokens']:,} tokens warm: largest worker {soak['largest_mb']:.0f} MiB, {goal}; "
    return table(rows) + f"\n{tail}growth once settled {soak['growth_mb']:+.1f} MiB: {flat}"


def _workers(soak: dict[str, Any]) -> int:
    return len(soak["series"][0]["resident_mb"])


def _about_baseline(results: Results, baseline: Results | None) -> str:
    if baseline is None:
        return "no baseline to compare with: bench/results/baseline.json is not there"
    text = f"baseline: {baseline['commit']} of {baseline['date']}"
    if baseline["is_quick"] != results["is_quick"]:
        text += "; one of the two was quick: expect wider differences"
    theirs, ours = baseline["machine"], results["machine"]
    kinds = ("processor", "cores", "python", "nginx", "redis")
    differing = [name for name in kinds if theirs.get(name) != ours.get(name)]
    if differing:
        text += f"; measured elsewhere, with another {', '.join(differing)}: only ratios compare"
    return text
