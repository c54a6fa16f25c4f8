"""What is counted: names, and the few ways to count. exposition.py shows it to Prometheus.

Every count is exact over all workers that ever were (counters.py). A name belongs to one thread of
a worker: what several threads do has a name for each.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.counters import Counters, Life
from app.errors import Refused
from app.names import Names

REASONS = ("ok", *sorted(refusal.reason for refusal in Refused.__subclasses__()))
ENDPOINTS = (
    *("validate", "token", "ott", "revoke", "introspect", "discovery"),
    *("health", "metrics", "explain", "admin", "other"),
)
CODES = ("200", "204", "400", "401", "403", "404", "405", "413", "415", "429", "500", "503")
OTHER = "other"
BOUNDS_US = (
    *(10, 25, 50, 100, 250, 500),
    *(1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000),
)
"""A warm decision falls into the first bucket, a first look at a token into the fourth or fifth."""
PROPAGATION = "propagation"
"""Not an endpoint, but with a histogram like theirs."""

_TIMED = (*ENDPOINTS, PROPAGATION)
FIRST_BOUND_NS = BOUNDS_US[0] * 1000

LINES = ("worker", "journal", "canary")
MOST_CLIENTS = 100
COUNTERS = {
    "one_time_tokens_minted": "One-time tokens handed out.",
    "one_time_tokens_spent": "One-time tokens that made their call.",
    "one_time_tokens_replayed": "Calls with a one-time token that another request has spent.",
    "dpop_proofs_replayed": "Requests with a DPoP proof that another request has shown.",
    "dpop_nonces_asked_for": "Requests whose DPoP proof had no nonce of ours, or an old one.",
    "tokens_revoked": "Tokens revoked through /revoke.",
    "changes_not_replicated": "Changes that too few replicas had in time (REPLICAS_TO_ACK).",
    "client_authentications_failed": "Requests with a wrong secret, or of nobody.",
    "client_authentications_throttled": "Of these, those told to slow down.",
    "dashboard_sign_ins_failed": "Wrong admin tokens shown to the dashboard.",
    "tokens_verified": "Signatures verified because a token was not in memory.",
    "stale_decisions": "Calls allowed by what was known before Redis was lost, where declared.",
    "standings_learnt": "Times that Redis was asked about a token before a decision.",
    "warm_token_hits": "Requests whose token was in memory.",
    "warm_token_misses": "Requests whose token was not in memory.",
    "warm_token_evictions": "Tokens that left memory to make room for others.",
    "revocation_canaries_lost": "Revocations made to be heard of that were not, within a second.",
    "audit_entries_written": "Audit entries written to Redis.",
    "audit_entries_dropped": "Audit entries that found no room while Redis was away.",
}
GAUGES = {
    "warm_tokens": "Verified tokens in memory, over all workers.",
    "fed_workers": "Workers that Redis announces changes to; the others ask it every time.",
    "audit_entries_waiting": "Audit entries on their way to Redis.",
}
LINE_COUNTERS = {
    "redis_round_trips": "Questions to Redis that were answered.",
    "redis_failures": "Questions to Redis that were not answered, or not in time.",
    "redis_connections": "Connections made to Redis.",
    "redis_connections_lost": "Connections to Redis that broke.",
}
_FED_AT_MS = "fed_at_ms"
"""When a worker last knew that it had every change: milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long something took. `buckets` are not cumulated; the last is +Inf."""

    buckets: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A living worker as metrics tell of it. `fed_at` is epoch seconds, None when it is not fed."""

    number: int
    pid: int
    warm_tokens: int
    hits: int
    misses: int
    evictions: int
    fed_at: float | None


