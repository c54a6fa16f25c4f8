"""What stands in a line of the log beside its message, and how many there may be of one kind."""

import logging
import threading
import time
from collections.abc import Callable
from wsgiref.types import WSGIEnvironment

from app.correlation import sane_request_id, trace_id_of

MOST_A_SECOND = 20
"""Of one message, by one process. It is well above what Refusals lets through of its own."""


class _Current:
    """The request that is being answered. A worker answers one at a time, in its main thread."""

    __slots__ = ("environ",)

    def __init__(self) -> None:
        self.environ: WSGIEnvironment | None = None


current = _Current()


class RequestFields(logging.Filter):
    """Adds the id of the request and of its trace to the lines that were written for one."""

    def filter(self, record: logging.LogRecord) -> bool:
        environ = current.environ
        if environ is not None and record.thread == threading.main_thread().ident:
            record.request_id = sane_request_id(environ.get("HTTP_X_REQUEST_ID"))
            record.trace_id = trace_id_of(environ.get("HTTP_TRACEPARENT"))
            for name in ("request_id", "trace_id"):
                if not record.__dict__[name]:
                    del record.__dict__[name]
        return True


class FewOfEach(logging.Filter):
    """Lets so many lines of one message through in a second; the next one tells of the others.

    What goes wrong goes wrong for each request, and a full disk helps nobody.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._second = 0
        self._written: dict[tuple[str, str], int] = {}
        self._passed_over: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if int(self._clock()) != self._second:
            self._second = int(self._clock())
            self._written.clear()
        # The message before anything is put into it: what is of one kind, and of bounded number.
        kind = (record.name, str(record.msg))
        written = self._written.get(kind, 0)
        if written >= MOST_A_SECOND:
            self._passed_over[kind] = self._passed_over.get(kind, 0) + 1
            return False
        self._written[kind] = written + 1
        more = self._passed_over.pop(kind, 0)
        if more:
            record.more = more
        return True
