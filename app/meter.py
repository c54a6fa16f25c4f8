"""How many requests each endpoint had, how they ended, and how long they took inside the app."""

from collections.abc import Callable, Iterable
from time import perf_counter_ns
from types import TracebackType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from app.metrics import CODES, ENDPOINTS, FIRST_BOUND_NS, OTHER, Metrics

# By the first segment of the path. The gateway's questions are counted elsewhere.
_ENDPOINT_OF = {name: name for name in ENDPOINTS if name != "validate"}
_ENDPOINT_OF[".well-known"] = "discovery"

_Trace = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class _Places:
    """Where the requests of one endpoint are counted: indices, found once."""

    __slots__ = ("codes", "endpoint", "fast", "sum")

    def __init__(self, endpoint: str, metrics: Metrics) -> None:
        self.endpoint = endpoint
        self.fast = metrics.bucket(endpoint, 0)
        self.sum = metrics.index[f"ns {endpoint}"]
        self.codes = {code: metrics.index[f"request {endpoint} {code}"] for code in (*CODES, OTHER)}


class Meter:
    """Measures a WSGI application that has done all its work when it returns. For one thread."""

    def __init__(self, application: WSGIApplication, metrics: Metrics) -> None:
        self._application = application
        self._metrics = metrics
        self._counts = metrics.counts
        self._places = {
            segment: _Places(endpoint, metrics)
            for segment, endpoint in (*_ENDPOINT_OF.items(), ("", OTHER))
        }
        self._code = ""
        self._start_response: StartResponse

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        segment = environ["PATH_INFO"].partition("/")[2].partition("/")[0]  # "*" has no slash
        places = self._places.get(segment) or self._places[""]
        self._code, self._start_response = "500", start_response
        began = perf_counter_ns()
        try:
            return self._application(environ, self._note_status)
        finally:
            took = perf_counter_ns() - began
            counts = self._counts
            if took <= FIRST_BOUND_NS:
                counts[places.fast] += 1
            else:
                counts[self._metrics.bucket(places.endpoint, took)] += 1
            counts[places.sum] += took
            counts[places.codes.get(self._code) or places.codes[OTHER]] += 1

    def _note_status(
        self, status: str, headers: list[tuple[str, str]], exc_info: _Trace | None = None
    ) -> Callable[[bytes], object]:
        self._code = status[:3]
        return self._start_response(status, headers, exc_info)
