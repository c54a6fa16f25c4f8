"""HTTP/1.1 on a bare socket: any bytes can be sent, connections kept and requests pipelined."""

import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Address = str | tuple[str, int]
"""The path of a unix socket, or a host and a port."""

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

PATIENCE_S = 60.0
"""How long to wait for an answer, where a test does not ask how long it takes."""


class Closed(ConnectionError):
    """The other side closed the connection before a whole answer had come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `head` is everything before the empty line, as it came."""

    status: int
    head: bytes
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header, in their order."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return the value of a header that comes at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def names(self) -> set[str]:
        """Return the names of all headers, lower-case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {line.partition(":")[0].lower() for line in lines}

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    target: str | bytes,
    headers: Headers = (),
    body: bytes = b"",
    *,
    token: str | None = None,
    host: str = "127.0.0.1",
) -> bytes:
    """Return the bytes of a request. Nothing is escaped or checked: that is what it is for."""
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if token is not None:
        pairs.append(("Authorization", f"Bearer {token}"))
    if body or method in {"POST", "PUT", "PATCH"}:
        pairs.append(("Content-Length", str(len(body))))
    raw_target = target.encode("latin-1") if isinstance(target, str) else target
    lines = "".join(f"{name}: {value}\r\n" for name, value in [("Host", host), *pairs])
    start = method.encode() + b" " + raw_target + b" HTTP/1.1\r\n"
    return start + lines.encode("latin-1") + b"\r\n" + body


def form(target: str, fields: object, headers: Headers = ()) -> bytes:
    """Return the bytes of a POST with a form: a mapping, pairs, or a string as it stands."""
    body = fields if isinstance(fields, str) else urlencode(fields, doseq=True)  # type: ignore[arg-type]
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    media_type = ("Content-Type", "application/x-www-form-urlencoded")
    return request("POST", target, [media_type, *pairs], body.encode())


class Connection:
    """A connection that is kept until it is closed. `timeout_s` bounds each wait for bytes."""

    def __init__(self, address: Address, timeout_s: float = PATIENCE_S) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes) -> Answer:
        """Send one request and return its answer."""
        self.send(data)
        return self.receive()

    def receive(self) -> Answer:
        """Return the next answer; raise Closed when there is none. Not for HEAD."""
        head = self._until(b"\r\n\r\n")
        status = int(head[9:12])
        lower = head.lower()
        if status in {204, 304}:
            body = b""
        elif b"\r\ntransfer-encoding: chunked" in lower:
            body = self._chunks()
        elif (at := lower.find(b"\r\ncontent-length:")) >= 0:
            body = self._exactly(int(lower[at + 17 :].split(b"\r\n", 1)[0]))
        else:
            body = self._rest()
        return Answer(status, head, body)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body

    def _until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            self._more()
        found, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _rest(self) -> bytes:
        while data := self.socket.recv(65536):
            self._buffer += data
        found, self._buffer = self._buffer, b""
        return found

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise Closed(f"closed after {self._buffer[:200]!r}")
        self._buffer += data

    def is_closed(self) -> bool:
        """Tell whether the other side has closed it, without waiting."""
        timeout_s = self.socket.gettimeout()
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self.socket.settimeout(timeout_s)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(address: Address, data: bytes, timeout_s: float = PATIENCE_S) -> Answer:
    """Send one request over a connection of its own."""
    with Connection(address, timeout_s) as connection:
        return connection.ask(data)


def pipeline(address: Address, requests: list[bytes], depth: int = 16) -> list[Answer]:
    """Send requests `depth` at a time over one connection; a new one whenever it gets closed.

    A request that was sent but not answered before a close is sent again.
    """
    answers: list[Answer] = []
    while len(answers) < len(requests):
        before = len(answers)
        with Connection(address) as connection:
            try:
                while batch := requests[len(answers) : len(answers) + depth]:
                    connection.send(b"".join(batch))
                    # One by one: a close must not take the answers before it away.
                    for _ in batch:
                        answers.append(connection.receive())  # noqa: PERF401
            except ConnectionError:
                sent = requests[before : before + 1]
                assert len(answers) > before, f"no answer to {sent}"
    return answers
