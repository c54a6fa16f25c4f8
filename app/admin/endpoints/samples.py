"""`GET /admin/api/samples?after=T`: what was sampled after T, epoch seconds."""

import falcon

from app.admin.history import KEPT_S, History
from app.verifier import Verifier


class SamplesEndpoint:
    """The charts' figures: counts as they stood, which the page takes differences of."""

    def __init__(self, history: History, verifier: Verifier) -> None:
        self._history = history
        self._verifier = verifier

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Parts with their names, oldest first: `[{"names": [...], "rows": [[time_s, ...]]}]`."""
        earliest_s = self._verifier.now() - KEPT_S
        after_s = max(req.get_param_as_float("after", default=earliest_s) or 0.0, earliest_s)
        parts = (
            f'{{"names":{stretch.names},"rows":[{",".join(stretch.rows)}]}}'
            for stretch in self._history.since(after_s)
        )
        resp.text = f"[{','.join(parts)}]"

    on_head = on_get
