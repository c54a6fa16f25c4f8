"""What is counted, held against what prometheus_client counts of the same."""

import random
from pathlib import Path

import pytest
from prometheus_client import Histogram as Reference

from app.metrics import BOUNDS_US, MOST_CLIENTS, Metrics


def test_histogram_counts_as_prometheus_clients_does() -> None:
    """The same buckets and the same sum, at the bounds themselves too."""
    metrics, chance = Metrics(None), random.Random(1)
    reference = Reference("x", "x", buckets=[us / 1e6 for us in BOUNDS_US], registry=None)
    took_us = [*BOUNDS_US, 0, 2_000_000, *(round(10 ** chance.uniform(0, 7)) for _ in range(500))]
    for us in took_us:
        metrics.observe("token", us * 1000)
        reference.observe(us / 1e6)
    found = metrics.look().durations("token")
    samples = [sample for family in reference.collect() for sample in family.samples]
    cumulated = [sum(found.buckets[: n + 1]) for n in range(len(found.buckets))]
    assert [s.value for s in samples if s.name == "x_bucket"] == cumulated
    assert next(s.value for s in samples if s.name == "x_sum") == pytest.approx(found.sum_s)


def test_endpoints_have_histograms_of_their_own() -> None:
    """One does not count for another."""
    metrics = Metrics(None)
    metrics.observe("ott", 1)
    figures = metrics.look()
    assert (1, 0) == (
        sum(figures.durations("ott").buckets),
        sum(figures.durations("token").buckets),
    )


def test_clients_beyond_the_first_hundred_count_together(tmp_path: Path) -> None:
    """Anybody who registers clients without end does not fill Prometheus."""
    metrics = Metrics(tmp_path)
    for number in range(MOST_CLIENTS + 5):
        metrics.count_minted(f"client-{number}")
        metrics.count_minted("client-0")
    minted = metrics.look().minted()
    assert MOST_CLIENTS + 1 == len(minted)
    assert (MOST_CLIENTS + 6, 1, 5) == (minted["client-0"], minted["client-1"], minted[""])
