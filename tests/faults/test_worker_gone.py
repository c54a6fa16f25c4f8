"""Workers, all of them, and the app itself die under load: nothing is let in that should not be."""

import contextlib
import os
import signal
import time

from tests.faults.watch import Watch, assert_in_time
from tests.stack import COMPONENTS, Stack, children, is_alive, kill, until


def kill_all_workers(stack: Stack) -> None:
    """SIGKILL them together, so that for a moment there is none."""
    for pid in stack.workers():
        os.kill(pid, signal.SIGKILL)


def assert_whole(stack: Stack, before: list[int]) -> None:
    """Wait until there are as many new workers as there were old ones."""
    until(lambda: len(stack.workers()) == len(before) and set(stack.workers()) - set(before))


def test_worker_killed_under_load_costs_no_wrong_answer(stack: Stack) -> None:
    """Five times: good tokens get 200 or 503, dead ones 401 or 503; the arbiter makes a new one."""
    arbiter = stack.pid("app")
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        for _ in range(5):
            before = stack.workers()
            kill(before[-1])
            watch.wait_for("good", 200)
            assert_whole(stack, before)
    assert watch.statuses("good", 0) <= {200, 503}
    assert watch.statuses("dead", 0) <= {401, 503}
    undecided = sum(answer.status == 503 for *_, answer in watch.seen)
    assert undecided <= 5 * 8, f"{undecided} of {len(watch.seen)}"
    assert is_alive(arbiter)


def test_all_workers_killed_at_once_are_replaced_within_seconds(stack: Stack) -> None:
    """Nothing wrong is said meanwhile, and every answer comes in time."""
    arbiter, before = stack.pid("app"), stack.workers()
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        kill_all_workers(stack)
        killed_at = time.monotonic()
        assert_whole(stack, before)
        watch.wait_for("good", 200)
        took_s = time.monotonic() - killed_at
        watch.wait_for("dead", 401)
    assert watch.statuses("good", 0) <= {200, 503}
    assert watch.statuses("dead", 0) <= {401, 503}
    assert took_s < 25
    assert arbiter == stack.pid("app")
    assert is_alive(arbiter)


def test_app_killed_is_503_in_time_until_make_up(stack: Stack) -> None:
    """Arbiter and workers gone: nginx says 503 with Retry-After; only the app is restarted."""
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        others = {name: stack.pid(name) for name in COMPONENTS if name != "app"}
        workers = children(stack.pid("app"))
        stack.kill("app")
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                kill(pid)
        gone_at = time.monotonic()
        until(lambda: sum(seen[1] > gone_at for seen in watch.seen) > 400, what="400 refusals")
        for path in ("/token", "/revoke", "/health", "/.well-known/jwks.json"):
            answer = stack.call(path, method="GET" if path.startswith(("/h", "/.")) else "POST")
            assert (503, "1") == (answer.status, answer.header("Retry-After")), path
        back_at = time.monotonic()
        stack.start()
        watch.wait_for("good", 200)
        watch.wait_for("dead", 401)
    during = watch.between(gone_at, back_at)
    assert {503} == {answer.status for *_, answer in during}
    assert {"1"} == {answer.header("Retry-After") for *_, answer in during}
    assert {"temporarily_unavailable"} == {answer.json()["error"] for *_, answer in during}
    assert_in_time(during)
    assert others == {name: stack.pid(name) for name in others}


def test_arbiter_killed_alone_leaves_nothing_wrong_and_make_up_mends_it(stack: Stack) -> None:
    """Its orphans go on deciding rightly or leave; `make up` ends them and starts anew."""
    orphans = stack.workers()
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        stack.kill("app")
        seen = len(watch.seen)
        until(lambda: len(watch.seen) > seen + 200)
        stack.start()
        watch.wait_for("good", 200)
        watch.wait_for("dead", 401)
    assert watch.statuses("good", 0) <= {200, 503}
    assert watch.statuses("dead", 0) <= {401, 503}
    assert not set(orphans) & set(stack.workers())
    assert not any(map(is_alive, orphans))


def test_frozen_worker_is_no_wrong_answer(shipped: Stack) -> None:
    """SIGSTOP: the calls that meet it end in 503 after the read timeout; the others go on."""
    stuck = shipped.workers()[0]
    with Watch(shipped) as watch:
        watch.wait_for("good", 200)
        os.kill(stuck, signal.SIGSTOP)
        time.sleep(8)  # the fault itself
        os.kill(stuck, signal.SIGCONT)
        watch.wait_for("good", 200)
        watch.wait_for("dead", 401)
    assert watch.statuses("good", 0) <= {200, 503}
    assert watch.statuses("dead", 0) <= {401, 503}
    slowest = max(took_s for _, _, took_s, _ in watch.seen)
    assert slowest < 6.5, "nginx waits a second for the app, and tries once more"
