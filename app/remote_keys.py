"""Key sets that clients keep elsewhere (`jwks_uri`, RFC 7591 §2), fetched while nobody waits."""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from queue import Queue
from urllib.parse import urlsplit

from app.errors import InvalidClient, TemporarilyUnavailable
from app.fetching import fetch
from app.key_sets import KeySet, read_key_set

_FRESH_S = 300.0
_GOOD_S = 3_600.0
"""For how long keys stay good whose place cannot be reached."""

_RETRY_S = 5.0
_UNKNOWN_KEY_S = 60.0
"""A key that is not there may be new; but anybody can name one that never was."""

_MOST = 1_000

log = logging.getLogger("portcullis.remote_keys")


@dataclass(slots=True)
class _Entry:
    """What one URI has given. Seconds of the monotonic clock."""

    uri: str
    key_set: KeySet | None = None
    fetched_at: float = -math.inf
    asked_at: float = -math.inf


class RemoteKeys:
    """The key sets that one worker has fetched. A thread of its own does that, and nobody waits."""

    def __init__(
        self,
        origins: tuple[str, ...],
        fetch: Callable[[str], str] = fetch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origins = origins
        self._fetch = fetch
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._wanted: Queue[_Entry] = Queue()
        self._thread: threading.Thread | None = None

    def find(self, uri: str) -> KeySet:
        """Return the keys at a URI.

        Raises InvalidClient when nobody may be asked there, TemporarilyUnavailable when its keys
        are not known yet, or not any more.
        """
        if _origin(uri) not in self._origins:
            raise InvalidClient(detail="the client's jwks_uri is not at one of JWKS_ORIGINS")
        entry = self._entry(uri)
        age_s = self._monotonic() - entry.fetched_at
        if age_s > _FRESH_S:
            self._want(entry)
        if entry.key_set is None or age_s > _GOOD_S:
            raise TemporarilyUnavailable(f"the keys at {uri} are not known yet")
        return entry.key_set

    def look_again(self, uri: str) -> None:
        """Fetch the keys anew, soon, because one of them is not known; not too often."""
        entry = self._entries.get(uri)
        if entry and self._monotonic() - entry.fetched_at > _UNKNOWN_KEY_S:
            self._want(entry)

    def _entry(self, uri: str) -> _Entry:
        if uri not in self._entries:
            if len(self._entries) >= _MOST:
                self._entries.popitem(last=False)
            self._entries[uri] = _Entry(uri)
        self._entries.move_to_end(uri)
        return self._entries[uri]

    def _want(self, entry: _Entry) -> None:
        now = self._monotonic()
        if now - entry.asked_at < _RETRY_S:
            return
        entry.asked_at = now
        self._wanted.put(entry)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="remote-keys", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            entry = self._wanted.get()
            try:
                entry.key_set = read_key_set(self._fetch(entry.uri))
                entry.fetched_at = self._monotonic()
            except (OSError, ValueError) as error:
                log.warning("the keys at %s cannot be fetched: %s", entry.uri, error)
            except Exception:
                log.exception("the keys at %s cannot be fetched", entry.uri)


def _origin(uri: str) -> str:
    """Return scheme, host and port, as they are written; with a user in it, it is another."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
