"""Workers are replaced under load, and nobody notices."""

import os
import signal
import threading
from collections import Counter

from tests.stack import Stack, until
from tests.wire import form, request

CALLERS = 4
CALLS_A_MINT = 10


class Load:
    """Callers that call, mint and revoke on kept connections until they are told to stop."""

    def __init__(self, stack: Stack) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(stack,)) for _ in range(CALLERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stack: Stack) -> None:
        token = stack.mint()
        client_id, client_secret = stack.demo
        credentials = {"client_id": client_id, "client_secret": client_secret}
        mint = form("/token", {**credentials, "grant_type": "client_credentials"})
        call = request("GET", "/demo/any", token=token)
        with stack.connect() as connection:
            while not self._stop.is_set():
                for _ in range(CALLS_A_MINT):
                    self.statuses["call", connection.ask(call).status] += 1
                minted = connection.ask(mint)
                self.statuses["mint", minted.status] += 1
                fresh = minted.json()["access_token"]
                revoke = form("/revoke", {**credentials, "token": fresh})
                self.statuses["revoke", connection.ask(revoke).status] += 1
                dead = connection.ask(request("GET", "/demo/any", token=fresh))
                self.statuses["dead", dead.status] += 1


def test_reload_under_load_loses_no_request_and_revives_no_token(stack: Stack) -> None:
    """SIGHUP replaces every worker, three times; each call, mint and revocation is answered."""
    with Load(stack) as load:
        for _ in range(3):
            before = set(stack.workers())
            seen = sum(load.statuses.values())
            os.kill(stack.pid("app"), signal.SIGHUP)
            until(lambda old=before: not old & set(stack.workers()), 15)  # type: ignore[misc]
            until(lambda seen=seen: sum(load.statuses.values()) > seen + 500, 15)  # type: ignore[misc]
    expected = {("call", 200), ("mint", 200), ("revoke", 200), ("dead", 401)}
    assert expected == set(load.statuses)
