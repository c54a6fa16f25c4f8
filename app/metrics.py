"""What is counted, and how Prometheus reads it."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.counters import Counters
from app.errors import Refused

REASONS = ("ok", *sorted(refusal.reason for refusal in Refused.__subclasses__()))
_COUNTERS = {
    "tokens_minted": "Tokens handed out.",
    "one_time_tokens_minted": "One-time tokens handed out.",
    "tokens_revoked": "Tokens revoked through /revoke.",
    "client_authentications_failed": "Requests with a wrong secret, or of nobody.",
    "client_authentications_throttled": "Of these, those told to slow down.",
    "tokens_verified": "Signatures verified because a token was not in memory.",
    "standings_learnt": "Times that Redis was asked about a token before a decision.",
    "audit_entries_dropped": "Audit entries that found no room while Redis was away.",
}
_GAUGES = {
    "warm_tokens": "Verified tokens in memory, over all workers.",
    "fed_workers": "Workers that Redis announces changes to; the others ask it every time.",
}


class Metrics(Collector):
    """The counts of all workers of this gateway. `counts[index[name]] += 1` counts."""

    def __init__(self, directory: Path | None) -> None:
        decisions = [f"decision {reason}" for reason in REASONS]
        self._all = Counters(directory, [*decisions, *_COUNTERS], list(_GAUGES))
        self.counts = self._all.counts
        self.index = self._all.index
        self.by_reason = {reason: self.index[f"decision {reason}"] for reason in REASONS}

    def count(self, name: str) -> None:
        """Add one to a counter that is not of the hot path."""
        self.counts[self.index[name]] += 1

    def set(self, name: str, value: int) -> None:
        """Set a counter or gauge of this worker."""
        self.counts[self.index[name]] = value

    def text(self) -> bytes:
        """Return the Prometheus text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its sum over the workers."""
        totals = self._all.totals()
        decisions = CounterMetricFamily(
            "portcullis_decisions", "Answers of /validate by reason.", labels=["reason"]
        )
        for reason in REASONS:
            decisions.add_metric([reason], totals[f"decision {reason}"])
        yield decisions
        for name, help_text in _COUNTERS.items():
            yield CounterMetricFamily(f"portcullis_{name}", help_text, totals[name])
        for name, help_text in _GAUGES.items():
            yield GaugeMetricFamily(f"portcullis_{name}", help_text, totals[name])
        yield GaugeMetricFamily("portcullis_workers", "Worker processes.", self._all.workers())
