"""Get a small document by HTTP, with bounds on its size and on the time that it may take."""

import socket
import ssl
import threading
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
LARGEST = 64 * 1024
"""Bytes."""


def fetch(uri: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return the document at an http(s) URI; raise OSError or ValueError.

    No redirect is followed: who may be asked is decided by the URI. The time limit is on the whole,
    not on each read: a server that sends a byte now and then is hung up on.
    """
    parts = urlsplit(uri)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    with socket.create_connection((host, port), timeout_s) as line, line.dup() as other:
        alarm = threading.Timer(timeout_s, _hang_up, (other,))
        alarm.daemon = True
        alarm.start()
        try:
            with _wrap(line, host) if is_tls else line as talking:
                kind = HTTPSConnection if is_tls else HTTPConnection
                target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                return _get(kind(host, port), talking, target)
        except HTTPException as error:
            raise ValueError(f"not HTTP: {type(error).__name__}") from error
        finally:
            alarm.cancel()


def _get(connection: HTTPConnection, line: socket.socket, target: str) -> str:
    connection.sock = line
    with closing(connection):
        connection.request("GET", target, headers={"Accept": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        body = response.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    if response.length:
        raise ValueError("cut short")
    return body.decode("utf-8")


def _wrap(line: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(line, server_hostname=host)


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
