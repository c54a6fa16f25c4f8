"""nginx.conf as it ships: what the public and the ops listener serve, and what they do not."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import (
    ALLOWED,
    NGINX,
    SHIPPED,
    Caller,
    Gateway,
    make_certificate,
    render,
    running,
)
from tests.e2e.recording_server import RecordingServer, reply
from tests.patience import be_patient
from tests.processes import free_port, until


@contextmanager
def shipped(run_dir: Path, listener: str) -> Iterator[Gateway]:
    """The shipped configuration, and one of its two listeners to call."""
    ports = {"public": free_port(), "ops": free_port()}
    config = render(run_dir, ports["public"], ports["ops"]) / "nginx.conf"
    be_patient(config.parent)
    app = RecordingServer(run_dir / "app.sock", lambda _: ALLOWED)
    demo = RecordingServer(run_dir / "demo.sock", lambda _: reply(200, body=b"{}"))
    with running(config, ports[listener]):
        yield Gateway(run_dir, ports[listener], app, demo)
    app.close()
    demo.close()


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Gateway]:
    with shipped(tmp_path, "public") as running_gateway:
        yield running_gateway


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Gateway]:
    with shipped(tmp_path, "ops") as running_gateway:
        yield running_gateway


def test_every_shipped_file_loads_without_a_warning(tmp_path: Path) -> None:
    """nginx has nothing to say about the shipped configuration, examples included."""
    folder = render(tmp_path, free_port(), free_port())
    shutil.copy(make_certificate(tmp_path), tmp_path / "clients-ca.crt")
    examples = [path.name for path in SHIPPED.glob("example-*.conf")]
    assert 6 == len(examples)
    for name in examples:
        example = (folder / name).read_text().replace("/etc/nginx/tls/", f"{tmp_path}/")
        (folder / name).write_text(example)
    config = folder / "nginx.conf"
    lines = "".join(f"    include {name};\n" for name in examples)
    config.write_text(config.read_text().replace("    upstream demo", f"{lines}    upstream demo"))
    tested = subprocess.run([NGINX, "-t", "-c", config], capture_output=True, text=True)
    assert 0 == tested.returncode, tested.stderr
    assert 2 == len(tested.stderr.splitlines()), tested.stderr


@pytest.mark.parametrize(
    ("call", "scopes"),
    [
        ("GET /demo/read", ["demo:read"]),
        ("POST /demo/write", ["demo:write"]),
        ("GET /demo/any", []),
        ("DELETE /demo/routed/a/b", ["@routes"]),
    ],
)
def test_demo_path_asks_for_its_scope(public: Gateway, call: str, scopes: list[str]) -> None:
    """Each demo path is protected by what the contract says."""
    with Caller(public.port) as caller:
        answer = caller.call(f"{call} HTTP/1.1")
        assert (200, b"{}") == (answer.status, answer.body)
    assert scopes == public.app.received[0].all("X-Required-Scope")
    assert ["alice"] == public.upstream.received[0].all("X-Auth-Client-Id")


def test_upload_of_2_mb_passes_and_the_app_does_not_see_it(public: Gateway) -> None:
    """A large body goes to the upstream only."""
    assert 200 == public.call("POST /demo/write HTTP/1.1", body=b"x" * 2_000_000).status
    assert 2_000_000 == len(public.upstream.received[0].body)
    assert b"" == public.app.received[0].body


NOT_PUBLIC = ["/validate", "/explain", "/metrics", "/admin/", "/health/live", "/health/ready"]


@pytest.mark.parametrize(
    "path", [*NOT_PUBLIC, "/", "/demo", "/demo/", "/demo/read/", "/token/", "/index.html"]
)
def test_anything_else_is_404_as_json(public: Gateway, path: str) -> None:
    """What the public listener does not serve is a JSON 404 that asks nobody."""
    answer = public.call(f"GET {path} HTTP/1.1")
    assert (404, "not_found") == (answer.status, json.loads(answer.body)["error"])
    assert ["application/json"] == answer.all("Content-Type")
    assert [] == public.app.received + public.upstream.received


def test_access_log_has_a_line_soon(public: Gateway) -> None:
    """The buffered log is flushed before anybody starts to wonder."""
    public.call("GET /demo/read HTTP/1.1")
    log = public.run_dir / "log" / "access.json"
    until(lambda: "/demo/read" in log.read_text(), what="a line that fills no buffer is written")
    assert "alice" == json.loads(log.read_text().splitlines()[-1])["client_id"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "127.0.0.1:9090"])
def test_ops_listener_answers_to_this_machines_names(ops: Gateway, host: str) -> None:
    """An operator reaches the ops listener by any name of this machine."""
    ops.app.answering = lambda _: reply(200, body=b'{"status":"ok"}')
    answer = ops.call("GET /health/ready HTTP/1.1", f"Host: {host}")
    assert (200, b'{"status":"ok"}') == (answer.status, answer.body)
    assert [ops.app.received[0].one("X-Request-ID")] == answer.all("X-Request-ID")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1"])
def test_ops_listener_refuses_any_other_name(ops: Gateway, host: str) -> None:
    """A page that points its own name at this machine (DNS rebinding) gets nothing."""
    for path in ("/health/ready", "/validate", "/explain", "/"):
        answer = ops.call(f"GET {path} HTTP/1.1", f"Host: {host}")
        assert (421, "misdirected_request") == (answer.status, json.loads(answer.body)["error"])
    assert [] == ops.app.received


def test_ops_listener_refuses_a_call_without_a_name(ops: Gateway) -> None:
    """HTTP/1.0 without Host is nobody's call."""
    with Caller(ops.port) as caller:
        caller.send(b"GET /health/ready HTTP/1.0\r\n\r\n")
        assert 421 == caller.read().status


