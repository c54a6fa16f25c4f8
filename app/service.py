"""The WSGI application: which way a request takes, and how long it took."""

import time
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from app import rendering
from app.endpoints.auth_request import AuthRequestEndpoint
from app.endpoints.health import ALIVE, ALIVE_HEADERS
from app.journal import Journal
from app.logs import current
from app.memory import Memory
from app.meter import Meter
from app.metrics import FIRST_BOUND_NS, Metrics
from app.overload import Overload
from app.refusals import Refusals


class Service:
    """The WSGI application. The gateway's questions do not pass through Falcon."""

    def __init__(
        self,
        auth_request: AuthRequestEndpoint,
        endpoints: WSGIApplication,
        memory: Memory,
        journals: Sequence[Journal],
        metrics: Metrics,
        refusals: Refusals,
    ) -> None:
        self._auth_request = auth_request
        self._endpoints = Meter(endpoints, metrics)
        self._memory = memory
        self._journals = journals
        self._metrics = metrics
        self._refusals = refusals
        self._counts = metrics.counts
        self._fast = metrics.bucket("validate", 0)
        self._sum = metrics.index["ns validate"]
        self._took_ns = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        current.environ = environ
        if environ["PATH_INFO"] == "/validate":
            began = perf_counter_ns()
            answer = self._auth_request(environ, start_response)
            took = perf_counter_ns() - began
            self._took_ns += took  # cheaper here than in the shared file, until `_settle`
            if took <= FIRST_BOUND_NS:
                self._counts[self._fast] += 1
            else:
                self._counts[self._metrics.bucket("validate", took)] += 1
            current.environ = None  # set free while it is still in the processor's caches
            return answer
        self._settle()
        return self._endpoints(environ, start_response)

    def tick(self) -> None:
        """Keep an idle worker and its gauges up to date; gunicorn calls it each second."""
        current.environ = None
        self._settle()
        self._memory.keep_current()
        self._refusals.settle(time.time())
        self._metrics.set("audit_entries_waiting", self._journals[0].waiting())

    def close(self) -> None:
        """Write what still waits to be written; gunicorn calls it when a worker ends."""
        self._settle()
        self._memory.close()
        for journal in self._journals:
            journal.close()

    def _settle(self) -> None:
        """Count how long decisions took in all. The decisions have been counted one by one."""
        self._counts[self._sum] += self._took_ns
        self._took_ns = 0


def unless_late(
    endpoints: WSGIApplication, overload: Overload, clock: Callable[[], float]
) -> WSGIApplication:
    """Put a guard before the endpoints that turns away what has waited for too long."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = environ.get("HTTP_X_REQUEST_START")
        if started and overload.is_late(started, clock()):
            status, headers, body = rendering.render_busy()
            start_response(status, headers)
            return (body,)
        return endpoints(environ, start_response)

    return serve


def by_path(endpoints: WSGIApplication, dashboard: WSGIApplication) -> WSGIApplication:
    """Let the dashboard answer below /admin/, and nobody at all be needed to say "I am alive"."""

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/health" and environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", ALIVE_HEADERS)
            return (ALIVE,)
        return (dashboard if path.startswith("/admin/") else endpoints)(environ, start_response)

    return choose
