"""A revocation that concerns nobody, made now and then to see how soon one is announced.

Written on one connection and listened for on another, as a revoker and a worker are. Its key stands
for a moment under a name that no token can have: a `jti` begins with the id of a data set.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable

from app.errors import StoreUnavailable
from app.metrics import PROPAGATION, Metrics
from app.store import Connection

PREFIX = "revoked:canary."
_LOOK_AGAIN_S = 0.001
_PATIENCE_S = 1.0
_TTL_S = 2

log = logging.getLogger("portcullis.canary")


class Canary:
    """One of each worker. Both lines are its thread's alone; `listener` watches PREFIX."""

    def __init__(
        self,
        writer: Connection,
        listener: Connection,
        metrics: Metrics,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._writer = writer
        self._listener = listener
        self._metrics = metrics
        self._monotonic = monotonic
        self._sleep = sleep
        self._key = f"{PREFIX}{secrets.token_hex(8)}"

    def start(self, period_s: int) -> None:
        """Send one each period, for as long as this process lives."""
        thread = threading.Thread(target=self._run, args=(period_s,), name="canary", daemon=True)
        thread.start()

    def send(self) -> float | None:
        """Return the seconds from the writing to the announcement; None: there is none to expect.

        One that was not announced in a second is counted as such. Raises StoreUnavailable.
        """
        if not self._is_listening():
            return None
        self._listener.take_news()
        began = self._monotonic()
        self._writer.ask(("SET", self._key, "canary", "EX", _TTL_S))
        while not self._is_announced():
            if self._monotonic() - began > _PATIENCE_S:
                self._metrics.count("revocation_canaries_lost")
                log.error("a revocation was not announced within %g s", _PATIENCE_S)
                return None
            self._sleep(_LOOK_AGAIN_S)
        took_s = self._monotonic() - began
        self._metrics.observe(PROPAGATION, int(took_s * 1e9))
        self._writer.ask(("DEL", self._key))
        return took_s

    def _is_listening(self) -> bool:
        """A line that was lost, or never made, is made by a question."""
        if not self._listener.is_current():
            self._listener.ask(("PING",))
        return self._listener.is_current()

    def _is_announced(self) -> bool:
        """A line that breaks meanwhile has no more to say: that is no announcement."""
        if not self._listener.is_current():
            raise StoreUnavailable("the listening line was lost")
        return any(
            isinstance(keys, list) and self._key in keys for keys in self._listener.take_news()
        )

    def _run(self, period_s: int) -> None:
        # Workers that started together spread out.
        self._sleep(period_s * secrets.randbelow(1000) / 1000)
        while True:
            try:
                self.send()
            except StoreUnavailable:
                pass  # the line has said so
            except Exception:
                log.exception("no canary sent")
            self._sleep(period_s)
