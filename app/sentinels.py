"""The way to a Redis that sentinels watch: to whichever is the primary, and only for as long.

A primary that was frozen and has been replaced comes back and thinks that it still is the primary,
for seconds, until a sentinel tells it. So its own word is not enough: whoever wants to go on with
a line asks the sentinels again, all of them, and believes the one that knows of the latest
failover. Nobody finds a new primary but through them: what it has acknowledged came later than
what they said.
"""

import time
from collections.abc import Callable
from typing import Any

import hiredis

from app.dial import Dial, Reached
from app.login import Login
from app.sentinel_url import SCHEMES, SentinelUrl
from app.wire import Wire

Address = tuple[str, int]

_SHUN_S = 1.0
_SHUN_ALL_S = 0.2
_LEASE_S = 0.5
"""Within so little silence nobody has been replaced: `down-after-milliseconds` is 1000 or more."""


class _Sentinel:
    """One of them, over a line that is kept."""

    def __init__(
        self, url: str, service: str, within_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._dial = Dial(url, within_s)
        self._monotonic = monotonic
        self._questions = (
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service),
            ("SENTINEL", "MASTER", service),
        )
        self._wire: Wire | None = None
        self.shunned_until = 0.0

    def ask(self, deadline: float) -> tuple[int, Address]:
        """Return the epoch of its last failover and the primary's address; raise OSError."""
        try:
            self._wire = self._wire or self._connect(deadline)
            address, state = self._wire.exchange(self._questions, deadline)
            return _epoch(state), (str(address[0]), int(address[1]))
        except (OSError, hiredis.HiredisError, TypeError, ValueError, LookupError) as error:
            if self._wire:
                self._wire.close()
            self._wire = None
            raise ConnectionError(f"a sentinel does not answer: {error}") from error

    def _connect(self, deadline: float) -> Wire:
        reached = self._dial.connect(deadline - self._monotonic())
        wire = Wire(reached.sock, [], self._monotonic)
        Login(reached.user, reached.password, 0, ()).over(wire, deadline)
        return wire


class SentinelDial(Dial):
    """Connects to the primary, and tells whether it still is."""

    def __init__(
        self,
        url: SentinelUrl,
        timeout_s: float,
        vouch_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url.base, timeout_s)
        self._url = url
        self._within_s = timeout_s / 3
        self._vouch_s = vouch_s
        self._monotonic = monotonic
        self._sentinels = [
            _Sentinel(one, url.service, self._within_s, monotonic) for one in url.sentinels
        ]
        self._address: Address | None = None
        self._named_at = self._vouched_at = 0.0

    def connect(self, within_s: float) -> Reached:
        """Connect to whom the sentinels name, who has yet to say that it is the primary."""
        deadline = self._monotonic() + within_s
        self._address = self._primary(deadline)
        host, port = self._address
        reached = self._reach(deadline - self._monotonic(), host=host, port=port)
        return Reached(reached.sock, self._url.user, self._url.password, self._url.db)

    def check(self, wire: Wire, deadline: float) -> None:
        """Raise ConnectionError unless the server itself says that it is the primary."""
        (role,) = wire.exchange((("ROLE",),), deadline)
        if isinstance(role, Exception) or role[0] != "master":
            raise ConnectionError(f"not the primary: {role}")
        self._vouched_at = self._named_at

    def is_due(self) -> bool:
        return self._monotonic() - self._vouched_at > self._vouch_s

    def vouch(self, wire: Wire, heard_at: float, deadline: float) -> None:
        """Raise ConnectionError unless this is still the primary, now and then.

        Sentinels that do not answer vouch for nobody; after so short a silence nobody has to.
        """
        if not self.is_due():
            return
        try:
            address = self._primary(deadline)
        except OSError:
            if self._monotonic() - heard_at > _LEASE_S:
                raise
        else:
            if address != self._address:
                raise ConnectionError(f"the primary is another one now: {address}")
        self.check(wire, deadline)

    def _primary(self, deadline: float) -> Address:
        """Ask all sentinels that have answered of late.

        A silent one may take a third of the time that Redis has for an answer; all of them, half.
        """
        self._named_at = now = self._monotonic()
        deadline = min(deadline, now + 1.5 * self._within_s)
        answers, silent = [], []
        for sentinel in [one for one in self._sentinels if one.shunned_until <= now]:
            if (began := self._monotonic()) >= deadline:
                break
            try:
                answers.append(sentinel.ask(min(deadline, began + self._within_s)))
            except OSError as error:
                silent.append(sentinel)
                why = str(error)
        for sentinel in silent:
            sentinel.shunned_until = self._monotonic() + (_SHUN_S if answers else _SHUN_ALL_S)
            # The next time those come first for whom no time was left.
            self._sentinels.remove(sentinel)
            self._sentinels.append(sentinel)
        if not answers:
            raise ConnectionError(why if silent else "no sentinel has answered of late")
        return max(answers)[1]


def dial_to(
    url: str, timeout_s: float, vouch_s: float, monotonic: Callable[[], float] = time.monotonic
) -> Dial:
    """Return the way to what a URL leads to."""
    if url.startswith(SCHEMES):
        return SentinelDial(SentinelUrl.parse(url), timeout_s, vouch_s, monotonic)
    return Dial(url, timeout_s)


def _epoch(state: Any) -> int:
    """RESP2 spells a map as a flat list. Who may not ask for it knows of no failover."""
    if isinstance(state, list):
        state = dict(zip(state[::2], state[1::2], strict=True))
    return int(state["config-epoch"]) if isinstance(state, dict) else 0
