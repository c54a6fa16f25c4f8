"""A TCP relay in front of a Redis that can fall silent without hanging up, or slow down."""

import contextlib
import select
import socket
import threading


class Relay:
    """Passes everything on, until it is told not to; what comes meanwhile is kept for later.

    With `answers` False, what the target says is swallowed.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._passes = threading.Event()
        self._passes.set()
        self.delay_s = 0.0
        self.answers = True
        self._is_over = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def fall_silent(self) -> None:
        """From now on nothing gets through, in either direction; new connections neither."""
        self._passes.clear()

    def speak_again(self) -> None:
        self._passes.set()

    def hang_up(self) -> None:
        """Close every connection that is open now."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                target = socket.create_connection(self._target)
                self._open += [client, target]
                self._threads.append(threading.Thread(target=self._serve, args=(client, target)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket, target: socket.socket) -> None:
        other = {client: target, target: client}
        with contextlib.suppress(OSError):
            while True:
                for ready in select.select([client, target], [], [])[0]:
                    data = ready.recv(65536)
                    self._passes.wait()
                    self._is_over.wait(self.delay_s)
                    if ready is client or self.answers:
                        other[ready].sendall(data)
                    if not data:
                        raise ConnectionResetError
        self._close(client, target)

    def _close(self, *both: socket.socket) -> None:
        for one in both:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._passes.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self.hang_up()
        for thread in self._threads:
            thread.join()
        for one in [self._listener, *self._open]:
            one.close()
