"""Measure scenarios in alternation with the yardstick, round after round."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import load
from bench.gateway import cpu_s, resident_mb
from bench.load import Outcome, RanOut, Requests, write_requests
from bench.scenarios import NOOP, Scenario
from bench.testbed import Target, Testbed
from bench.warming import warm

_FIRST_GUESS_PER_S = 12_000
_SPARE = 1.6
_TRIES = 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one scenario. Processor time is that of the app's workers."""

    outcome: Outcome
    cpu_us: float
    resident_mb: float
    noop_per_s: float = 0.0


@dataclass(slots=True)
class Course:
    """One scenario, all that it needs, and what came of it."""

    scenario: Scenario
    target: Target
    usual: Requests
    per_s: float = _FIRST_GUESS_PER_S
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long. One noop run serves `noop_serves` runs after it.

    In haste, only those have a warm-up run that need it for more than a steady figure.
    """

    rounds: int
    seconds: int
    noop_seconds: int
    noop_serves: int
    is_hasty: bool = False
    connections: int = 64


class Measuring:
    """Runs courses on a testbed."""

    def __init__(self, testbed: Testbed, plan: Plan, say: Say) -> None:
        self._testbed = testbed
        self._plan = plan
        self._say = say
        self._files = 0

    def measure(self, scenarios: Sequence[Scenario]) -> tuple[Course, list[Course]]:
        """Return the yardstick's course and all the others, warmed up and run in rounds."""
        noop = self._prepare(NOOP)
        courses = [self._prepare(scenario) for scenario in scenarios]
        for course in (noop, *courses):
            if course.scenario.is_warmed or not self._plan.is_hasty:
                self._say(f"warm-up: {course.scenario.title}")
                self._warm_up(course)
        for number in range(self._plan.rounds):
            self._say(f"round {number + 1} of {self._plan.rounds}")
            self._round(noop, courses)
        return noop, courses

    def _round(self, noop: Course, courses: Sequence[Course]) -> None:
        """A run's yardstick is the mean of the noop run before it and the one after it."""
        serves = self._plan.noop_serves
        before = self._run(noop, self._plan.noop_seconds)
        for at in range(0, len(courses), serves):
            group = courses[at : at + serves]
            found = [self._run(course, self._plan.seconds) for course in group]
            after = self._run(noop, self._plan.noop_seconds)
            noop.runs.append(after)
            pair = (before.outcome.requests_per_s, after.outcome.requests_per_s)
            for course, run in zip(group, found, strict=True):
                course.runs.append(replace(run, noop_per_s=statistics.mean(pair)))
            before = after

    def _prepare(self, scenario: Scenario) -> Course:
        alg, way = scenario.alg, scenario.way
        target = self._testbed.empty_app() if way == "empty" else self._testbed.target(alg, way)
        if scenario.usual is None:
            return Course(scenario, target, Requests())
        questions = scenario.usual(self._testbed.signer(alg), target.entrance)
        load.probe(target.entrance.port, questions)
        if way in {"nginx", "straight"}:
            warm(self._testbed.gateway(alg), questions)
        return Course(scenario, target, Requests(write_requests(self._file(), questions)))

    def _warm_up(self, course: Course) -> None:
        """Also finds out how many requests a second need to be ready."""
        run = self._run(course, 1)
        course.per_s = run.outcome.requests_per_s

    def _run(self, course: Course, seconds: int) -> Run:
        for _ in range(_TRIES):
            requests = self._requests(course, seconds)
            try:
                return self._run_once(course, requests, seconds)
            except RanOut:
                course.per_s *= 2
            finally:
                if requests.rare:
                    requests.rare.unlink()
        raise RuntimeError(f"{course.scenario.title} answers faster than requests can be made")

    def _run_once(self, course: Course, requests: Requests, seconds: int) -> Run:
        target = course.target
        before = cpu_s(target.processes)
        outcome = load.run(
            target.entrance.port, requests, seconds=seconds, connections=self._plan.connections
        )
        used = cpu_s(target.processes) - before
        memory = max(map(resident_mb, target.processes))
        return Run(outcome, used / outcome.requests * 1e6, memory)

    def _requests(self, course: Course, seconds: int) -> Requests:
        """Requests that may be sent once only are made anew for every run."""
        scenario = course.scenario
        if scenario.rare is None:
            return course.usual
        count = int(course.per_s * seconds / scenario.every * _SPARE) + self._plan.connections * 2
        signer = self._testbed.signer(scenario.alg)
        questions = scenario.rare(signer, course.target.entrance, count)
        return Requests(course.usual.usual, write_requests(self._file(), questions), scenario.every)

    def _file(self) -> Path:
        self._files += 1
        return self._testbed.folder / f"requests-{self._files}"
