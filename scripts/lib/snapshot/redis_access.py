"""Redis, as snapshot and restore reach it: the one place that knows where and how many it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from doctor.places import ROOT, run_dir, setting
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

import redis
from app.sentinel_url import SCHEMES, SentinelUrl
from app.topology import start_up_nodes

from .outcome import Failed, Refused, first_line

_BATCH = 500
_TIMEOUTS: dict[str, Any] = {"socket_timeout": 30.0, "socket_connect_timeout": 5.0}
_OPTIONS: dict[str, Any] = {**_TIMEOUTS, "protocol": 2, "retry": Retry(NoBackoff(), 0)}
_SENTINEL_OPTIONS = {**_OPTIONS, "socket_timeout": 3.0, "socket_connect_timeout": 3.0}
_SCHEMES = ("redis://", "rediss://", "unix://", *SCHEMES, "cluster://")
_LUA_DIR = ROOT / "redis"

Command = tuple[str | bytes | int, ...]


class Access:
    """A connection that asks many things at once, and walks over the keys in bounded memory."""

    def __init__(self, client: Any, place: str, named: Callable[[], object] = lambda: None) -> None:
        self._client: Any = client
        self.place = place
        self._named = named

    def primaries(self) -> list[Any]:
        """Return every server that holds keys of its own."""
        if not isinstance(self._client, RedisCluster):
            return [self._client]
        cluster: Any = self._client
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]

    def layout(self) -> tuple[str, ...]:
        """Return which servers hold the keys, and which slots each of a cluster has.

        When it is the same before and after a walk over all keys, none has moved behind it, nor
        has a server that knew less taken over. Raises Failed while slots are moving.
        """
        with self._failing_as_one_line():
            found = [str(self._named()), *(_identity(one) for one in self.primaries())]
        if any("moving" in one for one in found):
            raise Failed(
                f"Redis at {self.place}: slots are moving between its nodes; wait for them"
            )
        return tuple(sorted(found))

    def scan(self, prefix: str) -> Iterator[list[bytes]]:
        """Yield the keys with a prefix, a few hundred at a time, never all at once.

        A key that is there from beginning to end is yielded at least once, maybe twice; one that
        comes or goes meanwhile may be (redis.io, SCAN: guarantees).
        """
        for server in self.primaries():
            cursor = 0
            while True:
                with self._failing_as_one_line():
                    cursor, keys = server.scan(cursor, match=f"{prefix}*", count=_BATCH)
                if keys:
                    yield keys
                if not cursor:
                    break

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands together and return their replies; an error is returned, not raised."""
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        with self._failing_as_one_line():
            replies: list[Any] = pipe.execute(raise_on_error=False)
        return replies

    def do(self, *commands: Command) -> list[Any]:
        """Send commands together and return their replies; raise Failed for the first error."""
        return [self.certain(reply) for reply in self.ask(*commands)]

    def certain(self, reply: Any) -> Any:
        """Return a reply to `ask`; raise Failed when it is an error."""
        if isinstance(reply, Exception):
            raise Failed(f"Redis at {self.place}: {first_line(reply)}") from reply
        return reply

    def eval(self, script: str, key: str, *args: str | int) -> Any:
        """Run one of redis/*.lua on a key."""
        text = (_LUA_DIR / f"{script}.lua").read_text("utf-8")
        with self._failing_as_one_line():
            return self._client.eval(text, 1, key, *args)

    def now_s(self) -> int:
        """Return Redis's time: one clock for all that ops do."""
        with self._failing_as_one_line():
            return int(self.primaries()[0].time()[0])

    @contextmanager
    def _failing_as_one_line(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, RedisClusterException, OSError) as error:
            self.certain(error)


def connect() -> Access:
    """Connect to the Redis that REDIS_URL, REDIS_SOCKET or the stack under RUN_DIR names."""
    url = _url()
    try:
        access = _access(url)
    except ValueError as error:
        # Not the error itself: it may quote a password.
        raise Refused("REDIS_URL cannot be read: redis://user:password@host:port/db") from error
    except (redis.RedisError, RedisClusterException) as error:
        raise Failed(f"Redis at {_place(url)}: {first_line(error)}") from error
    access.now_s()
    return access


def _access(url: str) -> Access:
    if url.startswith("cluster://"):
        return Access(_cluster(url), _place(url))
    if url.startswith(SCHEMES):
        return _named_by_sentinels(url)
    return Access(redis.Redis.from_url(url, **_OPTIONS), _place(url))


def _cluster(url: str) -> RedisCluster:
    who, addresses = start_up_nodes(url)
    user, _, password = who.removesuffix("@").partition(":")
    login: Any = {"username": unquote(user) or None, "password": unquote(password) or None}
    places = [address.rpartition(":") for address in addresses]
    node: Any = ClusterNode
    nodes = [node(host.strip("[]"), int(port)) for host, _, port in places]
    return RedisCluster(startup_nodes=nodes, protocol=2, **_TIMEOUTS, **login)


def _named_by_sentinels(url: str) -> Access:
    """Connect to the primary of this moment, and to that one until the end."""
    named = SentinelUrl.parse(url)
    sentinels = [redis.Redis.from_url(one, **_SENTINEL_OPTIONS) for one in named.sentinels]
    host, port = _primary(sentinels, named.service)
    client: Any = redis.Redis.from_url(named.redis_at(f"{host}:{port}"), **_OPTIONS)
    if client.info("replication")["role"] != "master":
        raise Failed(f"Redis at {host}:{port} is not the primary yet: wait for the failover to end")
    return Access(client, f"{host}:{port}", lambda: _primary(sentinels, named.service))


def _primary(sentinels: Sequence[Any], service: str) -> tuple[str, int]:
    """Return the address that the sentinel gives which knows of the latest failover."""
    answers, why = [], ""
    for sentinel in sentinels:
        try:
            host, port = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
            state = sentinel.execute_command("SENTINEL", "MASTER", service)
        except TypeError:
            why = f"it knows no {service}"
        except redis.RedisError as error:
            why = first_line(error)
        else:
            epoch = int(dict(zip(state[::2], state[1::2], strict=True))[b"config-epoch"])
            answers.append((epoch, host.decode(), int(port)))
    if not answers:
        raise Failed(f"no sentinel names a primary for {service}: {why}")
    return max(answers)[1:]


def _identity(server: Any) -> str:
    """Return which process this is, its role, and its own slots in a cluster, as it says them."""
    role = server.info("replication")["role"]
    found = f"{server.info('server')['run_id']} {role}"
    if not server.info("cluster")["cluster_enabled"]:
        return found
    nodes = server.execute_command("CLUSTER NODES").values()
    own = next(node for node in nodes if "myself" in node["flags"])
    return f"{found} {'moving' if own['migrations'] else own['slots']}"


def _url() -> str:
    """The order of scripts/lib/redis.sh: the environment, then what the stack wrote down."""
    found = os.environ.get("REDIS_URL") or _of_socket(os.environ.get("REDIS_SOCKET", ""))
    found = found or setting("REDIS_URL", "demo.env")
    found = found or _of_socket(setting("REDIS_SOCKET", "demo.env"))
    if not found:
        hint = f"or start the stack ({run_dir()}/demo.env names none)"
        raise Failed(f"no Redis to talk to: set REDIS_URL or REDIS_SOCKET, {hint}")
    if not found.startswith(_SCHEMES):
        raise Refused(f"REDIS_URL must begin with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}")
    return found


def _of_socket(path: str) -> str:
    return f"unix://{path}" if path else ""


def _place(url: str) -> str:
    """The address without the password."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]
