"""example-grpc.conf, between a real gRPC client and a real gRPC server."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply
from tests.e2e.test_nginx_identity import IDENTITY, spellings
from tests.processes import free_port, until

READ, WRITE, OTHER = "/orders.Orders/Read", "/orders.Orders/Write", "/other.Other/Read"

CHALLENGE = 'WWW-Authenticate: Bearer realm="orders"'


@dataclass
class Orders(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Echoes bytes, whole or as a stream, and keeps the metadata of each call."""

    metadata: list[list[tuple[str, str | bytes]]] = field(default_factory=list)

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        if call.method.endswith("/Stream"):
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._echo)

    def _echo(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.metadata.append([(key, value) for key, value in context.invocation_metadata()])
        if request == b"refuse":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "the service's own")
        return request

    def _stream(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from requests


@dataclass
class Service:
    front: Gateway
    port: int
    channel: grpc.Channel
    orders: Orders

    def call(self, method: str, *metadata: tuple[str, str], request: bytes = b"hello") -> bytes:
        answer: bytes = self.channel.unary_unary(method)(
            request, metadata=metadata, timeout=10, wait_for_ready=False
        )
        return answer

    def refusal(self, method: str = READ, request: bytes = b"hello") -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as caught:
            self.call(method, request=request)
        return caught.value


@contextmanager
def serving(orders: Orders) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=[orders])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


# The server by which nginx may read headers before it knows the name; it keeps the odd ones.
LAX = """
server {{
    listen 127.0.0.1:{port} http2 default_server;
    underscores_in_headers on;
    ignore_invalid_headers off;
    return 421;
}}
include example-grpc.conf;
"""


# HTTP/2 frame types and flags (RFC 9113 §6).
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def literal(text: str) -> bytes:
    """A string of HPACK, not compressed (RFC 7541 §5.2)."""
    return bytes([len(text)]) + text.encode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    orders, port = Orders(), free_port()
    options = [("grpc.default_authority", "gateway.example")]
    with serving(orders) as upstream_port:
        changed = {
            "127.0.0.1:50051": f"127.0.0.1:{upstream_port}",
            "127.0.0.1:8081": f"127.0.0.1:{port}",
        }
        with (
            gateway(tmp_path, http=LAX.format(port=port), changed=changed) as front,
            grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
        ):
            yield Service(front, port, channel, orders)


def test_allowed_call_arrives_with_the_callers_identity(service: Service) -> None:
    """The service sees who calls as metadata, and never the token."""
    assert b"hello" == service.call(READ, ("authorization", "Bearer t"), ("x-other", "kept"))
    (metadata,) = service.orders.metadata
    assert {
        ("x-auth-client-id", "alice"),
        ("x-auth-scope", "read write"),
        ("x-auth-jti", "0011aabb.j1"),
        ("x-other", "kept"),
    } <= set(metadata)
    assert "authorization" not in dict(metadata)
    asked = service.front.app.received[0]
    assert ("POST", READ) == (asked.one("X-Original-Method"), asked.one("X-Original-URI"))
    assert "Bearer t" == asked.one("Authorization")


def test_forged_identity_never_arrives(service: Service) -> None:
    """Metadata that looks like the gateway's is dropped, in every spelling."""
    names = [name.lower() for taken in IDENTITY for name in spellings(taken)]
    names += ["x-auth-expires", "x-request-id"]
    service.call(READ, *((name, "forged") for name in names), ("x-other", "kept"))
    (metadata,) = service.orders.metadata
    assert [] == [name for name, value in metadata if value == "forged"]
    assert ("x-other", "kept") in metadata


