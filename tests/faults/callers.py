"""Callers of one gateway or of several, and what came of each request."""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from tests.processes import until
from tests.stack import Credentials, Stack
from tests.wire import Address, ask, form, request

CALLERS = 3
PATIENCE_S = 60


class Load:
    """Callers that call, write, mint and revoke until they are told to stop."""

    def __init__(self, address: Address, client: Credentials, kinds: str) -> None:
        self._address = address
        self._client = client
        self._kinds = kinds
        self.statuses: Counter[tuple[str, int]] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until so many further answers have come."""
        seen = sum(self.statuses.values())
        until(lambda: sum(self.statuses.values()) >= seen + count, 60, f"{count} answers")

    def _run(self) -> None:
        token = self._ask("mint", self._form("/token", grant_type="client_credentials"))
        while not self._stop.is_set():
            self._ask("call", request("GET", "/demo/read", token=token))
            if "write" in self._kinds:
                self._ask("write", request("POST", "/demo/write", body=b"x", token=token))
            fresh = self._ask("mint", self._form("/token", grant_type="client_credentials"))
            if "revoke" in self._kinds:
                self._ask("revoke", self._form("/revoke", token=fresh))
                self._ask("dead", request("GET", "/demo/read", token=fresh))

    def _form(self, path: str, **fields: str) -> bytes:
        return form(
            path, {"client_id": self._client[0], "client_secret": self._client[1], **fields}
        )

    def _ask(self, kind: str, data: bytes) -> str:
        """Ask until there is an answer; a busy machine may say 503 with Retry-After before."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = ask(self._address, data)
            except OSError:
                self.statuses[kind, 0] += 1
                return ""
            is_busy = answer.status == 503 and answer.header("Retry-After") is not None
            if not is_busy or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.statuses[kind, answer.status] += 1
        return str(answer.json().get("access_token", "")) if kind == "mint" else ""


def check(load: Load, gateways: Iterable[Stack], *expected: tuple[str, int]) -> None:
    """Hold that every request got its answer, if not at once."""
    assert set(expected) == set(load.statuses), load.statuses
    for stack in gateways:
        check_unserved(stack)


def check_unserved(stack: Stack) -> None:
    """Hold that each 503 until now was the app's own decision, as on a busy machine."""
    last = str(stack.call("/health").header("X-Request-ID"))
    until(lambda: stack.access_log(request_id=last), what="the log is written")
    busy = {"store_unavailable", "overloaded"}
    unserved = [entry for entry in stack.access_log() if entry["status"] >= 500]
    lost = [entry for entry in unserved if entry["reason"] not in busy]
    assert not lost, lost
