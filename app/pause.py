"""When not to ask a Redis that has just failed: others need not wait for nothing."""

import math
from collections.abc import Callable


class Pause:
    """A moment after each failure, and two after a wait in vain."""

    def __init__(self, pause_s: float, monotonic: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._monotonic = monotonic
        self._until = -math.inf
        self._is_refused = False

    def is_on(self) -> bool:
        """Tell whether nothing is to be asked now."""
        return self._monotonic() < self._until

    def begin(self, error: Exception, *, is_connected: bool) -> None:
        """Pause after an error; not after a connection has broken, which may be made anew."""
        self._is_refused = isinstance(error, ConnectionRefusedError)
        if isinstance(error, TimeoutError):
            self._until = self._monotonic() + 2 * self._pause_s
        elif not is_connected:
            self._until = self._monotonic() + self._pause_s

    def lift(self) -> bool:
        """End it if trying costs next to nothing: where nobody listens, the kernel says so at once.

        Tell whether it was on, and is not any more.
        """
        is_lifted = self._is_refused and self.is_on()
        if is_lifted:
            self._until = -math.inf
        return is_lifted