def test_forged_identity_before_the_host_never_arrives(service: Service) -> None:
    """Nor does it when nginx reads it by a lax default server, because Host comes after it."""
    names = [name.lower() for taken in IDENTITY for name in spellings(taken)]
    pseudo = {":method": "POST", ":scheme": "http", ":path": READ}
    grpc_headers = {"host": "gateway.example", "content-type": "application/grpc", "te": "trailers"}
    headers = {**pseudo, **dict.fromkeys(names, "forged"), "x_other": "kept", **grpc_headers}
    block = b"".join(b"\0" + literal(key) + literal(value) for key, value in headers.items())
    message = b"\0\0\0\0\5hello"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"")
    call = frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, message)
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as peer:
        peer.sendall(preface + call)
        until(lambda: bool(service.orders.metadata))
    (metadata,) = service.orders.metadata
    assert [] == [name for name, value in metadata if value == "forged"]
    assert ("x_other", "kept") in metadata


@pytest.mark.parametrize(
    ("said", "header", "code"),
    [
        (401, CHALLENGE, grpc.StatusCode.UNAUTHENTICATED),
        (403, f'{CHALLENGE}, error="insufficient_scope"', grpc.StatusCode.PERMISSION_DENIED),
        (429, "Retry-After: 7", grpc.StatusCode.RESOURCE_EXHAUSTED),
        (503, "Retry-After: 3", grpc.StatusCode.UNAVAILABLE),
        (431, "X: y", grpc.StatusCode.UNAUTHENTICATED),
        (500, "X: y", grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_refused_call_gets_its_grpc_status(
    service: Service, said: int, header: str, code: grpc.StatusCode
) -> None:
    """A refusal is a gRPC status with a message, not a broken transport."""
    service.front.app.answering = lambda _: reply(said, header)
    refusal: Any = service.refusal()
    assert code == refusal.code()
    assert refusal.details().endswith(".")
    assert [] == service.orders.metadata


def test_challenge_comes_once_with_the_status(service: Service) -> None:
    """A client that wants to know what is missing finds it in the metadata."""
    service.front.app.answering = lambda _: reply(403, f'{CHALLENGE}, scope="orders:read"')
    refusal: Any = service.refusal()
    challenges = [value for key, value in refusal.initial_metadata() if key == "www-authenticate"]
    assert ['Bearer realm="orders", scope="orders:read"'] == challenges


def test_refusals_keep_the_connection(service: Service) -> None:
    """After refusals the same channel carries an allowed call."""
    allowed = service.front.app.answering
    for said in (401, 403, 429, 503):
        service.front.app.answering = lambda _, said=said: reply(said)  # type: ignore[misc]
        service.refusal()
    service.front.app.answering = allowed
    assert b"hello" == service.call(READ)


def test_app_that_is_gone_is_unavailable(service: Service) -> None:
    """Undecided is UNAVAILABLE."""
    service.front.app.close()
    refusal: Any = service.refusal()
    assert grpc.StatusCode.UNAVAILABLE == refusal.code()


def test_status_of_the_service_passes_untouched(service: Service) -> None:
    """The service's own PERMISSION_DENIED keeps its message."""
    refusal: Any = service.refusal(request=b"refuse")
    assert grpc.StatusCode.PERMISSION_DENIED == refusal.code()
    assert "the service's own" == refusal.details()


def test_method_with_a_location_of_its_own_asks_for_its_own_scope(service: Service) -> None:
    """One method of a service can need more than the others."""
    service.call(WRITE)
    service.call(READ)
    asked = [each.one("X-Required-Scope") for each in service.front.app.received]
    assert ["orders:write", "orders:read"] == asked


def test_stream_flows_both_ways(service: Service) -> None:
    """A bidirectional stream passes, after one question."""
    echo = service.channel.stream_stream("/orders.Orders/Stream")
    sent = [b"a" * 100_000] * 30
    assert sent == list(echo(iter(sent), timeout=20))
    assert 1 == len(service.front.app.received)


def test_unknown_service_is_unimplemented(service: Service) -> None:
    """What no location serves is UNIMPLEMENTED."""
    refusal: Any = service.refusal(OTHER)
    assert grpc.StatusCode.UNIMPLEMENTED == refusal.code()
