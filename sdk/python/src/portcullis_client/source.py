"""Where callers get their tokens: one for all of them, or one for each request."""

import asyncio
import os
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext
from typing import Self

import httpx

from portcullis_client.endpoint import TokenEndpoint, checked_url
from portcullis_client.errors import TokenError
from portcullis_client.patience import Patience
from portcullis_client.single_flight import SingleFlight
from portcullis_client.token import Token

_MOST_THREADS = 16

_SOURCES: "weakref.WeakSet[TokenSource]" = weakref.WeakSet()


class TokenSource:
    """Hands out one token until shortly before it ends; with `once`, a new one each time.

    Share one among all threads and asyncio tasks. Tokens are asked for in threads of its own, so
    an event loop never waits for the network.

    token_url: https, or http to this machine. With `once`, a path that ends in `/token` becomes
        `/ott`.
    client_secret: the secret, or a function that returns it, called for each request: a rotated
        secret is then taken up without a restart.
    scope, resource: as in RFC 6749 §3.3 and RFC 8707 §2; left out: all that the client may have.
    timeout_s: how long a caller waits for a token at most, retries included.
    allow_http: send the secret in the clear to another machine.
    verify, transport: as in httpx.Client. clock, sleep: for tests.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str | Callable[[], str],
        *,
        scope: str | None = None,
        resource: str | Iterable[str] | None = None,
        once: bool = False,
        timeout_s: float = 10.0,
        allow_http: bool = False,
        verify: SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url = checked_url(token_url, is_once=once, allow_http=allow_http)
        self.once = once
        self._name = f"TokenSource({url!r}, {client_id!r}, once={once})"
        self._timeout_s = timeout_s
        self._clock = clock
        resources = [resource] if isinstance(resource, str) else list(resource or ())
        fields: dict[str, str | list[str]] = {"scope": scope or "", "resource": resources}
        # From one mint to the next, an hour later, a connection would only grow old.
        limits = httpx.Limits(max_keepalive_connections=_MOST_THREADS if once else 0)
        self._new_endpoint: Callable[[], TokenEndpoint] = lambda: TokenEndpoint(
            url,
            client_id,
            client_secret if callable(client_secret) else lambda: client_secret,
            {name: value for name, value in fields.items() if value},
            lambda: httpx.Client(verify=verify, transport=transport, limits=limits),
            clock,
            sleep,
        )
        self._begin(None)
        _SOURCES.add(self)

    def __repr__(self) -> str:
        return self._name

    def token(self) -> Token:
        """Return a token; raise TokenError."""
        return self._mint() if self.once else self._shared.token(self._timeout_s)

    async def token_async(self) -> Token:
        """The same, for asyncio."""
        if self.once:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._mint)
        return await self._shared.token_async(self._timeout_s)

    def discard(self, token: Token) -> bool:
        """Take note that a token was answered `invalid_token`; tell whether to try another.

        No when the last few that took the place of such a token were refused as well: then it is
        not the token's fault.
        """
        return self._shared.discard(token)

    def close(self) -> None:
        """Give threads and connections back. The source may be used again."""
        pool, endpoint = self._pool, self._endpoint
        self._begin(self._shared.held)
        pool.shutdown(wait=False)
        endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin_in_child(self) -> None:
        """Begin anew after a fork: threads, locks and connections are the parent's, and lost."""
        self._begin(self._shared.held)

    def _begin(self, token: Token | None) -> None:
        self._patience = Patience(self._clock())
        self._endpoint = self._new_endpoint()
        self._pool = ThreadPoolExecutor(_MOST_THREADS, "portcullis-client")
        self._shared = SingleFlight(self._mint, self._patience, self._pool, self._clock, token)

    def _mint(self) -> Token:
        asked_at = self._clock()
        if trouble := self._patience.trouble(asked_at):
            raise trouble
        try:
            token = self._endpoint.mint(self._timeout_s)
        except TokenError as error:
            self._patience.failed(error, asked_at, self._clock())
            raise
        self._patience.succeeded()
        return token


def _begin_in_child() -> None:
    for source in list(_SOURCES):
        source.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