class Figures:
    """Everything counted, of one moment, over all workers."""

    def __init__(self, totals: dict[str, int], lives: list[Life], clients: list[str]) -> None:
        self.totals = totals
        self.clients = clients
        self.workers = [_worker(life) for life in lives]

    def decisions(self) -> dict[str, int]:
        """Return the answers of /validate by reason."""
        return {reason: self.totals[f"decision {reason}"] for reason in REASONS}

    def requests(self, endpoint: str) -> dict[str, int]:
        """Return the requests of an endpoint by status code. /validate has `decisions`."""
        return {code: self.totals[f"request {endpoint} {code}"] for code in (*CODES, OTHER)}

    def durations(self, timed: str) -> Histogram:
        """Return how long the requests of an endpoint took, or PROPAGATION."""
        buckets = (self.totals[f"bucket {timed} {n}"] for n in range(len(BOUNDS_US) + 1))
        return Histogram(tuple(buckets), self.totals[f"ns {timed}"] / 1e9)

    def minted(self) -> dict[str, int]:
        """Return the tokens minted by client; under "" those of clients that came too late."""
        named = {client_id: self.totals[f"minted {n}"] for n, client_id in enumerate(self.clients)}
        return {**named, "": self.totals["minted other"]}


class Metrics:
    """The counts of this worker. `counts[index[name]] += 1` counts."""

    def __init__(self, directory: Path | None) -> None:
        counters = [
            *(f"decision {reason}" for reason in REASONS),
            *(f"request {endpoint} {code}" for endpoint in ENDPOINTS for code in (*CODES, OTHER)),
            *(f"ns {timed}" for timed in _TIMED),
            *(f"bucket {timed} {n}" for timed in _TIMED for n in range(len(BOUNDS_US) + 1)),
            *(f"minted {n}" for n in (*range(MOST_CLIENTS), OTHER)),
            *(f"{name} {line}" for name in LINE_COUNTERS for line in LINES),
            *COUNTERS,
        ]
        self._all = Counters(directory, counters, [*GAUGES, _FED_AT_MS])
        self._clients = Names(directory, MOST_CLIENTS)
        self.counts = self._all.counts
        self.index = self._all.index
        self.by_reason = {reason: self.index[f"decision {reason}"] for reason in REASONS}

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that is not of the hot path."""
        self.counts[self.index[name]] += amount

    def set(self, name: str, value: int) -> None:
        """Set a counter or gauge of this worker."""
        self.counts[self.index[name]] = value

    def set_fed(self, fed_at: float | None) -> None:
        """Note whether this worker has every change, and since when it knows that."""
        self.set("fed_workers", int(fed_at is not None))
        self.set(_FED_AT_MS, int((fed_at or 0) * 1000))

    def count_minted(self, client_id: str) -> None:
        """Count a token under its client, if that is one of the first that came."""
        number = self._clients.number(client_id)
        self.count(f"minted {OTHER if number is None else number}")

    def counter_of(self, line: str) -> Callable[[str], None]:
        """Return what counts the events of one of LINES."""
        return lambda name: self.count(f"{name} {line}")

    def bucket(self, timed: str, took_ns: int) -> int:
        """Return the index of the bucket that a duration falls into."""
        first = self.index[f"bucket {timed} 0"]
        return first + bisect_left(BOUNDS_US, took_ns / 1000)

    def observe(self, timed: str, took_ns: int) -> None:
        """Note how long a request of an endpoint took, or PROPAGATION."""
        self.counts[self.bucket(timed, took_ns)] += 1
        self.counts[self.index[f"ns {timed}"]] += took_ns

    def look(self) -> Figures:
        """Return the figures of all workers of this gateway."""
        return Figures(*self._all.look(), self._clients.known())


def _worker(life: Life) -> Worker:
    counts = life.counts
    return Worker(
        number=life.number,
        pid=life.pid,
        warm_tokens=counts["warm_tokens"],
        hits=counts["warm_token_hits"],
        misses=counts["warm_token_misses"],
        evictions=counts["warm_token_evictions"],
        fed_at=counts[_FED_AT_MS] / 1000 or None,
    )
