"""A document by HTTP: no more of it, and no longer, than there is use for."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.fetching import LARGEST, fetch
from tests.identities import identity


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after the other; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    with peer, suppress(OSError):
                        serve(peer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(data)

    return serve


def test_document_is_returned() -> None:
    """With the path and the query that it was asked for by."""
    asked: list[bytes] = []

    def serve(peer: socket.socket) -> None:
        asked.append(peer.recv(4096))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xc3\xa9!")

    with server(serve) as url:
        assert "é!" == fetch(f"{url}/keys?of=billing", timeout_s=30)
    assert asked[0].startswith(b"GET /keys?of=billing HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (LARGEST + 1),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"what?\r\n\r\n",
        b"",
    ],
    ids=["redirect", "404", "500", "cut", "no UTF-8", "large", "large header", "no HTTP", "empty"],
)
def test_what_is_no_document_raises(data: bytes) -> None:
    """Redirects among it: who is asked is decided beforehand."""
    with server(answering(data)) as url, pytest.raises((OSError, ValueError)):
        fetch(url)


def test_slow_server_is_hung_up_on() -> None:
    """However busily it sends: the limit is on the whole."""

    def trickle(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(600):
            peer.sendall(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    with server(trickle) as url, pytest.raises((OSError, ValueError)):
        fetch(url, timeout_s=0.3)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "http://[", "x"])
def test_nobody_there_raises(url: str) -> None:
    """In words that RemoteKeys knows."""
    with pytest.raises((OSError, ValueError)):
        fetch(url, timeout_s=1)


@pytest.mark.parametrize(
    ("names", "is_trusted", "expected"),
    [
        (("127.0.0.1",), True, "keys"),
        (("127.0.0.1",), False, "refused"),
        (("192.0.2.1",), True, "refused"),
    ],
)
def test_tls_server_must_be_who_it_says_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    is_trusted: bool,
    expected: str,
) -> None:
    """Trusted by this machine, and of that name: SSL_CERT_FILE says who is trusted."""
    certificate, key = identity(ips=names).write(tmp_path, "place")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkeys")

    def serve(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as talking:
            answer(talking)

    trusted = certificate if is_trusted else identity().write(tmp_path, "another")[0]
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with server(serve) as url:
        try:
            found = fetch(url.replace("http:", "https:"), timeout_s=30)
        except OSError:
            found = "refused"
    assert expected == found
