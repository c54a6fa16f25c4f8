"""`GET /admin/api/{audit,refusals}`: the newest entries, older ones, or what has come since."""

from collections.abc import Collection

import falcon

from app.admin.directory import Directory, is_entry_id
from app.admin.documents import show
from app.errors import InvalidRequest

_MOST_ENTRIES = 100
_LONGEST_FILTER = 128


class TrailEndpoint:
    """One stream. `filters` are the fields that may be asked for by value."""

    def __init__(self, directory: Directory, stream: str, filters: Collection[str]) -> None:
        self._directory = directory
        self._stream = stream
        self._filters = filters

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Newest first. `before` and `after` are ids of entries; `next_id` asks for older ones."""
        wanted = {name: value for name in self._filters if (value := req.get_param(name) or "")}
        if any(len(value) > _LONGEST_FILTER for value in wanted.values()):
            raise InvalidRequest("a filter is too long")
        before, after = _entry_id(req, "before"), _entry_id(req, "after")
        if after:
            trail = self._directory.news(self._stream, after, wanted, _MOST_ENTRIES)
        else:
            trail = self._directory.trail(self._stream, before, wanted, _MOST_ENTRIES)
        show(resp, {"entries": trail.entries, "next_id": trail.next_id})

    on_head = on_get


def _entry_id(req: falcon.Request, name: str) -> str:
    value = req.get_param(name) or ""
    if value and not is_entry_id(value):
        raise InvalidRequest(f"{name} is the id of an entry")
    return value
