"""Tokens for the bench, signed in parallel with the gateway's own key: faster than minting."""

import json
import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jwt.utils import base64url_decode

from app.confirmation import Confirmation
from app.keys import Key, load_keyring
from app.tokens import issue, new_jti
from bench import redis_pipe
from bench.gateway import Gateway

_LIFE_S = 6 * 3_600
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token, and what there is to know about it."""

    text: str
    jti: str
    client_id: str


@dataclass(frozen=True, slots=True)
class _Order:
    keys_dir: str
    issuer: str
    dataset_id: str
    scope: str
    client_ids: tuple[str, ...]
    is_once: bool
    bound_to: str | None


class Signer:
    """A pool of processes that sign for one gateway, whose clients are numbered from 0."""

    def __init__(self, gateway: Gateway) -> None:
        settings = gateway.stack.settings("app.env")
        self._keys_dir, self._issuer = settings["KEYS_DIR"], settings["ISSUER"]
        # The first token begins the data set, and each `jti` names the data set that it is of.
        self._dataset_id = jti_of(gateway.stack.mint()).partition(".")[0]
        self._redis_socket = gateway.run_dir / "redis.sock"
        self._random = random.Random(0)  # noqa: S311 - which client gets which token
        self.clients = 0
        self._pool = ProcessPoolExecutor(
            os.cpu_count() or 1, multiprocessing.get_context("forkserver"), _ignore_interrupts
        )

    def __enter__(self) -> "Signer":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add_clients(self, total: int) -> None:
        """Register clients until there are `total`."""
        redis_pipe.write(self._redis_socket, redis_pipe.clients(self.clients, total - self.clients))
        self.clients = total

    def sign(
        self,
        count: int,
        *,
        scope: str = redis_pipe.SCOPES,
        is_once: bool = False,
        bound_to: str | None = None,
    ) -> list[Token]:
        """Return new tokens, of clients at random; `bound_to` is a certificate's thumbprint."""
        orders = []
        for start in range(0, count, _BATCH):
            numbers = self._random.choices(range(self.clients), k=min(_BATCH, count - start))
            client_ids = tuple(map(redis_pipe.client_id, numbers))
            where = (self._keys_dir, self._issuer, self._dataset_id)
            orders.append(_Order(*where, scope, client_ids, is_once, bound_to))
        return [token for batch in self._pool.map(_sign, orders) for token in batch]

    def arm(self, tokens: list[Token]) -> None:
        """Make one-time tokens good for one use."""
        until_s = int(time.time()) + _LIFE_S
        commands = (("SET", f"ott:{token.jti}", "1", "EXAT", until_s) for token in tokens)
        redis_pipe.write(self._redis_socket, commands)

    def revoke(self, tokens: list[Token]) -> None:
        until_s = int(time.time()) + _LIFE_S
        commands = (("SET", f"revoked:{token.jti}", "bench", "EXAT", until_s) for token in tokens)
        redis_pipe.write(self._redis_socket, commands)


def jti_of(token: str) -> str:
    """Return the `jti` of a token, unverified."""
    claims = json.loads(base64url_decode(token.split(".")[1]))
    return str(claims["jti"])


def _ignore_interrupts() -> None:
    """Ctrl-C is for the bench itself, which then ends these processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _sign(order: _Order) -> list[Token]:
    key, now_s = _signing_key(order.keys_dir), int(time.time())
    confirmation = Confirmation(certificate=order.bound_to) if order.bound_to else None
    tokens = []
    for client_id in order.client_ids:
        jti = new_jti(order.dataset_id)
        text = issue(
            key,
            issuer=order.issuer,
            client_id=client_id,
            audience=order.issuer,
            scope=order.scope,
            jti=jti,
            iat=now_s,
            exp=now_s + _LIFE_S,
            is_once=order.is_once,
            confirmation=confirmation,
        )
        tokens.append(Token(text, jti, client_id))
    return tokens


@cache
def _signing_key(keys_dir: str) -> Key:
    return load_keyring(Path(keys_dir)).signer(time.time())
