"""`GET /metrics`, on the ops listener."""

import falcon
from prometheus_client import CONTENT_TYPE_LATEST

from app.exposition import Exposition


class MetricsEndpoint:
    """The sums over all workers of this gateway, in the Prometheus text format."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = self._exposition.text()
        resp.content_type = CONTENT_TYPE_LATEST

    on_head = on_get
