"""`GET /admin/api/samples?after=T`: what was sampled after T, epoch seconds."""

import falcon

from app.admin.documents import MOST_BYTES
from app.admin.history import KEPT_S, History
from app.verifier import Verifier


class SamplesEndpoint:
    """The charts' figures: counts as they stood, which the page takes differences of."""

    def __init__(self, history: History, verifier: Verifier) -> None:
        self._history = history
        self._verifier = verifier

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Parts with their names, oldest first; ask again where `is_all` is false.

        `{"parts": [{"names": [...], "rows": [[time_s, ...]]}], "is_all": true}`
        """
        earliest_s = self._verifier.now() - KEPT_S
        after_s = max(req.get_param_as_float("after", default=earliest_s) or 0.0, earliest_s)
        parts: list[str] = []
        size = found = 0
        for names, rows in ((one.names, one.rows) for one in self._history.since(after_s)):
            found += len(rows)
            size += len(names)
            kept = 0
            while kept < len(rows) and size < MOST_BYTES:
                size += len(rows[kept])
                kept += 1
            found -= kept
            parts.append(f'{{"names":{names},"rows":[{",".join(rows[:kept])}]}}')
            if found:
                break
        resp.text = f'{{"parts":[{",".join(parts)}],"is_all":{"false" if found else "true"}}}'
