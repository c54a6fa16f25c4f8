"""`make profile`: where a worker spends its time under load. Run as `python -m bench.flame`.

Two workers serve the same load: one is drawn as a flame graph, the other's frames are counted.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import load, results
from bench.arguments import Parser, whole_number
from bench.load import Requests, write_requests
from bench.scenarios import Scenario, all_scenarios
from bench.testbed import Testbed

GRAPH = results.FOLDER / "profile.svg"
_RATE_HZ = 250
_HOTTEST = 20
_IDLE = "epoll_wait"


def main() -> int:
    """Record and print; 1 when that cannot be had, 2 for bad arguments."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    steady = {
        one.name: one for one in all_scenarios() if one.rare is None and one.way == "straight"
    }
    parser = Parser(prog="bench.flame", description="Record a flame graph of a worker under load.")
    parser.add_argument("--scenario", choices=sorted(steady), default="validate warm")
    parser.add_argument("--seconds", type=whole_number, default=10, help="of recording (10)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(profile(steady[options.scenario], options.seconds))
    except KeyboardInterrupt:
        print("interrupted: everything that was started is stopped", file=sys.stderr)
        return 130
    except (AssertionError, RuntimeError, load.WrongAnswer) as error:
        print(f"profile failed: {error}", file=sys.stderr)
        return 1
    print(f"\nflame graph: {GRAPH}")
    return 0


def profile(scenario: Scenario, seconds: int) -> str:
    """Write GRAPH; return the hottest frames as text."""
    results.FOLDER.mkdir(exist_ok=True)
    with Testbed() as testbed, ThreadPoolExecutor() as aside:
        target = testbed.target(scenario.alg, scenario.way)
        assert scenario.usual
        questions = scenario.usual(testbed.signer(scenario.alg), target.entrance)
        load.probe(target.entrance.port, questions)
        requests = Requests(write_requests(testbed.folder / "requests", questions))
        load.run(target.entrance.port, requests, seconds=2)
        stacks = testbed.folder / "stacks"
        drawn, counted = target.processes[:2]
        running = aside.submit(load.run, target.entrance.port, requests, seconds=seconds + 3)
        recordings = [
            _record(drawn, GRAPH, "flamegraph", seconds),
            _record(counted, stacks, "raw", seconds),
        ]
        for recording in recordings:
            _finish(recording)
        running.result()
        return hottest(stacks.read_text().splitlines())


def _record(pid: int, path: Path, form: str, seconds: int) -> subprocess.Popen[str]:
    """Sample a process with its C frames: the server itself is written in C."""
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--native", "--nolineno"]
    command += ["--pid", str(pid), "--output", str(path), "--format", form]
    command += ["--duration", str(seconds), "--rate", str(_RATE_HZ)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _finish(recording: subprocess.Popen[str]) -> None:
    said, _ = recording.communicate()
    if recording.returncode != 0:
        raise RuntimeError(f"py-spy: {said.strip()[-300:]} (other users' processes need root)")


def hottest(stacks: Iterable[str]) -> str:
    """Return the busy frames with the most samples: by themselves, and with all that they called.

    A line of `stacks` is frames from the outermost in, joined by ";", and a count.
    """
    alone: Counter[str] = Counter()
    in_all: Counter[str] = Counter()
    for line in stacks:
        path, _, count = line.rpartition(" ")
        frames = path.split(";")
        if frames[-1].startswith(_IDLE):
            continue
        alone[frames[-1]] += int(count)
        in_all.update(dict.fromkeys(frames, int(count)))
    total = alone.total() or 1
    everywhere = [frame for frame, count in in_all.items() if count == total]
    for frame in everywhere:  # how the server came to its loop
        del in_all[frame]
    return "\n\n".join(
        [_listing("by themselves", alone, total), _listing("with what they called", in_all, total)]
    )


def _listing(title: str, counts: Counter[str], total: int) -> str:
    lines = [f"{count / total:6.1%}  {frame}" for frame, count in counts.most_common(_HOTTEST)]
    return "\n".join([f"hottest frames, {title}, of {total} samples:", *lines])


if __name__ == "__main__":
    sys.exit(main())
