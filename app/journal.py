"""Entries on their way to the audit stream, and when each secret last minted.

Written in batches by a thread of its own, so that a mint waits for no round trip. A batch leaves a
tenth of a second after its first entry, or at 500 entries. What is not written when a worker is
killed is lost; what finds no room while Redis is away is dropped and counted.

The same thread has Redis confirm the changes that this worker has seen (see tide).
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.errors import StoreUnavailable
from app.line import Command
from app.store import Connection

_GATHER_S = 0.1
_TRY_AGAIN_S = 0.5
_BATCH = 500
_MOST_WAITING = 20_000
_USED_TTL_S = 365 * 86_400

log = logging.getLogger("portcullis.journal")


@dataclass(frozen=True, slots=True)
class Use:
    """A secret that has just minted. Epoch seconds."""

    client_id: str
    secret_id: str
    now_s: int


class Journal:
    """A bounded queue and the thread that empties it. `line` is the thread's alone."""

    def __init__(
        self,
        line: Connection,
        *,
        most_entries: int,
        stream: str = "audit",
        ttl_s: int | None = None,
        count: Callable[[str, int], None] = lambda _name, _amount: None,
    ) -> None:
        self._line = line
        self._stream, self._ttl_s = stream, ttl_s
        self._count = count
        self._most_entries = most_entries
        self._waiting: deque[tuple[Mapping[str, str], Use | None]] = deque()
        self._has_some = threading.Event()
        self._has_batch = threading.Event()
        self._is_closing = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        self._complaint, self._complained = "", 0
        self._idle_s: float | None = None

    def note(self, entry: Mapping[str, str], use: Use | None = None) -> None:
        """Queue an audit entry, and which secret was used; never waits."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            self._count("audit_entries_dropped", 1)
            return
        self._waiting.append((entry, use))
        self.wake()
        if len(self._waiting) >= _BATCH:
            self._has_batch.set()

    def listen(self) -> None:
        """Look after changes from now on, even those that nobody has read yet."""
        self._idle_s = _GATHER_S
        self._start()

    def wake(self) -> None:
        """Have the thread look after the changes that have been seen."""
        if self._thread is None:
            self._start()
        if not self._has_some.is_set():
            self._has_some.set()

    def waiting(self) -> int:
        """Return how many entries wait to be written."""
        return len(self._waiting)

    def flush(self) -> None:
        """Write what waits now; raise StoreUnavailable and keep it when that cannot be done."""
        with self._writing:
            while self._waiting:
                batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                refusal = self._write(batch)
                if refusal:
                    raise StoreUnavailable(str(refusal))

    def close(self) -> None:
        """Write what waits, at the end of the worker."""
        self._is_closing.set()
        self._has_some.set()
        self._has_batch.set()
        try:
            self.flush()
            self._confirm()
        except StoreUnavailable as error:
            log.error(
                "%s entries lost at shutdown: %d: %s", self._stream, len(self._waiting), error
            )

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reported = 0
        while not self._is_closing.is_set():
            has_some = self._has_some.wait(self._idle_s)
            try:
                # Before the wait, because a change that is not confirmed may have to be presumed
                # lost; after it, for those that were too late.
                self._confirm()
                if not has_some:
                    continue
                self._has_batch.wait(_GATHER_S)
                self._has_some.clear()
                self._has_batch.clear()
                self.flush()
                self._confirm()
            except StoreUnavailable:
                self._is_closing.wait(_TRY_AGAIN_S)
                self._has_some.set()
            except Exception:
                # Without this thread nothing would be written any more, and nobody told.
                log.exception("%s entries not written", self._stream)
                self._is_closing.wait(_TRY_AGAIN_S)
                self._has_some.set()
            if self.dropped > reported:
                log.error("%s entries dropped: %d in all", self._stream, self.dropped)
                reported = self.dropped

    def _confirm(self) -> None:
        """A tide file that is busy or cannot be written is tried again, and keeps no entry back."""
        try:
            with self._writing:
                self._line.confirm_changes()
            self._complaint = ""
        except OSError as error:
            self._has_some.set()
            if not isinstance(error, TimeoutError):
                self._complain(str(error))

    def _complain(self, text: str) -> None:
        """Say it the second time: the next try mends what has only just changed, a new data set."""
        self._complained = self._complained + 1 if text == self._complaint else 1
        self._complaint = text
        if self._complained == 2:
            log.error("changes not confirmed: %s", text)

    def _write(self, batch: Sequence[tuple[Mapping[str, str], Use | None]]) -> Exception | None:
        """Write a batch, all of it or nothing; return what refused it.

        A Redis that can take entries again in the middle of a batch would otherwise have some of
        it already, and out of order. A use that cannot be noted is no reason to write them again.
        """
        entries: list[Command] = []
        for entry, _ in batch:
            fields = [part for pair in entry.items() for part in pair]
            entries.append(("XADD", self._stream, "MAXLEN", "~", self._most_entries, "*", *fields))
        uses: list[Command] = [("EXPIRE", self._stream, self._ttl_s)] if self._ttl_s else []
        last_uses = {(use.client_id, use.secret_id): use.now_s for _, use in batch if use}
        for (client_id, secret_id), now_s in last_uses.items():
            key = f"used:{client_id}"
            uses += [("HSET", key, secret_id, now_s), ("EXPIRE", key, _USED_TTL_S)]
        replies = self._line.ask(("MULTI",), *entries, ("EXEC",), *uses)
        refusal = _refusal(replies[len(entries) + 1])
        if refusal is None:
            for _ in batch:
                self._waiting.popleft()
            self._count("audit_entries_written", len(batch))
        for reply in replies[len(entries) + 2 :]:
            if isinstance(reply, Exception):
                log.error("use of a secret not noted: %s", reply)
        return refusal


def _refusal(executed: object) -> Exception | None:
    """Return why a transaction was not carried out, or what its first command met."""
    if isinstance(executed, Exception):
        return executed
    first = executed[0] if isinstance(executed, list) and executed else executed
    return first if isinstance(first, Exception) else None
