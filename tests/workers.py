"""The app's workers one by one: a connection to each, past nginx."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.processes import name_of, state_of, until
from tests.stack import Stack
from tests.wire import Answer, Connection, request


@contextmanager
def connections_to_workers(stack: Stack) -> Iterator[dict[int, Connection]]:
    """Give one kept connection per worker, by its pid.

    While a connection is made, all other workers stand still, so that only the one can accept it.
    """
    found: dict[int, Connection] = {}
    pids = until(lambda: _serving(stack), what="every worker serves")
    try:
        for pid in pids:
            with _frozen([other for other in pids if other != pid]):
                found[pid] = Connection(stack.app_address)
                assert found[pid].ask(request("GET", "/health")).status == 200
        yield found
    finally:
        for connection in found.values():
            connection.close()


def _serving(stack: Stack) -> list[int] | None:
    """Return the workers as soon as all of them say that they serve: one may be new."""
    pids = stack.workers()
    return pids if pids and all(name_of(pid) == "serving" for pid in pids) else None


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            until(lambda pid=pid: state_of(pid) == "T", what=f"{pid} stops")  # type: ignore[misc]
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def validate(token: str, scope: str = "", request_id: str = "", **headers: str) -> bytes:
    """Return the bytes of a question to /validate, as nginx asks it; names with `_` for `-`."""
    sent = {
        "X-Required-Scope": scope,
        "X-Original-Method": "GET",
        "X-Request-ID": request_id,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    kept = {name: value for name, value in sent.items() if value}
    return request("GET", "/validate?path=decoded", kept, token=token)


def settled(connections: dict[int, Connection], data: bytes) -> list[Answer]:
    """Ask every worker until none of them says 503, as a busy machine may have it."""
    return until(lambda: _decided(ask_all(connections, data)), what="every worker decides")


def _decided(answers: list[Answer]) -> list[Answer] | None:
    return answers if all(answer.status != 503 for answer in answers) else None


def ask_all(connections: dict[int, Connection], data: bytes) -> list[Answer]:
    """Ask every worker the same at once; return their answers."""
    for connection in connections.values():
        connection.send(data)
    return [connection.receive() for connection in connections.values()]
