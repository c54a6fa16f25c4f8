"""Shed what has waited too long: better a quick "try again" than a late answer to everybody.

nginx says when it sent a request (X-Request-Start, epoch seconds). A queue that stands is
overload; one that a pause has left behind is worked off, late as its requests are. What tells them
apart is how long requests have been waiting over the last moments of work.
"""

_SHORT_S = 0.01
_STANDING_S = 0.05
_TOO_LONG_S = 0.15
_LONGEST_S = 0.2
"""A longer wait counts as this: how long a pause was says nothing about the queue."""

_MOMENT_S = 0.05
_STEP_S = 0.001
"""A pause between two requests counts for no more than this: it is not work."""

_ANOTHER_CLOCK_S = 10.0
"""An age beyond this is no wait but a clock that differs."""


class Overload:
    """How long the requests of one worker have been waiting. Times are epoch seconds."""

    def __init__(self) -> None:
        self._usual_wait_s = 0.0
        self._last_s = 0.0

    def is_late(self, started: str, now: float) -> bool:
        """Tell whether a request that was sent at `started` should be turned away at `now`."""
        try:
            age_s = now - float(started)
        except ValueError:
            return False
        if age_s < _SHORT_S > self._usual_wait_s:
            return False  # the usual case, and all that it costs
        if not -_ANOTHER_CLOCK_S < age_s < _ANOTHER_CLOCK_S:
            return False
        step_s = min(max(now - self._last_s, 0.0), _STEP_S)
        self._last_s = now
        wait_s = min(age_s, _LONGEST_S)
        self._usual_wait_s += (wait_s - self._usual_wait_s) * (step_s / _MOMENT_S)
        return age_s > _TOO_LONG_S and self._usual_wait_s > _STANDING_S
