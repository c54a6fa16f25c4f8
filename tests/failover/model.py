"""Load through nginx while something breaks, and each decision held against what is known."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.processes import until
from tests.stack import Stack
from tests.wire import Answer


class Model:
    """Callers, a revoker and a spender. `wrong` must stay empty.

    A token is dead from when its revocation, or the call that spent it, has been answered with 200:
    it must never get a 200 again. A good token is good, unless its data set has ended.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(turn,))
            for turn in (self._call, self._revoke, self._spend, self._check)
        ]
        self.good = stack.mint()
        self.dead: list[str] = []
        self.wrong: list[str] = []
        self.tried: Counter[str] = Counter()
        self.answers: list[tuple[float, int, float]] = []
        """Of the good token's calls: when each was answered, with what, and seconds it took."""

    def __enter__(self) -> "Model":
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.dead) > 10 and self.tried["checked"] > 20, 60, "the load runs")
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, turn: Callable[[], None]) -> None:
        while not self._is_over.is_set():
            try:
                turn()
            except Exception as error:
                self.wrong.append(f"{turn.__name__}: {error!r}")
                raise

    def _call(self) -> None:
        began = time.monotonic()
        answer = self._ask(self.good)
        now = time.monotonic()
        self.answers.append((now, answer.status, now - began))
        if answer.status == 401 and (fresh := self._mint("/token")):
            if dataset_of(fresh) == dataset_of(self.good):
                self.wrong.append("a good token was refused")
            self.tried["data sets ended"] += 1
            self.good = fresh

    def _revoke(self) -> None:
        token = self._mint("/token")
        if token and self._ask(token).status == 200:
            done = self._stack.asked_by(self._stack.demo, "/revoke", token=token)
            if self._known(done).status == 200:
                self.dead.append(token)
                self.tried["revoked"] += 1

    def _spend(self) -> None:
        token = self._mint("/ott")
        if token and self._ask(token).status == 200:
            self.dead.append(token)
            self.tried["spent"] += 1

    def _check(self) -> None:
        """The newest, which may have been lost on the way, and some of all others."""
        for token in self.dead[-20:] + self.dead[:: max(1, len(self.dead) // 10)]:
            if self._ask(token).status == 200:
                self.wrong.append(f"let in: {token[-12:]}")
            self.tried["checked"] += 1

    def _mint(self, path: str) -> str | None:
        client = self._stack.demo
        answer = self._known(self._stack.asked_by(client, path, grant_type="client_credentials"))
        return str(answer.json()["access_token"]) if answer.status == 200 else None

    def _ask(self, token: str) -> Answer:
        return self._known(self._stack.call("/demo/any", token))

    def _known(self, answer: Answer) -> Answer:
        """Hold that it is a decision, or a 503 that says when to come back."""
        if answer.status not in {200, 401, 503}:
            self.wrong.append(f"status {answer.status}")
        if answer.status == 503 and not answer.header("Retry-After"):
            self.wrong.append("a 503 without Retry-After")
        self.tried[str(answer.status)] += 1
        return answer

    def wait_until_served(self, within_s: float = 60) -> None:
        """Wait until good tokens, revocations and one-time tokens all work again."""
        before = self.tried.copy()
        began = time.monotonic()
        until(
            lambda: (
                any(at > began and status == 200 for at, status, _ in self.answers)
                and self.tried["revoked"] > before["revoked"] + 2
                and self.tried["spent"] > before["spent"] + 2
            ),
            within_s,
            "all is well again",
        )

    def outage_s(self, since: float) -> float:
        """Return how long no good token was let through, after something broke."""
        refused = [at for at, status, _ in self.answers if at >= since and status == 503]
        good = [at for at, status, _ in self.answers if status == 200]
        if not refused:
            return 0.0
        return min(at for at in good if at > refused[0]) - max(at for at in good if at < refused[0])

    def check_all(self) -> None:
        """Hold that every dead token is refused, now that all can be decided."""
        for token in self.dead:
            assert until(lambda t=token: self._decided(t), 30) == 401  # type: ignore[misc]

    def _decided(self, token: str) -> int:
        status = self._ask(token).status
        return status if status != 503 else 0


def dataset_of(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["jti"]).partition(".")[0]
