"""A server that speaks Redis' protocol and says what a test tells it to."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import hiredis

Reply = bytes | None
"""What goes on the wire; None for silence."""

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"


def willing(command: list[str]) -> Reply:
    """Let everybody log in and be told of changes; answer 0 to all else."""
    match command:
        case ["HELLO", *_]:
            return HELLO
        case ["PING"]:
            return b"+PONG\r\n"
        case ["CLIENT" | "SELECT" | "AUTH", *_]:
            return b"+OK\r\n"
    return b":0\r\n"


class CannedRedis:
    """Listens on a unix socket or a port. `reply` answers each command; `asked` has them all."""

    def __init__(self, path: Path | None, reply: Callable[[list[str]], Reply] = willing) -> None:
        if path:
            self.url = f"unix://{path}"
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(path))
            self._listener.listen(16)
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.url = "redis://{}:{}".format(*self._listener.getsockname())
        self.reply = reply
        self.asked: list[list[str]] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def says(self, reply: Reply) -> None:
        """Answer every question with this from now on; logins stay welcome."""

        def answer(command: list[str]) -> Reply:
            return willing(command) if command[0] in {"HELLO", "CLIENT", "AUTH"} else reply

        self.reply = answer

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        reader = hiredis.Reader(encoding="utf-8", errors="surrogateescape")
        with client, contextlib.suppress(OSError):
            while data := client.recv(65536):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    self.asked.append([str(part) for part in command])
                    if reply := self.reply(self.asked[-1]):
                        client.sendall(reply)

    def close(self) -> None:
        """Hang up and wait for the threads."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
