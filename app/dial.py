"""The way to Redis: from its URL to a connected socket. The one user of redis-py."""

import socket
from dataclasses import dataclass
from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry

import redis
from app.wire import Wire


@dataclass(frozen=True, slots=True)
class Reached:
    """A connected socket, on which nothing has been said yet, and who we are to be there."""

    sock: socket.socket
    user: str | None
    password: str | None
    db: int


class Dial:
    """redis-py knows every kind of URL and connects."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=lambda _: None,
        )

    def connect(self, within_s: float) -> Reached:
        """Connect, without logging in; raise OSError when nobody is there in time.

        ConnectionRefusedError, when nobody listens there at all.
        """
        return self._reach(within_s)

    def check(self, wire: Wire, deadline: float) -> None:
        """Raise ConnectionError when what has been reached is not what it should be."""

    def is_due(self) -> bool:
        """Tell whether `vouch` wants to be asked, though there is nothing else to ask."""
        return False

    def vouch(self, wire: Wire, heard_at: float, deadline: float) -> None:
        """Raise ConnectionError when what has been reached is not any more what it should be."""

    def _reach(self, within_s: float, **where: Any) -> Reached:
        patience_s = max(0.001, min(within_s, self._timeout_s))
        options = {**self._pool.connection_kwargs, "socket_connect_timeout": patience_s, **where}
        # Not by make_connection(): a pool has a most, and each line that was ever lost counts.
        connection: Any = self._pool.connection_class(**options)
        try:
            connection.connect()
        except redis.TimeoutError as error:
            raise TimeoutError(str(error)) from error
        except redis.RedisError as error:
            kind = ConnectionRefusedError if _is_refusal(error) else ConnectionError
            raise kind(str(error)) from error
        # There is no public way to the socket; from here on it is ours alone.
        sock, connection._sock = connection._sock, None  # noqa: SLF001
        return Reached(sock, connection.username, connection.password, connection.db)


def _is_refusal(error: redis.RedisError) -> bool:
    """Tell whether nobody listens there, as the kernel says at once."""
    return isinstance(error.__context__, ConnectionRefusedError | FileNotFoundError)
