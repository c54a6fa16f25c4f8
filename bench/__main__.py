"""`make bench`: measure, print, keep. Run as `python -m bench`."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import accounts, decision, plot, rate, results, soak
from bench.arguments import Parser, whole_number
from bench.front import find_missing_tools
from bench.load import WrongAnswer
from bench.report import report
from bench.results import Results
from bench.rounds import Measuring, Plan
from bench.scenarios import Scenario, all_scenarios, quick_scenarios
from bench.testbed import Testbed

PARTS = ("load", "decision", "rate", "accounts", "soak")
_LONG_PARTS = {"accounts", "soak"}
_FULL = Plan(rounds=5, seconds=3, noop_seconds=2, noop_serves=1)
_QUICK = Plan(rounds=1, seconds=1, noop_seconds=1, noop_serves=4, is_hasty=True)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; exit 2 with one line when they cannot be meant."""
    parser = Parser(prog="bench", description="Measure the gateway next to a no-op.")
    parser.add_argument("--quick", action="store_true", help="under a minute, one short round")
    parser.add_argument(
        "--parts",
        default=None,
        help=f"which of {','.join(PARTS)} (all; --quick: all but accounts and soak)",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="WORDS",
        help="only those whose title has these words; may be given several times",
    )
    parser.add_argument("--rounds", type=whole_number, help="rounds of the load scenarios (5)")
    parser.add_argument(
        "--baseline", action="store_true", help="keep the results as bench/results/baseline.json"
    )
    options = parser.parse_args(arguments)
    options.parts = _parts(options, parser)
    options.chosen = _chosen(options, parser)
    return options


def _parts(options: argparse.Namespace, parser: Parser) -> list[str]:
    if options.parts is None:
        return [part for part in PARTS if not options.quick or part not in _LONG_PARTS]
    parts: list[str] = options.parts.split(",")
    for part in parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: {', '.join(PARTS)}")
    return parts


def _chosen(options: argparse.Namespace, parser: Parser) -> list[Scenario]:
    words: list[str] = options.scenario
    if not words:
        return quick_scenarios() if options.quick else all_scenarios()
    chosen = [one for one in all_scenarios() if any(word in one.title for word in words)]
    if not chosen:
        parser.error(f"no scenario's title has {' or '.join(words)}")
    return chosen


def measure(options: argparse.Namespace, say: Callable[[str], None]) -> Results:
    """Run the chosen parts on a testbed of its own; return their figures."""
    plan = _QUICK if options.quick else _FULL
    if options.rounds:
        plan = replace(plan, rounds=options.rounds)
    found = results.begin(plan, is_quick=options.quick)
    with Testbed() as testbed:
        say("starting the gateways")
        if "load" in options.parts:
            found["load"] = results.of_load(*Measuring(testbed, plan, say).measure(options.chosen))
        if "decision" in options.parts:
            say("in process")
            found["decision"] = decision.measure(testbed, seconds=0.3 if options.quick else 2)
        if "rate" in options.parts:
            stages = rate.QUICK_STAGES if options.quick else rate.STAGES
            found["rate"] = rate.measure(testbed, stages, say)
        if "accounts" in options.parts:
            plan_there = accounts.Plan(rounds=plan.rounds, seconds=plan.seconds)
            found["accounts"] = accounts.measure(testbed, plan_there, say)
        if "soak" in options.parts:
            found["soak"] = soak.measure(testbed, say)
        say("stopping")
    return found


def main() -> int:
    """Measure and report. 1: a wrong answer, or something would not run; 2: bad arguments."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # an ordinary user's PATH has no nginx
    options = read_arguments(sys.argv[1:])
    if missing := find_missing_tools():
        print(f"missing: {', '.join(missing)}; scripts/install bench gets them", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", file=sys.stderr, flush=True)

    baseline = results.load_baseline()
    try:
        found = measure(options, say)
    except KeyboardInterrupt:
        print("interrupted: everything that was started is stopped", file=sys.stderr)
        return 130
    except (WrongAnswer, AssertionError, RuntimeError) as error:
        print(f"bench failed: {error}", file=sys.stderr)
        return 1
    print(report(found, baseline))
    _keep(found, baseline, is_baseline=options.baseline)
    return 0


def _keep(found: Results, baseline: Results | None, *, is_baseline: bool) -> None:
    path = results.save(found)
    print(f"\nresults: {path}")
    if is_baseline:
        results.write(results.BASELINE, found)
        print(f"baseline: {results.BASELINE}")
    if "load" in found:
        pictures = [path.with_suffix(".svg")]
        pictures += [results.BASELINE.with_suffix(".svg")] if is_baseline else []
        for picture in pictures:
            plot.plot(picture, found, baseline)
            print(f"plot: {picture}")


if __name__ == "__main__":
    sys.exit(main())
