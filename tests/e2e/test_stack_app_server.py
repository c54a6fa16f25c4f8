"""gunicorn and meinheld as gunicorn.conf.py sets them up, behind the real nginx."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack, is_alive, kill, until
from tests.wire import ask, request


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose workers may be killed."""
    with Stack() as stack:
        yield stack


def connections(stack: Stack) -> dict[int, set[str]]:
    """Return the connections to the app's socket that each worker holds, without those to Redis."""
    table = Path("/proc/net/unix").read_text().splitlines()
    fields = [line.split() for line in table if line.endswith(f"{stack.run_dir}/app.sock")]
    to_app = {f"socket:[{one[6]}]" for one in fields}
    return {pid: to_app & descriptors(pid) for pid in stack.workers()}


def descriptors(pid: int) -> set[str]:
    """Return what a process has open; one that is closed meanwhile is not."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(descriptor))
    return found


def test_connection_from_nginx_survives_every_kind_of_answer(own: Stack) -> None:
    """Hundreds of calls, allowed and refused, open no further connection to any worker."""
    token = own.mint()
    with own.connect() as client:
        asked = {
            200: request("GET", "/demo/read", token=token),
            401: request("GET", "/demo/read"),
            403: request("GET", "/demo/routed/nowhere", token=token),
        }
        for status, call in asked.items():
            assert status == client.ask(call).status
        before = connections(own)
        assert any(before.values())
        for _ in range(100):
            for status, call in asked.items():
                assert status == client.ask(call).status
        assert before == connections(own)


def test_killed_worker_is_replaced_by_its_arbiter(own: Stack) -> None:
    """A SIGKILL for one worker leaves the service up: nobody needs to run `up` again."""
    arbiter, victim = own.pid("app"), own.workers()[0]
    kill(victim)
    until(lambda: len(own.workers()) == 2 and victim not in own.workers(), what="a new worker")
    assert 200 == own.call("/demo/read", token=own.mint()).status
    assert arbiter == own.pid("app")
    assert is_alive(arbiter)


def test_log_is_one_json_document_a_line(own: Stack) -> None:
    """Whatever gunicorn and the app have to say has a time, a level, a logger and a message."""
    lines = (own.run_dir / "log" / "app.log").read_text().splitlines()
    assert lines
    for line in lines:
        assert {"time", "level", "logger", "pid", "message"} <= json.loads(line).keys()


def test_app_socket_is_for_owner_and_group(own: Stack) -> None:
    """Nobody else connects to the app past nginx, wherever its socket stands."""
    assert 0o660 == (own.run_dir / "app.sock").stat().st_mode & 0o777


def test_idle_worker_heeds_a_signal_after_a_request_for_another_protocol() -> None:
    """meinheld leaves an error behind, which would end the worker's own clock."""
    with Stack(WORKERS="1", CANARY_S="0") as stack:
        (worker,) = stack.workers()
        refused = ask(stack.app_address, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert 400 == refused.status
        time.sleep(2.5)  # longer than the worker's clock takes to strike twice
        os.kill(worker, signal.SIGTERM)
        until(lambda: not is_alive(worker), 60, what="the worker ends")
