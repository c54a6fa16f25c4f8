"""When not to ask: after a failure for a while, and not again and again for refused tokens."""

import copy
from typing import TypeVar

from portcullis_client.endpoint import pause_after
from portcullis_client.errors import TokenError

E = TypeVar("E", bound=BaseException)

_MOST_RENEWALS, _RENEWALS_PER_S = 10.0, 0.2


class Patience:
    """Remembers the last failure, and how many refused tokens were replaced lately."""

    def __init__(self, now: float) -> None:
        self._trouble: TokenError | None = None
        self._until = now
        self._failed_at = now
        self._failures = 0
        self._renewals, self._renewals_at = _MOST_RENEWALS, now

    def trouble(self, now: float) -> TokenError | None:
        """Return the error that callers share until the next request is due, None when it is."""
        if self._trouble is None or now >= self._until:
            return None
        return raised_again(self._trouble)

    def failed(self, error: TokenError, asked_at: float, now: float) -> None:
        """Requests that were under way together fail together, and count as one failure."""
        if self._trouble is None or asked_at > self._failed_at:
            self._failures += 1
        self._trouble, self._failed_at = error, now
        self._until = now + pause_after(error, self._failures)

    def succeeded(self) -> None:
        self._trouble, self._failures = None, 0

    def may_replace(self, now: float) -> bool:
        """Take one replacement of a refused token, if there is one left.

        A service that refuses every token, whatever is done, must not cost a mint for each call.
        """
        earned = (now - self._renewals_at) * _RENEWALS_PER_S
        self._renewals, self._renewals_at = min(self._renewals + earned, _MOST_RENEWALS), now
        if self._renewals < 1:
            return False
        self._renewals -= 1
        return True


def raised_again(error: E) -> E:
    """Return an error of the caller's own: raising writes into the one that is raised."""
    if not isinstance(error, TokenError):
        return error
    twin = copy.copy(error)
    twin.__cause__ = error.__cause__
    return twin
