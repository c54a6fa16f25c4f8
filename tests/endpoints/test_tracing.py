"""Spans of what the app is asked, kept in memory."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import fakeredis
import pytest
from falcon import testing
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.correlation import trace_id_of
from app.logs import current
from app.tracing import Traced
from tests.service import Service

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-01"


@dataclass
class Tracing:
    """A service around which spans are made, and those that have ended."""

    service: Service
    exporter: InMemorySpanExporter

    def spans(self) -> list[ReadableSpan]:
        ended = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return ended


@pytest.fixture
def traced(service: Service) -> Tracing:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app: Any = service.http.app
    service.http = testing.TestClient(Traced(app, provider))
    return Tracing(service, exporter)


def summary(span: ReadableSpan) -> tuple[str, dict[str, Any]]:
    """A span's name and what is told of it."""
    assert SpanKind.SERVER == span.kind
    return span.name, dict(span.attributes or {})


def test_decision_is_a_span_with_its_outcome(traced: Tracing) -> None:
    """Allowed and refused, with the reason that only logs get to see."""
    token = traced.service.mint(scope="orders:read")
    traced.spans()
    traced.service.validate(token, X_Request_ID="r-1")
    traced.service.validate(token, X_Request_ID="r-2", X_Required_Scope="admin")
    common = {"http.request.method": "GET", "http.route": "/validate"}
    allowed = {"portcullis.reason": "ok", "portcullis.client_id": "demo"}
    assert [
        {
            **common,
            **allowed,
            "portcullis.request_id": "r-1",
            "http.response.status_code": 204,
        },
        {
            **common,
            "portcullis.reason": "missing_scope",
            "portcullis.request_id": "r-2",
            "http.response.status_code": 403,
        },
    ] == [summary(span)[1] for span in traced.spans()]


def test_mint_introspection_and_revocation_are_spans(traced: Tracing) -> None:
    """Each by its endpoint; what is asked by machines that look after the gateway is none."""
    token = traced.service.mint()
    traced.service.mint(path="/ott")
    traced.service.asked_by("/introspect", token=token)
    traced.service.asked_by("/revoke", token=token)
    for path in ("/health", "/metrics", "/nothing", "/.well-known/jwks.json"):
        traced.service.http.simulate_get(path)
    names = [span.name for span in traced.spans()]
    assert ["POST /token", "POST /ott", "POST /introspect", "POST /revoke"] == names


def test_callers_span_is_the_parent(traced: Tracing) -> None:
    """So the gate stands where the caller waited for it."""
    traced.service.validate(traceparent=SAMPLED)
    (span,) = traced.spans()
    assert span.parent
    assert TRACE_ID == f"{span.parent.trace_id:032x}"
    assert PARENT_ID == f"{span.parent.span_id:016x}"


@pytest.mark.parametrize(
    "header", ["", "1", SAMPLED.replace("00-", "ff-"), f"{SAMPLED}-x", f"00-{'0' * 32}-1-01"]
)
def test_trace_that_is_none_begins_a_new_one(traced: Tracing, header: str) -> None:
    """Whatever stands in the header."""
    traced.service.validate(traceparent=header)
    (span,) = traced.spans()
    assert span.parent is None


def test_trace_that_is_not_sampled_is_not_sent(traced: Tracing) -> None:
    """The caller decides for all of its trace."""
    traced.service.validate(traceparent=SAMPLED[:-2] + "00")
    assert [] == traced.spans()


def test_lines_of_the_log_have_the_spans_trace(traced: Tracing) -> None:
    """Also of a trace that begins here."""
    traced.service.asked_by("/token", grant_type="client_credentials")
    (span,) = traced.spans()
    context = span.get_span_context()
    assert context
    assert current.environ is not None
    assert f"{context.trace_id:032x}" == trace_id_of(current.environ["HTTP_TRACEPARENT"])
    current.environ = None


def test_answer_that_failed_is_marked(traced: Tracing, redis_server: fakeredis.FakeServer) -> None:
    """A refusal is no failure; an undecided call is."""
    traced.service.validate()
    redis_server.connected = False
    traced.service.form("/token", {"grant_type": "client_credentials", "client_id": "a"})
    traced.service.asked_by("/token", grant_type="client_credentials")
    assert [StatusCode.UNSET, StatusCode.UNSET, StatusCode.ERROR] == [
        span.status.status_code for span in traced.spans()
    ]


def test_no_token_and_no_secret_is_in_a_span(traced: Tracing) -> None:
    """Nor a query, which may hold either."""
    token = traced.service.mint()
    traced.service.http.simulate_get(
        "/validate", query_string=f"token={token}", headers={"Authorization": f"Bearer {token}"}
    )
    traced.service.asked_by("/revoke", token=token)
    told = "".join(span.to_json() for span in traced.spans())
    assert token.rpartition(".")[2] not in told
    assert "correct-horse" not in told


WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
import app.main
assert "app.tracing" not in sys.modules
try:
    app.main._traced(None, "otlp")
except app.errors.ConfigError as error:
    print(error)
"""


def test_library_is_needed_by_those_alone_who_ask_for_it() -> None:
    """Without it the app runs as ever, and TRACES names what to install."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "" == done.stderr
    assert done.stdout.startswith("TRACES needs the packages in deploy/otel/requirements.txt")
