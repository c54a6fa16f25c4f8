"""A server on a unix socket or TCP: it keeps what it received and answers as told."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Received:
    """One request as it came in. Header names keep their letters; `connection` counts from 1."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def names(self) -> list[str]:
        return sorted(name.lower() for name, _ in self.headers)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


# Returns the bytes of an answer; none at all closes the connection without one.
Answering = Callable[[Received], bytes]


def reply(status: int, *headers: str, body: bytes = b"") -> bytes:
    """An HTTP/1.1 answer; `headers` are whole lines."""
    length = [] if status == 204 else [f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status} x", *headers, *length, "", ""]).encode() + body


class RecordingServer:
    """Serves each connection in a thread of its own until it is closed."""

    def __init__(self, address: Path | tuple[str, int], answering: Answering) -> None:
        self.answering = answering
        self.received: list[Received] = []
        self.connections = 0
        self.released = threading.Event()
        self._open: set[socket.socket] = set()
        if isinstance(address, Path):
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(address))
            address.chmod(0o777)
            self._listener.listen(512)
        else:
            self._listener = socket.create_server(address, backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening, end what hangs and drop every connection."""
        self.released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.drop()
        self._listener.close()

    def drop(self) -> None:
        """Close every connection, as a server does that restarts."""
        for each in tuple(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def hang(self, _request: Received) -> bytes:
        """An Answering that keeps nginx waiting until the server is closed."""
        self.released.wait(60)
        return b""

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(peer)
            threading.Thread(target=self._serve, args=(peer, self.connections), daemon=True).start()

    def _serve(self, peer: socket.socket, connection: int) -> None:
        with peer, peer.makefile("rb") as stream, suppress(OSError):
            while request := _read_request(stream.readline, stream.read, connection):
                self.received.append(request)
                answer = self.answering(request)
                if not answer:
                    break
                peer.sendall(answer)
        self._open.discard(peer)


def _read_request(
    readline: Callable[[], bytes], read: Callable[[int], bytes], connection: int
) -> Received | None:
    line = readline().decode("latin-1").rstrip("\r\n")
    if not line:
        return None
    headers: list[tuple[str, str]] = []
    while header := readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = header.partition(":")
        headers.append((name, value.removeprefix(" ")))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Received(line, tuple(headers), read(length), connection)
