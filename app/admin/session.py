"""Signing in to the dashboard. Pure: the time comes as an argument.

The admin token is shown once per session; what the page then sends is signed with it and ends by
itself. So a throttle on wrong tokens never stands between an admin who is in and the gateway.
"""

import hmac
import math
import re
import secrets
from collections import OrderedDict

from app.admin.problems import NotSignedIn, TooManyTries

SESSION_S = 8 * 3600
_PURPOSE = b"portcullis dashboard session"
_SESSION = re.compile(r"([0-9]{1,12}\.[A-Za-z0-9_-]{22})\.([0-9a-f]{64})", re.ASCII)
_MOST_WRONG = 5
_WITHIN_S = 60
_MOST_ADDRESSES = 1000


class Sessions:
    """Sessions of whoever knows the admin token; no worker has to remember them."""

    def __init__(self, admin_token: str) -> None:
        self._token = admin_token.encode()
        self._key = hmac.digest(self._token, _PURPOSE, "sha256")

    def begin(self, shown: str, now: float) -> str:
        """Return a new session for the admin token; raise NotSignedIn for anything else."""
        if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self._token):
            raise NotSignedIn("that is not the admin token")
        promise = f"{math.ceil(now) + SESSION_S}.{secrets.token_urlsafe(16)}"
        return f"{promise}.{self._signature(promise)}"

    def check(self, shown: str, now: float) -> None:
        """Raise NotSignedIn unless this is a session that has not ended."""
        parts = _SESSION.fullmatch(shown)
        if not parts or not hmac.compare_digest(self._signature(parts[1]), parts[2]):
            raise NotSignedIn
        if now >= int(parts[1].partition(".")[0]):
            raise NotSignedIn("the session has ended: sign in again")

    def _signature(self, promise: str) -> str:
        return hmac.digest(self._key, promise.encode(), "sha256").hex()


class Tries:
    """Wrong admin tokens by address, in this worker: five a minute, then nothing is looked at."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, address: str, now: float) -> None:
        """Raise TooManyTries while an address has to wait."""
        count, until = self._wrong.get(address, (0, 0.0))
        if count >= _MOST_WRONG and _is_within(now, until):
            raise TooManyTries(math.ceil(until - now))

    def note_wrong(self, address: str, now: float) -> None:
        """Count one; the minute begins with the first."""
        count, until = self._wrong.pop(address, (0, 0.0))
        self._wrong[address] = (
            (count + 1, until) if _is_within(now, until) else (1, now + _WITHIN_S)
        )
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)


def _is_within(now: float, until: float) -> bool:
    """A minute that ends later than a minute from now was begun by a clock that was set back."""
    return now < until <= now + _WITHIN_S
