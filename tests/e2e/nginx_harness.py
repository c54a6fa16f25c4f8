"""A private nginx with the shipped includes, between a stub of the app and a stub upstream."""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.recording_server import RecordingServer, reply
from tests.patience import be_patient
from tests.processes import free_port, until
from tests.wire import PATIENCE_S

SHIPPED = Path(__file__).parents[2] / "nginx"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
USER = "user root;" if os.geteuid() == 0 else ""

ALLOWED = reply(
    204,
    "X-Auth-Reason: ok",
    "X-Auth-Client-Id: alice",
    "X-Auth-Scope: read write",
    "X-Auth-Jti: 0011aabb.j1",
    "X-Auth-Expires: 1900000000",
)

BEGINNING = """
<user>
worker_processes 1;
pid <run>/nginx.pid;
error_log <run>/log/error.log info;
events {}
http {
    client_body_temp_path <run>/body; proxy_temp_path <run>/proxy; fastcgi_temp_path <run>/fastcgi;
    uwsgi_temp_path <run>/uwsgi; scgi_temp_path <run>/scgi;
    include portcullis-http.conf;
    access_log <run>/log/access.json portcullis;
"""
"""Of a config, to be closed by a brace. Names in angle brackets are put in by whoever writes it."""

CONFIG = (
    BEGINNING
    + """
    upstream behind { server unix:<run>/upstream.sock; keepalive 4; }
    <http>
    server {
        listen 127.0.0.1:<port>;
        server_name gateway;
        include portcullis-server.conf;
        include portcullis-endpoints.conf;
        <server>
        location /read {
            set $portcullis_scope "orders:read";
            include portcullis-protect.conf;
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            client_max_body_size 8m;
        }
        location / { return 404; }
    }
}
"""
)


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def render(
    run_dir: Path, port: int, ops_port: int, changed: Mapping[str, str] | None = None
) -> Path:
    """Copy nginx/ to `run_dir`/nginx with its own paths and addresses, as `make up` does.

    `changed` maps further text to what takes its place.
    """
    target = run_dir / "nginx"
    target.mkdir(parents=True)
    (run_dir / "log").mkdir()
    for source in SHIPPED.glob("*.conf"):
        text = source.read_text()
        for old, new in {
            "/run/portcullis": str(run_dir),
            "127.0.0.1:8080": f"127.0.0.1:{port}",
            "127.0.0.1:9090": f"127.0.0.1:{ops_port}",
            **(changed or {}),
        }.items():
            text = text.replace(old, new)
        (target / source.name).write_text(
            f"{USER}\n{text}" if source.name == "nginx.conf" else text
        )
    return target


def make_certificate(folder: Path) -> Path:
    """Write gateway.crt and gateway.key for gateway.example; return the certificate."""
    certificate, key = folder / "gateway.crt", folder / "gateway.key"
    name = ["-subj", "/CN=gateway.example", "-addext", "subjectAltName=DNS:gateway.example"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    written = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-nodes", *kind, *name, *written]
    subprocess.run(command, check=True, capture_output=True)
    return certificate


@contextmanager
def running(config: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """nginx in the foreground with `config`, listening on `port`."""
    command = [NGINX, "-c", str(config), "-g", "daemon off;"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: is_open(port) or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield process
        finally:
            process.terminate()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Caller:
    """One client connection, on which the test says every byte."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname="gateway.example")
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def call(self, line: str = "GET /read HTTP/1.1", *headers: str, body: bytes = b"") -> Answer:
        """Send one request, with a Host unless one is given, and read its answer."""
        lines = list(headers)
        if not any(each.lower().startswith("host:") for each in lines):
            lines.append("Host: gateway")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([line, *lines, "", ""]).encode("latin-1") + body)
        return self.read(has_body=not line.startswith("HEAD "))

    def read(self, *, has_body: bool = True) -> Answer:
        status = int(self._stream.readline().split()[1])
        headers: list[tuple[str, str]] = []
        while line := self._stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        length = lengths[0] if has_body and lengths else 0
        return Answer(status, headers, self._stream.read(length))


@dataclass
class Gateway:
    """nginx with both of its neighbours. `app` says what /validate answers."""

    run_dir: Path
    port: int
    app: RecordingServer
    upstream: RecordingServer

    def call(self, line: str = "GET /read HTTP/1.1", *headers: str, body: bytes = b"") -> Answer:
        """One request on a connection of its own."""
        with Caller(self.port) as caller:
            return caller.call(line, *headers, body=body)

    def logged(self, count: int = 1) -> list[dict[str, Any]]:
        """The access log, once it has `count` lines: nginx writes them after it has answered."""
        log = self.run_dir / "log" / "access.json"
        until(lambda: log.exists() and log.read_text().count("\n") >= count)
        return [json.loads(line) for line in log.read_text().splitlines()]


@contextmanager
def gateway(
    run_dir: Path,
    *,
    http: str = "",
    server: str = "",
    changed: Mapping[str, str] | None = None,
    is_patient: bool = True,
) -> Iterator[Gateway]:
    """Run CONFIG with `http` and `server` as further lines at these levels.

    A patient one waits longer than the shipped one for an answer: here others take the cores.
    """
    port = free_port()
    folder = render(run_dir, port, free_port(), changed)
    config = CONFIG
    for name, value in (
        ("http", http),
        ("server", server),
        ("user", USER),
        ("run", str(run_dir)),
        ("port", str(port)),
    ):
        config = config.replace(f"<{name}>", value)
    (folder / "test.conf").write_text(config)
    if is_patient:
        be_patient(folder)
    app = RecordingServer(run_dir / "app.sock", lambda _: ALLOWED)
    upstream = RecordingServer(run_dir / "upstream.sock", lambda _: reply(200, body=b"up"))
    try:
        with running(folder / "test.conf", port):
            yield Gateway(run_dir, port, app, upstream)
    finally:
        app.close()
        upstream.close()
