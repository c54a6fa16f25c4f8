"""A span for each decision, mint, introspection and revocation (OpenTelemetry).

Stands around the application. Where nobody has asked for it, it is not there at all, nor is its
library.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from wsgiref.types import StartResponse, WSGIEnvironment

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app import __version__
from app.correlation import sane_request_id, trace_id_of
from app.service import Service

_PATHS = frozenset({"/validate", "/token", "/ott", "/revoke", "/introspect"})
_FLUSH_S = 1.0
_EXPORT_S = 2

_Trace = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Traced:
    """A service whose requests are spans, children of the caller's where it sent one."""

    def __init__(self, service: Service, provider: TracerProvider) -> None:
        self._service = service
        self._provider = provider
        self._tracer = provider.get_tracer("portcullis", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in _PATHS:
            return self._service(environ, start_response)
        with self._span(environ) as span:

            def note(
                status: str, headers: list[tuple[str, str]], exc_info: _Trace | None = None
            ) -> Callable[[bytes], object]:
                _describe(span, int(status[:3]), dict(headers))
                return start_response(status, headers, exc_info)

            return self._service(environ, note)

    def tick(self) -> None:
        self._service.tick()

    def close(self) -> None:
        """End the service and send the last spans, if whoever collects them answers soon."""
        self._service.close()
        flush = threading.Thread(target=self._provider.force_flush, daemon=True)
        flush.start()
        flush.join(_FLUSH_S)

    def _span(self, environ: WSGIEnvironment) -> "_Ending":
        header = environ.get("HTTP_TRACEPARENT")
        parent = self._propagator.extract({"traceparent": header} if trace_id_of(header) else {})
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        attributes = {
            "http.request.method": method,
            "http.route": path,
            "portcullis.request_id": sane_request_id(environ.get("HTTP_X_REQUEST_ID")),
        }
        span = self._tracer.start_span(f"{method} {path}", parent, SpanKind.SERVER, attributes)
        context = span.get_span_context()
        # For the lines of the log, and for a caller that sent no trace of its own.
        environ["HTTP_TRACEPARENT"] = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )
        return _Ending(span)


class _Ending:
    """Ends a span, whatever happens. The library's own context manager costs more than the span."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, *_: object) -> None:
        self._span.end()


def _describe(span: Span, status: int, headers: Mapping[str, str]) -> None:
    span.set_attribute("http.response.status_code", status)
    for name, header in (("reason", "X-Auth-Reason"), ("client_id", "X-Auth-Client-Id")):
        if header in headers:
            span.set_attribute(f"portcullis.{name}", headers[header])
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def make_provider(exporter: str) -> TracerProvider:
    """Return what sends spans: `otlp` (over HTTP) or `console` (JSON lines on stderr).

    All else is told to the library by its own OTEL_ variables.
    """
    attributes: dict[str, str | int] = {"process.pid": os.getpid(), "service.version": __version__}
    if "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        attributes["service.name"] = os.environ.get("OTEL_SERVICE_NAME", "portcullis")
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    made: SpanExporter
    if exporter == "console":
        made = ConsoleSpanExporter(out=sys.stderr, formatter=_line)
    else:
        is_set = any(f"OTEL_EXPORTER_OTLP_{name}TIMEOUT" in os.environ for name in ("", "TRACES_"))
        made = OTLPSpanExporter(timeout=None if is_set else _EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(made))
    return provider


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"
