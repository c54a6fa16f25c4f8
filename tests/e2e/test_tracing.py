"""Spans of a running gateway, sent to a collector by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.stack import Stack, until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent, with the name of their service."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collect)
        self.spans: list[tuple[str, Span]] = []

    def of_trace(self, trace_id: str) -> list[tuple[str, Span]]:
        return [one for one in self.spans if one[1].trace_id.hex() == trace_id]


class _Collect(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raise AssertionError("not asked for")
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += [(named["service.name"], span) for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output for the test."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_spans_of_a_call_reach_the_collector_under_its_trace(collector: Collector) -> None:
    """Mint and decision, as children of what the caller says, and the logs name the same trace."""
    host, port = collector.server_address[:2]
    with Stack(
        TRACES="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{host!s}:{port}",
        OTEL_SERVICE_NAME="gate",
        WORKERS="1",
    ) as stack:
        parent = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
        token = stack.mint()
        answers = [stack.call("/demo/read", sent, headers=parent) for sent in (token, None)]
        assert [200, 401] == [answer.status for answer in answers]
        assert parent["traceparent"] == answers[0].json()["headers"]["traceparent"]
        until(lambda: len(collector.of_trace(TRACE_ID)) == 2, 30, what="the spans arrive")
        found = collector.of_trace(TRACE_ID)
        assert {("gate", "GET /validate", PARENT_ID)} == {
            (service, span.name, span.parent_span_id.hex()) for service, span in found
        }
        reasons = [
            one.value.string_value
            for _, span in found
            for one in span.attributes
            if one.key == "portcullis.reason"
        ]
        assert ["ok", "no_token"] == reasons
        assert "POST /token" in {span.name for _, span in collector.spans}
        until(lambda: len(stack.access_log(trace_id=TRACE_ID)) == 2, what="nginx logs")
        assert TRACE_ID in (stack.run_dir / "log" / "app.log").read_text()
        assert token.rpartition(".")[2].encode() not in b"".join(
            span.SerializeToString() for _, span in collector.spans
        )
