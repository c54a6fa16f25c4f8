"""Who shows wrong secrets, and how often (RFC 6749 §2.3.1, §10.10).

A right secret is never asked about here: so nobody can lock a client out by guessing in its name,
not even from its own address. Guessing 256 bits is hopeless at any rate; what this keeps down is
the noise of it. The answer to a wrong secret is 401 (§5.2): only what cannot be a mistake any more
gets another. Each worker counts for itself, in bounded memory: a stranger writes nothing to Redis.
"""

import ipaddress
from collections import OrderedDict
from math import ceil

from app.errors import TooManyRequests

MOST = 30
PERIOD_S = 60
_MOST_REMEMBERED = 10_000


class WrongSecrets:
    """Counts per client id and address. Times are epoch seconds."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def note(self, client_id: str, address: str, now: float) -> None:
        """Count one; raise TooManyRequests when it is one too many for this period."""
        key = client_id, _network(address)
        began, count = self._seen.pop(key, (now, 0))
        if not 0 <= now - began < PERIOD_S:
            began, count = now, 0
        self._seen[key] = began, count + 1
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        if count >= MOST:
            raise TooManyRequests(ceil(began + PERIOD_S - now))


def _network(address: str) -> str:
    """Return an IPv4 address, or the /64 that an IPv6 address can be changed within at will."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
