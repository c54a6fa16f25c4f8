"""A load of all kinds of calls, and what each of them must be answered."""

import base64
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.stack import Credentials, Stack, until
from tests.wire import Answer, Connection, form, request

LOCATIONS = (
    ("GET", "/demo/read", "demo:read"),
    ("POST", "/demo/write", "demo:write"),
    ("GET", "/demo/any", ""),
    ("GET", "/demo/routed/read", "demo:read"),
    ("POST", "/demo/routed/write", "demo:write"),
    ("GET", "/demo/routed/nowhere", None),
)
"""Method, path, and the scope that is needed there; None where the route table has nothing."""

KINDS = {
    "good": 56,
    "revoked": 8,
    "forged": 9,
    "expired": 5,
    "disabled": 5,
    "no_token": 5,
    "once": 3,
    "spent": 3,
    "mint": 3,
    "revoke": 3,
}
"""What a lane does next, by weight. Good tokens go anywhere, so they meet the wrong scope too."""


@dataclass(slots=True)
class Token:
    """A token as its holder knows it."""

    raw: str
    client_id: str
    jti: str
    scope: str
    exp: int


def read(raw: str) -> Token:
    """Read a token without verifying it."""
    part = raw.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return Token(raw, claims["client_id"], claims["jti"], claims["scope"], claims["exp"])


@dataclass(slots=True)
class Expected:
    """What the next answer must be. `token` is who the upstream must have been told."""

    kind: str
    status: int
    needed: str | None = None
    token: Token | None = None
    marker: str = ""


