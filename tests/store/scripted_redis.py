"""A Redis that says exactly what a test wants it to, byte by byte."""

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import hiredis

from app.line import Line
from app.login import WATCHED
from tests.service import DATASET

Answer = Callable[[Sequence[str]], bytes | None]
"""Gets a command; returns the bytes to send, b"" for silence, None to hang up."""

CLIENT = b"%3\r\n+status\r\n+active\r\n+scopes\r\n+a b\r\n+secrets\r\n+[]\r\n"
USUAL: dict[str, bytes] = {
    "HELLO": b"%1\r\n+proto\r\n:3\r\n",
    "CLIENT": b"+OK\r\n",
    "SELECT": b"+OK\r\n",
    "AUTH": b"+OK\r\n",
    "PING": b"+PONG\r\n",
    "SET": b"+OK\r\n",
    "GET": b"_\r\n",
    "HGET": b"+" + DATASET.encode() + b"\r\n",
    "HGETALL": CLIENT,
    "EXISTS": b":0\r\n",
}


def usual(command: Sequence[str]) -> bytes:
    """Answer as a Redis in which nothing is revoked."""
    return USUAL[command[0]]


def push(*keys: str) -> bytes:
    """Return the announcement that these keys have changed; of all keys, without any."""
    names = b"".join(b"$%d\r\n%s\r\n" % (len(key), key.encode()) for key in keys)
    changed = b"*%d\r\n%s" % (len(keys), names) if keys else b"_\r\n"
    return b">2\r\n$10\r\ninvalidate\r\n" + changed


class ScriptedRedis:
    """Listens on a unix socket; `answer` decides what is said, `say` speaks unasked."""

    def __init__(self, answer: Answer = usual) -> None:
        self.answer = answer
        self.commands: list[list[str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="scripted-")
        self.path = Path(self._folder.name) / "redis.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def line(
        self,
        timeout_s: float = 5.0,
        heartbeat_s: float = 60.0,
        watched: tuple[str, ...] = WATCHED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Line:
        return Line(
            f"unix://{self.path}",
            timeout_s=timeout_s,
            heartbeat_s=heartbeat_s,
            watched=watched,
            monotonic=monotonic,
        )

    def say(self, data: bytes) -> None:
        """Send bytes over every connection that is open; they are there when this returns."""
        for one in self._open:
            one.sendall(data)

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for one in self._open:
            one.shutdown(socket.SHUT_RDWR)

    def asked(self, name: str) -> int:
        """Return how many commands of this name have come."""
        return sum(command[0] == name for command in self.commands)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._open.append(peer)
                self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        reader = hiredis.Reader(encoding="utf-8")
        with contextlib.suppress(OSError):
            while data := peer.recv(65536):
                reader.feed(data)
                while command := reader.gets():
                    self.commands.append(command)
                    reply = self.answer(command)
                    if reply is None:
                        peer.shutdown(socket.SHUT_RDWR)
                        return
                    peer.sendall(reply)

    def __enter__(self) -> "ScriptedRedis":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for one in [self._listener, *self._open]:
            one.close()
        self._folder.cleanup()
