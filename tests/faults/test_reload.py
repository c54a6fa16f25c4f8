"""Workers are replaced under load, and nobody notices."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.callers import Load, check, check_unserved
from tests.stack import Stack, until
from tests.wire import Connection, ask, request
from tests.workers import connections_to_workers

HEALTH = request("GET", "/health")
SLOW_START_S = 3
"""Longer than an old worker would go on by itself: it lingers, and then accepts nobody."""

SILENT_S = 1.9


def by_signal(stack: Stack) -> None:
    os.kill(stack.pid("app"), signal.SIGHUP)


def by_make_up(stack: Stack) -> None:
    """As after a `git pull`: the code is not what was started."""
    started = stack.run_dir / "app.started"
    settings, _, _ = started.read_text().partition(" ")
    started.write_text(f"{settings} older\n")
    stack.start()


def test_reload_under_load_loses_no_request_and_revives_no_token(stack: Stack) -> None:
    """Every worker is replaced, twice; each call, mint and revocation is answered."""
    arbiter = stack.pid("app")
    with Load(stack.address, stack.demo, "write revoke") as load:
        for reload in (by_signal, by_make_up):
            before = set(stack.workers())
            load.wait_for(50)
            reload(stack)
            until(lambda old=before: not old & set(stack.workers()), 30)  # type: ignore[misc]
            load.wait_for(50)
    served = [(kind, 200) for kind in ("call", "write", "mint", "revoke")]
    check(load, [stack], *served, ("dead", 401))
    assert arbiter == stack.pid("app")


def test_old_workers_serve_until_new_ones_do(stack: Stack) -> None:
    """However long those take to start, and however often the old ones are told to leave.

    Then they hang up on nobody unsaid, and no new connection waits for them.
    """
    token = stack.mint()
    old, closed, heard_at = set(stack.workers()), set[int](), dict[int, float]()
    # The silent ones keep them from leaving before a few seconds are over.
    with connections_to_workers(stack), connections_to_workers(stack) as kept:
        with starts_held_up(stack):
            by_signal(stack)
            until(lambda: len(set(stack.workers()) - old) == len(old), 20, "new workers")
            began = time.monotonic()
            while time.monotonic() < began + SLOW_START_S:
                for pid in old:
                    os.kill(pid, signal.SIGTERM)
                assert stack.call("/demo/any", token).status in {200, 503}
            assert old == old & set(stack.workers())

        def have_left() -> bool:
            assert 200 == ask(stack.app_address, HEALTH).status
            for pid in old - closed:
                if is_told_to_close(kept[pid], heard_at, pid):
                    closed.add(pid)
            return not old & set(stack.workers())

        until(have_left, 30, "the old ones leave")
        assert old == closed
    check_unserved(stack)


def is_told_to_close(connection: Connection, heard_at: dict[int, float], pid: int) -> bool:
    """Ask over it. Whoever has been silent for two seconds may be hung up on without a word."""
    began = time.monotonic()
    try:
        answer = connection.ask(HEALTH)
    except ConnectionError:
        assert time.monotonic() - heard_at.get(pid, 0.0) > SILENT_S
        return True
    heard_at[pid] = began
    return answer.header("Connection") == "close"


@contextmanager
def starts_held_up(stack: Stack) -> Iterator[None]:
    """A worker that starts takes its place among the counters, and now waits for that."""
    with (stack.run_dir / "metrics" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