def test_ops_validate_passes_the_other_gateways_headers(ops: Gateway) -> None:
    """Another gateway's question arrives in the raw form, as it was put, without its body."""
    told = [
        ("Authorization", "Bearer t"),
        ("X-Original-Method", "PUT"),
        ("X-Original-URI", "/a%20b?c=d"),
        ("X-Request-ID", "its-own"),
        ("X-Required-Audience", "https://orders.example"),
        ("X-Required-Scope", "a b"),
    ]
    lines = [f"{name}: {value}" for name, value in told]
    # What a client may have smuggled in by way of that gateway.
    lines += ["X-Allow-Stale: 3600", "X_Allow_Stale: 3600", "X-Request-Start: 1"]
    lines += [f"{name}: forged" for name in ("X-SSL-Client-Cert", "X_SSL_Client_Cert")]
    answer = ops.call(
        "POST /validate?path=decoded HTTP/1.1", "Host: localhost", *lines, body=b"x" * 100_000
    )
    assert (204, ["ok"]) == (answer.status, answer.all("X-Auth-Reason"))
    (asked,) = ops.app.received
    assert ("POST /validate HTTP/1.1", b"") == (asked.line, asked.body)
    assert set(told) <= set(asked.headers)
    assert ["its-own"] == asked.all("X-Request-ID")
    assert [] == [name for name in asked.names() if re.search("stale|start|ssl", name)]


def test_ops_listener_says_when_the_app_is_gone(ops: Gateway) -> None:
    """A dead app is a 503 in JSON."""
    ops.app.close()
    for path in ("/health/ready", "/health/live", "/explain"):
        answer = ops.call(f"GET {path} HTTP/1.1", "Host: localhost")
        assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))
        assert "temporarily_unavailable" == json.loads(answer.body)["error"]


def test_ops_validate_has_no_body_and_a_reason_when_the_app_is_gone(ops: Gateway) -> None:
    """Whoever asks cannot tell who has said it: 503 as the app itself says it."""
    ops.app.answering = lambda _: reply(500, body=b"<html>")
    for _ in range(2):
        answer = ops.call("POST /validate HTTP/1.1", "Host: localhost", body=b"x")
        assert (503, b"", ["0"]) == (answer.status, answer.body, answer.all("Content-Length"))
        assert ["1", "store_unavailable"] == [
            *answer.all("Retry-After"),
            *answer.all("X-Auth-Reason"),
        ]
        ops.app.close()
