"""`/admin/cache/stats` after what was asked."""

import os

from tests.service import Service


def test_worker_that_was_asked_nothing_has_no_ratio(service: Service) -> None:
    """Not a division by zero, nor a ratio that looks like a broken cache."""
    told = service.http.simulate_get("/admin/cache/stats", host="localhost").json["warm_tokens"]
    expected = {"size": 0, "limit": 1000, "hits": 0, "misses": 0, "hit_ratio": None, "evictions": 0}
    assert expected == told


def test_hits_misses_and_size_are_told(service: Service) -> None:
    """Over all workers and for each."""
    token = service.mint()
    for _ in range(4):
        service.validate(token)
    service.clock.now += 1
    service.validate()
    answer = service.http.simulate_get("/admin/cache/stats", host="localhost")
    figures = {"size": 1, "limit": 1000, "hits": 3, "misses": 1, "hit_ratio": 0.75, "evictions": 0}
    assert "no-store" == answer.headers["Cache-Control"]
    assert figures == answer.json["warm_tokens"]
    assert [{"worker": 1, "pid": os.getpid(), **figures, "is_fed": False}] == answer.json["workers"]
