"""The metrics in Prometheus' text format. What another party knows is asked at the scrape."""

import platform
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app import __version__
from app.errors import ConfigError, Refused, StoreUnavailable
from app.metrics import (
    BOUNDS_US,
    COUNTERS,
    ENDPOINTS,
    GAUGES,
    LINE_COUNTERS,
    LINES,
    PROPAGATION,
    Figures,
    Histogram,
    Metrics,
)
from app.processes import Processes
from app.store import Store
from app.verifier import Verifier

_STATUS = {"ok": 204} | {one.reason: one.status for one in Refused.__subclasses__()}
_EVERY_CODE = {"200", "400", "401", "413", "429", "500", "503"}
_BOUNDS = [*(f"{bound / 1e6:g}" for bound in BOUNDS_US), "+Inf"]
_OTHER_CLIENTS = "(other)"
"""No client can have this name."""


class Counted(Collector):
    """What the workers have counted and what the kernel tells of them. For one thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._processes = Processes()

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its sum over the workers, or with a label for each worker."""
        figures = self._metrics.look()
        yield from _decisions(figures)
        yield from _requests(figures)
        yield from _plain(figures)
        yield GaugeMetricFamily("portcullis_workers", "Worker processes.", len(figures.workers))
        lag = GaugeMetricFamily(
            "portcullis_feed_lag_seconds",
            "Since a worker last knew that it had every change. About a second when it is idle.",
            labels=["worker"],
        )
        now = self._clock()
        for worker in figures.workers:
            if worker.fed_at is not None:
                lag.add_metric([str(worker.number)], max(0.0, now - worker.fed_at))
        yield lag
        pids = {str(worker.number): worker.pid for worker in figures.workers}
        yield from self._processes.families(pids)


class Exposition(Collector):
    """All of it, collected anew at each scrape."""

    def __init__(
        self, metrics: Metrics, store: Store, verifier: Verifier, *, warm_tokens_limit: int
    ) -> None:
        self._counted = Counted(metrics, verifier.now)
        self._store = store
        self._verifier = verifier
        self._warm_tokens_limit = warm_tokens_limit

    def text(self) -> bytes:
        """Return the Prometheus text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted, and what Redis and the keyring say."""
        yield from self._counted.collect()
        limit = "Verified tokens that each worker remembers at most."
        yield GaugeMetricFamily("portcullis_warm_tokens_limit", limit, self._warm_tokens_limit)
        yield from self._store_state()
        yield from self._signing_keys()
        info = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("portcullis_build", "What runs here.", info)

    def _store_state(self) -> Iterator[Metric]:
        """A snapshot that was never taken has no age: the metric is absent."""
        try:
            taken_at = self._store.snapshot_taken_s()
            is_up = True
        except StoreUnavailable:
            taken_at, is_up = None, False
        yield GaugeMetricFamily("portcullis_store_up", "Whether Redis answered the scrape.", is_up)
        age = GaugeMetricFamily("portcullis_snapshot_age_seconds", "Since the last snapshot.")
        if taken_at is not None:
            age.add_metric([], max(0.0, self._verifier.now() - taken_at))
        yield age

    def _signing_keys(self) -> Iterator[Metric]:
        """In timestamps, so that an alert can say what is old."""
        since = GaugeMetricFamily(
            "portcullis_signing_key_since_timestamp_seconds",
            "When the key that signs now began to.",
            labels=["kid", "alg"],
        )
        following = GaugeMetricFamily(
            "portcullis_signing_key_next_timestamp_seconds",
            "When the next key begins to sign; absent when none has been published.",
            labels=["kid", "alg"],
        )
        now = self._verifier.now()
        ring = self._verifier.ring()
        for key in ring.keys:
            if key.signs_from_s > now:
                following.add_metric([key.kid, key.alg], key.signs_from_s)
        try:
            signer = ring.signer(now)
            since.add_metric([signer.kid, signer.alg], signer.signs_from_s)
        except (ConfigError, StoreUnavailable):
            pass
        yield from (since, following)


def _decisions(figures: Figures) -> Iterator[Metric]:
    decisions = CounterMetricFamily(
        "portcullis_decisions", "Answers of /validate by reason.", labels=["reason"]
    )
    for reason, count in figures.decisions().items():
        decisions.add_metric([reason], count)
    yield decisions


def _requests(figures: Figures) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "portcullis_requests", "Answers by endpoint and status code.", labels=["endpoint", "code"]
    )
    durations = HistogramMetricFamily(
        "portcullis_request_duration_seconds",
        "Time spent on a request inside the app, by endpoint.",
        labels=["endpoint"],
    )
    for endpoint in ENDPOINTS:
        counts = figures.requests(endpoint)
        if endpoint == "validate":
            for reason, count in figures.decisions().items():
                counts[str(_STATUS[reason])] += count
        for code, count in counts.items():
            if count or code in _EVERY_CODE:
                requests.add_metric([endpoint, code], count)
        _add(durations, [endpoint], figures.durations(endpoint))
    yield from (requests, durations)
    propagation = HistogramMetricFamily(
        "portcullis_revocation_propagation_seconds",
        "From the writing of a revocation to its announcement, by canaries of each worker.",
        labels=[],
    )
    _add(propagation, [], figures.durations(PROPAGATION))
    yield propagation


def _add(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    cumulated = accumulate(histogram.buckets)
    family.add_metric(labels, list(zip(_BOUNDS, cumulated, strict=True)), histogram.sum_s)


def _plain(figures: Figures) -> Iterator[Metric]:
    minted = CounterMetricFamily(
        "portcullis_tokens_minted",
        "Tokens handed out, by client for the first that came; one-time tokens are counted apart.",
        labels=["client_id"],
    )
    for client_id, count in figures.minted().items():
        minted.add_metric([client_id or _OTHER_CLIENTS], count)
    yield minted
    for name, help_text in COUNTERS.items():
        yield CounterMetricFamily(f"portcullis_{name}", help_text, figures.totals[name])
    for name, help_text in GAUGES.items():
        yield GaugeMetricFamily(f"portcullis_{name}", help_text, figures.totals[name])
    for name, help_text in LINE_COUNTERS.items():
        family = CounterMetricFamily(f"portcullis_{name}", help_text, labels=["line"])
        for line in LINES:
            family.add_metric([line], figures.totals[f"{name} {line}"])
        yield family
