"""A relay in front of a unix socket: it counts connections and can spoil what comes back."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

Spoil = Callable[[bytes], Iterable[bytes]]
"""Gets what the target answered, yields what is passed on instead; raises Drop to hang up."""


class Drop(Exception):
    """The relay closes the connection in both directions."""


def pass_on(data: bytes) -> Iterable[bytes]:
    """Spoil nothing."""
    return (data,)


class Relay:
    """Listens at a path or a port of this machine, and passes everything on to `target`.

    Each connection has a thread.
    """

    def __init__(self, at: Path | int, target: Path, spoil: Spoil = pass_on) -> None:
        self.spoil = spoil
        self.accepted = 0
        self.requests: list[bytes] = []
        self.target = str(target)
        self._open: set[socket.socket] = set()
        self._listener = _listen(at)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        target = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open |= {client, target}
        with client, target, contextlib.suppress(OSError, Drop):
            target.connect(self.target)
            while True:
                for ready in select.select([client, target], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client:
                        self.requests.append(data)
                        target.sendall(data)
                    else:
                        for part in self.spoil(data):
                            client.sendall(part)

    def hang_up(self) -> None:
        """Close every connection that is open now."""
        for one in [*self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening, hang up and wait for the threads."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(10)
        self.hang_up()
        for thread in self._threads:
            thread.join(10)


def _listen(at: Path | int) -> socket.socket:
    if isinstance(at, int):
        return socket.create_server(("127.0.0.1", at), backlog=128)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(at))
    listener.listen(128)
    return listener


@contextmanager
def in_front_of(path: Path, spoil: Spoil = pass_on) -> Iterator[Relay]:
    """Put a relay where others look for a unix socket, and afterwards the socket back.

    Who is connected already stays connected to the socket itself.
    """
    moved = path.with_suffix(".moved")
    path.rename(moved)
    relay = Relay(path, moved, spoil)
    try:
        yield relay
    finally:
        relay.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        moved.rename(path)
