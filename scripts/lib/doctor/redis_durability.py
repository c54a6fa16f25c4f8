"""What Redis would do to revocations: lose them, evict them, or run out of room."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from .finding import Finding
from .places import setting

ASKED = ("appendonly", "maxmemory-policy", "maxmemory", "io-threads")
TIMEOUT_S = 3.0


class RedisError(Exception):
    """Redis gave an error for an answer, or none."""


def url() -> str:
    """Where Redis is, as scripts/client finds it; "" when nothing says so."""
    found = setting("REDIS_URL") or _of_socket(setting("REDIS_SOCKET"))
    found = found or setting("REDIS_URL", "demo.env")
    return found or _of_socket(setting("REDIS_SOCKET", "demo.env"))


def _of_socket(path: str) -> str:
    return f"unix://{path}" if path else ""


def find(redis_url: str) -> Iterator[Finding]:
    """Ask Redis; of a cluster, each node that the URL names."""
    who, at, nodes = redis_url.removeprefix("cluster://").rpartition("@")
    is_cluster = redis_url.startswith("cluster://")
    for one in nodes.rstrip("/").split(",") if is_cluster else ():
        yield from _find(f"redis://{who}{at}{one}")
    if not is_cluster:
        yield from _find(redis_url)


def _find(redis_url: str) -> Iterator[Finding]:
    place = f"Redis at {_place(redis_url)}"
    try:
        config = _config(redis_url)
    except (OSError, ValueError, RedisError) as error:
        yield Finding(
            place,
            0,
            f"cannot be asked for its configuration: {error}",
            "start it, or set REDIS_URL to a user that may run CONFIG GET (ops, in users.acl)",
        )
        return
    for is_wrong, problem, remedy in _judged(config):
        if is_wrong:
            yield Finding(place, 0, problem, remedy)


def _judged(config: dict[str, str]) -> list[tuple[bool, str, str]]:
    """Each setting that revocations depend on: is it wrong, what that means, the remedy."""
    return [
        (
            config["appendonly"] != "yes",
            "appendonly is off: after a restart revocations and clients are gone",
            "CONFIG SET appendonly yes, and the same in redis.conf",
        ),
        (
            config["maxmemory-policy"] != "noeviction",
            f"maxmemory-policy is {config['maxmemory-policy']}: "
            "with little room left it forgets revocations",
            "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
        ),
        (
            config["maxmemory"] == "0",
            "maxmemory is not set: it grows until the machine kills it",
            "CONFIG SET maxmemory 512mb, or what the machine can spare, and the same in redis.conf",
        ),
        (
            config.get("io-threads", "1") != "1",
            f"io-threads is {config.get('io-threads')}: a revocation may be acknowledged before "
            "the workers have been told of it",
            "io-threads 1 in redis.conf, and a restart",
        ),
    ]


def _place(redis_url: str) -> str:
    """The address without the password."""
    parts = urlsplit(redis_url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _config(redis_url: str) -> dict[str, str]:
    with closing(_connect(redis_url)) as peer, peer.makefile("rb") as stream:
        parts = urlsplit(redis_url)
        if parts.password:
            user = unquote(parts.username or "") or "default"
            peer.sendall(_command("AUTH", user, unquote(parts.password)))
            _reply(stream)
        peer.sendall(_command("CONFIG", "GET", *ASKED))
        reply = _reply(stream)
    if not isinstance(reply, list) or len(reply) != 2 * len(ASKED):
        raise RedisError("an answer that is no configuration")
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _connect(redis_url: str) -> socket.socket:
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(TIMEOUT_S)
        peer.connect(unquote(parts.path))
        return peer
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("REDIS_URL must begin with redis://, rediss:// or unix://")
    host = parts.hostname or "localhost"
    peer = socket.create_connection((host, parts.port or 6379), timeout=TIMEOUT_S)
    if parts.scheme == "redis":
        return peer
    return _tls(parts.query).wrap_socket(peer, server_hostname=host)


def _tls(query: str) -> ssl.SSLContext:
    """redis-py's names: ssl_ca_certs, ssl_cert_reqs=none, ssl_certfile, ssl_keyfile."""
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    context = ssl.create_default_context(cafile=given.get("ssl_ca_certs"))
    if given.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl_certfile" in given:
        context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    return context


def _command(*words: str) -> bytes:
    """RESP: an array of bulk strings."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def _reply(stream: BinaryIO) -> str | list[str]:
    line = stream.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return [str(_reply(stream)) for _ in range(int(rest))]
    if kind == "$":
        return stream.read(int(rest) + 2)[:-2].decode()
    if kind != "+":
        raise RedisError(rest or "no answer")
    return rest
