"""How many requests each endpoint had, how they ended, and how long they took inside the app."""

from collections.abc import Callable, Iterable
from time import perf_counter_ns
from types import TracebackType
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from app.metrics import CODES, ENDPOINTS, OTHER, Metrics

# By the first segment of the path. The gateway's questions are counted elsewhere.
_ENDPOINT_OF = {name: name for name in ENDPOINTS if name != "validate"}
_ENDPOINT_OF[".well-known"] = "discovery"

_Trace = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Meter:
    """Measures a WSGI application that has done all its work when it returns."""

    def __init__(self, application: WSGIApplication, metrics: Metrics) -> None:
        self._application = application
        self._metrics = metrics

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        endpoint = _ENDPOINT_OF.get(environ["PATH_INFO"].split("/", 2)[1], OTHER)
        code = "500"

        def note_status(
            status: str, headers: list[tuple[str, str]], exc_info: _Trace | None = None
        ) -> Callable[[bytes], object]:
            nonlocal code
            code = status[:3] if status[:3] in CODES else OTHER
            return start_response(status, headers, exc_info)

        began = perf_counter_ns()
        try:
            return self._application(environ, note_status)
        finally:
            self._metrics.observe(endpoint, perf_counter_ns() - began)
            self._metrics.count(f"request {endpoint} {code}")
