"""How many replicas must have a change before it is acknowledged (Redis' WAIT)."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import StoreUnavailable
from app.wire import Command

_AGAIN_S = 1.0
_SHORTLY_MS = 10
_TICK_S = 0.1
"""Redis looks at its clock ten times a second (`hz`): a wait may end so much later."""

log = logging.getLogger("portcullis.replicas")


class NotReplicated(StoreUnavailable):
    """A change is made, and too few replicas have it: it may be lost with the primary."""

    text = "it is done, but may yet be lost: too few replicas have it; try again shortly"


def wait_s(commands: Sequence[Command]) -> float:
    """Return how long Redis may hold an answer back for the replicas."""
    last = commands[-1] if commands else ("",)
    return int(last[2]) / 1000 + _TICK_S if last[0] == "WAIT" else 0.0


@dataclass(slots=True)
class Replicas:
    """`needed` replicas, within `timeout_ms`; none are waited for when 0 are needed.

    While they are not there, one change a second waits for as long as that, and the others for a
    moment: a worker that waits answers nobody else.
    """

    needed: int = 0
    timeout_ms: int = 0
    count: Callable[[str], None] = lambda _: None
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    _patient_from_s: float = 0.0

    def wait(self, key: str) -> tuple[Command, ...]:
        """Return what to ask after a change of a key, in the same question.

        WAIT counts from the last write of its own connection. A change that was made before, by
        somebody who was told that it may be lost, writes nothing: hence the mark.
        """
        if not self.needed:
            return ()
        is_patient = self.monotonic() >= self._patient_from_s
        patience_ms = self.timeout_ms if is_patient else min(_SHORTLY_MS, self.timeout_ms)
        return ("SET", f"wait:{{{key}}}", "1", "EX", 1), ("WAIT", self.needed, patience_ms)

    def check(self, replies: Sequence[Any]) -> None:
        """Hold that the last replies, to `wait`, say that they have it; raise NotReplicated.

        The change is made all the same, and may be lost with the primary.
        """
        if not self.needed:
            return
        mark, having = replies[-2:]
        if not isinstance(mark, Exception) and isinstance(having, int) and having >= self.needed:
            self._patient_from_s = 0.0
            return
        now = self.monotonic()
        if now >= self._patient_from_s:
            self._patient_from_s = now + _AGAIN_S
        self.count("changes_not_replicated")
        broken = next((one for one in (mark, having) if isinstance(one, Exception)), None)
        why = str(broken or f"{having} of {self.needed} replicas have it")
        log.error("a change is made and may yet be lost: %s", why)
        raise NotReplicated(why)