@dataclass
class Lane:
    """One client-side connection, with tokens of every client that nobody else uses.

    nginx answers the requests of one connection one after the other, so what has been sent before
    has happened: the model needs no guess about order.
    """

    connection: Connection
    clients: dict[str, Credentials]
    chance: random.Random
    pools: dict[str, list[Token]]
    waiting: list[Expected] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    in_doubt: set[str] = field(default_factory=set)
    sent: int = 0

    def send(self, count: int) -> None:
        """Send `count` requests at once and note what must come back."""
        self.connection.send(b"".join(self._next() for _ in range(count)))

    def check(self) -> None:
        """Read all answers that are due and hold each against what must come."""
        for expected in self.waiting:
            answer = self.connection.receive()
            self.seen[f"{expected.kind} {answer.status}"] += 1
            if answer.status == 503:
                self._doubt(expected)
            elif not expected.token or expected.token.jti not in self.in_doubt:
                self._check(expected, answer)
        self.waiting.clear()

    def _doubt(self, expected: Expected) -> None:
        """503 is no wrong decision, but a change that was asked for may have happened or not."""
        if expected.token and expected.kind in {"once", "revoke"}:
            self.in_doubt.add(expected.token.jti)
            for pool in self.pools.values():
                pool[:] = [token for token in pool if token is not expected.token]

    def _next(self) -> bytes:
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        self.sent += 1
        if kind == "mint" or (kind == "once" and not self.pools["once"]):
            return self._mint("/ott" if self.chance.random() < 0.5 else "/token")
        if kind == "revoke" and len(self.pools["good"]) > 30:
            return self._revoke()
        if kind == "no_token":
            return self._call(kind, 401, None)
        if kind == "forged":
            return self._call(kind, 401, self._forged())
        if kind == "once":
            return self._once()
        if kind == "spent" and self.pools["spent"]:
            return self._held(kind, 401, self.chance.choice(self.pools["spent"]))
        if kind in {"revoked", "expired", "disabled"} and self.pools[kind]:
            return self._call(kind, 401, self.chance.choice(self.pools[kind]))
        return self._held("good", 200, self.chance.choice(self.pools["good"]))

    def _mint(self, path: str) -> bytes:
        client_id = self.chance.choice(list(self.clients))
        self.waiting.append(Expected(f"mint{path}", 200, marker=client_id))
        return form(path, _as(self.clients[client_id], grant_type="client_credentials"))

    def _revoke(self) -> bytes:
        token = self.pools["good"].pop(self.chance.randrange(len(self.pools["good"])))
        self.pools["revoked"].append(token)
        self.waiting.append(Expected("revoke", 200, token=token))
        if self.chance.random() < 0.5:
            return request("POST", "/revoke", token=token.raw)
        return form("/revoke", _as(self.clients[token.client_id], token=token.raw))

    def _once(self) -> bytes:
        """A one-time token: only the call that it may make spends it."""
        token = self.pools["once"].pop()
        asked = self._held("once", 200, token)
        (self.pools["spent"] if self.waiting[-1].status == 200 else self.pools["once"]).append(
            token
        )
        return asked

    def _held(self, kind: str, status: int, token: Token) -> bytes:
        """A call anywhere, answered with `status` where the token's scope is enough, else 403."""
        location = self.chance.choice(LOCATIONS)
        needed = location[2]
        is_enough = needed is not None and set(needed.split()) <= set(token.scope.split())
        return self._call(kind, status if is_enough else 403, token, location)

    def _forged(self) -> Token:
        """A token that this server never signed: pieces of two good ones, or a changed one."""
        one, other = self.chance.sample(self.pools["good"], 2)
        header, payload, signature = one.raw.split(".")
        header_2, payload_2, signature_2 = other.raw.split(".")
        at = self.chance.randrange(len(signature) - 1)
        flipped = "A" if signature[at] != "A" else "B"
        none = base64.urlsafe_b64encode(b'{"typ":"at+jwt","alg":"none"}').decode().rstrip("=")
        raw = self.chance.choice(
            [
                f"{header}.{payload}.{signature_2}",
                f"{header_2}.{payload_2}.{signature}",
                f"{header}.{payload}.{signature[:at]}{flipped}{signature[at + 1 :]}",
                f"{none}.{payload}.{signature}",
                f"{header}.{payload}",
                f"{header}.{payload}.{signature}A",
            ]
        )
        return Token(raw, "", "", "", 0)

    def _call(
        self,
        kind: str,
        status: int,
        token: Token | None,
        location: tuple[str, str, str | None] | None = None,
    ) -> bytes:
        method, path, needed = location or self.chance.choice(LOCATIONS)
        marker = f"{self.chance.getrandbits(64):016x}"
        self.waiting.append(Expected(kind, status, needed, token, marker))
        return request(
            method, f"{path}?{marker}", {"X-Marker": marker}, token=token.raw if token else None
        )

    def _check(self, expected: Expected, answer: Answer) -> None:
        assert expected.status == answer.status, (expected, answer)
        if expected.kind.startswith("mint"):
            token = read(answer.json()["access_token"])
            assert expected.marker == token.client_id, (expected, token)
            (self.pools["once"] if expected.kind == "mint/ott" else self.pools["good"]).append(
                token
            )
        elif expected.kind == "revoke":
            assert b"" == answer.body
        elif answer.status == 200:
            assert expected.token is not None
            check_identity(expected.token, expected.marker, answer)
        else:
            check_challenge(expected, answer)


def check_identity(token: Token, marker: str, answer: Answer) -> None:
    """The upstream was told who called here, and nobody else; the answer is to this request."""
    told: dict[str, Any] = answer.json()["headers"]
    assert (token.client_id, token.jti, token.scope, marker) == (
        told.get("x-auth-client-id"),
        told.get("x-auth-jti"),
        told.get("x-auth-scope", ""),
        told.get("x-marker"),
    )
    assert told["x-request-id"] == answer.header("X-Request-ID")
    assert "authorization" not in told


def check_challenge(expected: Expected, answer: Answer) -> None:
    """The refusal says what RFC 6750 §3 asks for, about this request."""
    challenge = answer.header("WWW-Authenticate") or ""
    if answer.status == 403:
        assert 'error="insufficient_scope"' in challenge
        assert expected.needed is None or f'scope="{expected.needed}"' in challenge
    elif expected.token is None:
        assert "error=" not in challenge
    else:
        assert 'error="invalid_token"' in challenge


def _as(client: Credentials, **fields: str) -> dict[str, str]:
    return {"client_id": client[0], "client_secret": client[1], **fields}


def expired_tokens(stack: Stack, client: Credentials, count: int) -> list[Token]:
    """Mint tokens of a client with a lifetime of a second, and let it pass."""
    tokens = [read(stack.mint(client)) for _ in range(count)]
    until(lambda: time.time() >= max(token.exp for token in tokens), what="they expire")
    return tokens
