"""Callers that go on while something breaks, and what they were answered."""

import threading
import time

from tests.stack import Stack, until
from tests.wire import Answer, request

BOUND_S = 0.25
"""The guarantee."""

LATE_S = 0.6
"""What few answers may take: the tests share the cores with what they test. Without a bound of its
own the app would take the second that nginx waits for it."""

CALLERS = 4

Seen = tuple[str, float, float, Answer]
"""Which token, when the call began, how long it took in seconds, the answer."""


class Watch:
    """Callers with a good and a revoked token, and what each of their calls was answered, when."""

    def __init__(self, stack: Stack) -> None:
        self._good, self._dead = stack.mint(), stack.mint()
        stack.revoke(self._dead)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(stack,)) for _ in range(CALLERS)]
        self.seen: list[Seen] = []

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stack: Stack) -> None:
        calls = [
            (name, request("GET", "/demo/any", token=token))
            for name, token in (("good", self._good), ("dead", self._dead))
        ]
        with stack.connect() as connection:
            while not self._stop.is_set():
                for name, data in calls:
                    began = time.monotonic()
                    answer = connection.ask(data)
                    self.seen.append((name, began, time.monotonic() - began, answer))

    def statuses(self, name: str, since: float) -> set[int]:
        return {seen[3].status for seen in self.seen if seen[0] == name and seen[1] >= since}

    def wait_for(self, name: str, status: int) -> None:
        """Wait until a call that begins from now on gets this status."""
        now = time.monotonic()
        until(lambda: status in self.statuses(name, now), what=f"{name} gets {status}")

    def between(self, begin: float, end: float) -> list[Seen]:
        """Return the calls that began and were answered within this time."""
        return [seen for seen in self.seen if seen[1] >= begin and seen[1] + seen[2] < end]


def assert_in_time(calls: list[Seen]) -> None:
    """Hold that the calls were answered within the bound, with few exceptions on a busy machine."""
    late = [took_s for _, _, took_s, _ in calls if took_s > LATE_S]
    assert len(late) <= len(calls) // 20, f"{len(late)} of {len(calls)}: {max(late)} s"
