"""`GET /admin/cache/stats`, on the ops listener: how well the workers' memory serves."""

from typing import Any

import falcon

from app.metrics import Metrics, Worker


class CacheStatsEndpoint:
    """Warm tokens, over all workers and for each that lives."""

    def __init__(self, metrics: Metrics, limit: int) -> None:
        self._metrics = metrics
        self._limit = limit

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """The sums are those of ended workers too; `size` and `limit` are of living ones."""
        figures = self._metrics.look()
        totals = figures.totals
        hits, misses = totals["warm_token_hits"], totals["warm_token_misses"]
        resp.media = {
            "warm_tokens": {
                "size": totals["warm_tokens"],
                "limit": self._limit * len(figures.workers),
                "hits": hits,
                "misses": misses,
                "hit_ratio": _ratio(hits, misses),
                "evictions": totals["warm_token_evictions"],
            },
            "workers": [self._worker(worker) for worker in figures.workers],
        }

    on_head = on_get

    def _worker(self, worker: Worker) -> dict[str, Any]:
        return {
            "worker": worker.number,
            "pid": worker.pid,
            "size": worker.warm_tokens,
            "limit": self._limit,
            "hits": worker.hits,
            "misses": worker.misses,
            "hit_ratio": _ratio(worker.hits, worker.misses),
            "evictions": worker.evictions,
            "is_fed": worker.fed_at is not None,
        }


def _ratio(hits: int, misses: int) -> float | None:
    """Return the share of hits; None when nobody has asked."""
    return round(hits / (hits + misses), 4) if hits + misses else None
