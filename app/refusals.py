"""Refused calls, noted for people: a few of each reason, and how many more there were.

A flood of one kind neither fills what keeps the notes nor hides the other kinds.
"""

import logging
from collections.abc import Callable, Mapping

from app.errors import InvalidClient, MissingScope, OAuthError, Refused

MOST_A_SECOND = 5
"""Of one reason, by one worker."""

_LONGEST_PATH = 256

log = logging.getLogger("portcullis.refusals")


class Refusals:
    """Takes samples, for the log and for `keep`, which gets the fields of each note.

    Times are epoch seconds.
    """

    def __init__(self, keep: Callable[[Mapping[str, str]], None]) -> None:
        self._keep = keep
        self._second = 0
        self._noted: dict[str, int] = {}
        self._passed_over: dict[str, int] = {}

    def is_due(self, reason: str, now: float) -> bool:
        """Tell whether to note this one; the others are counted."""
        if int(now) != self._second:
            self._second = int(now)
            self._noted.clear()
        noted = self._noted.get(reason, 0)
        if noted >= MOST_A_SECOND:
            self._passed_over[reason] = self._passed_over.get(reason, 0) + 1
            return False
        self._noted[reason] = noted + 1
        return True

    def note(
        self,
        refusal: Refused | OAuthError,
        *,
        client_id: str,
        method: str,
        target: str,
        request_id: str,
    ) -> None:
        """Note a refusal, with the path of its call: a query may hold anything, so it is cut."""
        path = target.partition("?")[0].partition("#")[0]
        reason = reason_of(refusal)
        fields = {
            "reason": reason,
            "client_id": client_id,
            "method": method[:16],
            "route": path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…",
            "needed": refusal.needed if isinstance(refusal, MissingScope) else "",
            "detail": refusal.detail if isinstance(refusal, InvalidClient) else "",
            "request_id": request_id,
            "more": str(self._passed_over.pop(reason, "")),
        }
        kept = {name: _clean(value) for name, value in fields.items() if value}
        log.info(f"refused: {reason}", extra=kept)
        self._keep(kept)

    def settle(self, now: float) -> None:
        """Log how many more there were of a flood that has ended; to be called now and then."""
        if self._passed_over and int(now) > self._second:
            for reason, more in self._passed_over.items():
                log.info(f"refused: {reason}", extra={"reason": reason, "more": str(more)})
            self._passed_over.clear()


def reason_of(refusal: Refused | OAuthError) -> str:
    """Return the word for it: of the gate's closed list, or the error code of an endpoint."""
    return refusal.reason if isinstance(refusal, Refused) else refusal.error


def _clean(value: str) -> str:
    """Bytes that are no UTF-8 came from somebody's hand: they are spelt out."""
    return value.encode("utf-8", "backslashreplace").decode()
