"""How often a client may call and mint.

The rate is kept in Redis, one for all workers and gateways (redis/rate_limit.lua). A worker takes
its calls from there ahead, a hundredth of a second's worth at a time: so a client costs at most a
hundred questions a second, whatever its rate, and what a worker has taken and not used is little.
"""

from math import ceil

from app.clients import Client
from app.errors import RateLimited, TooManyRequests
from app.gate import Holder, Share
from app.store import Store

_SHARES_A_SECOND = 100
_SHARE_IS_GOOD_S = 1.0


class Rates:
    """The rates of clients, as one worker takes from them. Times are epoch seconds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_call(self, holder: Holder, now: float) -> None:
        """Take one call from a client's rate, if it has one; raise RateLimited."""
        client = holder.client
        if client and client.rate_per_s:
            wait_s = self._take(holder, client, "rate:", client.rate_per_s, now)
            if wait_s:
                raise RateLimited(ceil(wait_s), client.rate_per_s)

    def take_alone(self, holder: Holder, now: float) -> None:
        """Take one call without asking Redis, of the whole rate for this worker alone."""
        client = holder.client
        if client and client.rate_per_s:
            share = holder.shares.setdefault("alone:", Share())
            if not 0 <= now - share.since < 1:
                share.since, share.calls = now, client.rate_per_s
            if not share.calls:
                raise RateLimited(1, client.rate_per_s)
            share.calls -= 1

    def take_mint(self, holder: Holder, now: float) -> None:
        """Take one mint: as many as calls, and counted apart; raise TooManyRequests."""
        client = holder.client
        if client and client.rate_per_s:
            wait_s = self._take(holder, client, "rate:mint:", client.rate_per_s, now)
            if wait_s:
                raise TooManyRequests(ceil(wait_s), client.rate_per_s)

    def _take(
        self, holder: Holder, client: Client, prefix: str, rate_per_s: int, now: float
    ) -> float:
        """Return 0, or the seconds to wait."""
        share = holder.shares.get(prefix)
        if share is None:
            share = holder.shares[prefix] = Share()
        # The clock may be set back: an age below zero is no age.
        age_s = now - share.since
        if share.calls and 0 <= age_s < _SHARE_IS_GOOD_S:
            share.calls -= 1
            return 0.0
        if not share.calls and 0 <= age_s < share.wait_s:
            return share.wait_s - age_s
        wanted = max(1, rate_per_s // _SHARES_A_SECOND)
        key = f"{prefix}{client.client_id}"
        taken, share.wait_s = self._store.take(key, rate_per_s=rate_per_s, wanted=wanted)
        share.since, share.calls = now, max(0, taken - 1)
        return share.wait_s
