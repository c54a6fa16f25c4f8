"""A question to a Redis or a sentinel, by the standard library alone (RESP2)."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT_S = 3.0
FAILURES = (OSError, ValueError)


class RedisError(ValueError):
    """Redis gave an error for an answer, or none."""


def place_of(redis_url: str) -> str:
    """The address without the password."""
    parts = urlsplit(redis_url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def ask(redis_url: str, *words: str) -> Any:
    """Return the reply to one command: a string, None, or a list of them. Raises FAILURES."""
    with closing(_connect(redis_url)) as peer, peer.makefile("rb") as stream:
        parts = urlsplit(redis_url)
        if parts.password:
            user = unquote(parts.username or "") or "default"
            peer.sendall(_command("AUTH", user, unquote(parts.password)))
            _reply(stream)
        peer.sendall(_command(*words))
        return _reply(stream)


def pairs(reply: Any) -> dict[str, str]:
    """Return a flat list of names and values as what it means."""
    if not isinstance(reply, list) or len(reply) % 2:
        raise RedisError("an answer that cannot be read")
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _connect(redis_url: str) -> socket.socket:
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(TIMEOUT_S)
        peer.connect(unquote(parts.path))
        return peer
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("REDIS_URL must begin with redis://, rediss://, unix:// or sentinel://")
    host = parts.hostname or "localhost"
    peer = socket.create_connection((host, parts.port or 6379), timeout=TIMEOUT_S)
    if parts.scheme == "redis":
        return peer
    return _tls(parts.query).wrap_socket(peer, server_hostname=host)


def _tls(query: str) -> ssl.SSLContext:
    """redis-py's names: ssl_ca_certs, ssl_cert_reqs=none, ssl_check_hostname=false, and so on."""
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    context = ssl.create_default_context(cafile=given.get("ssl_ca_certs"))
    if given.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if given.get("ssl_check_hostname", "").lower() == "false":
        context.check_hostname = False
    if "ssl_certfile" in given:
        context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    return context


def _command(*words: str) -> bytes:
    """RESP: an array of bulk strings."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def _reply(stream: BinaryIO) -> Any:
    line = stream.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind in {"*", "$"} and rest == "-1":
        return None
    if kind == "*":
        return [_reply(stream) for _ in range(int(rest))]
    if kind == "$":
        return stream.read(int(rest) + 2)[:-2].decode()
    if kind not in {"+", ":"}:
        raise RedisError(rest or "no answer")
    return rest
