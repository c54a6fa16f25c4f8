"""Servers that say one thing, whatever they are told."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


@contextmanager
def impostor_redis(answer: bytes | Callable[[bytes], bytes]) -> Iterator[int]:
    """A port on loopback that gives each command the same answer, or the one that it deserves.

    An empty answer is silence.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    with suppress(OSError):
                        while answer and (request := connection.recv(65_536)):
                            connection.sendall(answer(request) if callable(answer) else answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()
            thread.join(timeout=5)


@dataclass
class Gateway:
    """What the fake gateway was asked, and what it answers."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    def answers(self, status: int, document: object) -> None:
        self.status, self.body = status, json.dumps(document).encode()


@contextmanager
def fake_gateway() -> Iterator[Gateway]:
    """An HTTP server that writes down each form and gives one answer."""
    gateway = Gateway()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            form = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
            gateway.asked.append((self.path, form))
            self.send_response(gateway.status)
            self.send_header("Content-Length", str(len(gateway.body)))
            self.end_headers()
            self.wfile.write(gateway.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    gateway.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
