"""Tokens that were verified before, found by the very header that they came in; bounded.

What many tokens have in common is kept once: clients, scopes, audiences and times.
"""

from collections import deque
from dataclasses import replace
from typing import TypeVar

from app.errors import Refused
from app.gate import ONCE, Holder, NotBefore, scopes_held
from app.tokens import Claims

NOBODY = Holder(None, NotBefore(float("inf")), is_current=False)
UNKNOWN = -1
_CHARACTERS_A_PLACE = 64
_SPELLING_A_PLACE = 1024
"""Characters, too. Spaces before a token cost whoever sends them nothing (RFC 6750 §2.1)."""

_MOST_SHARED = 10_000
_MOST_SCOPE_CHARACTERS = 500_000

T = TypeVar("T")


class WarmToken:
    """A token whose signature and claims are good, and its standing as of `generation`."""

    __slots__ = (
        "claims",
        "exp",
        "generation",
        "holder",
        "is_counted",
        "is_marked",
        "refusal",
        "scopes",
        "spelling",
    )

    def __init__(self, spelling: str, claims: Claims, scopes: frozenset[str]) -> None:
        self.is_marked = False
        self.become(spelling, claims, scopes)

    def become(self, spelling: str, claims: Claims, scopes: frozenset[str]) -> None:
        """Hold what was just verified from `spelling`, a whole header value; know nothing else."""
        self.spelling = spelling
        self.claims = claims
        self.exp = claims.exp
        self.scopes = scopes
        self.holder = NOBODY
        self.generation = UNKNOWN
        self.refusal: Refused | None = None
        self.is_counted = True  # whether a call costs something: of the token or of a rate

    def places(self) -> int:
        """Return how many places it takes: a set of hundreds of scopes is no small thing.

        Nor is a header of kilobytes.
        """
        scope, spelling = len(self.claims.scope), len(self.spelling)
        return max(1, scope // _CHARACTERS_A_PLACE, spelling // _SPELLING_A_PLACE)


class WarmTokens:
    """Tokens in `most` places, no two of one `jti`. Those that are hit outlive the others.

    Nothing but the very spelling that was verified finds a token.
    """

    def __init__(self, most: int) -> None:
        self.by_spelling: dict[str, WarmToken] = {}
        self.by_jti: dict[str, WarmToken] = {}
        self._most = most
        self.evicted = 0
        self._taken = 0
        self._queue: deque[WarmToken] = deque()
        self._shared: dict[object, object] = {}
        self._scopes: dict[str, frozenset[str]] = {}
        self._scope_characters = 0

    def keep(self, spelling: str, claims: Claims) -> WarmToken:
        """Return the token, kept from now on unless it is good only once."""
        scopes = self._scopes_of(claims.scope)
        if claims.is_once:
            return WarmToken(spelling, claims, scopes | {ONCE})
        claims = replace(
            claims,
            client_id=self._share(claims.client_id),
            scope=self._share(claims.scope),
            audiences=self._share(claims.audiences),
            iat=self._share(claims.iat),
            exp=self._share(claims.exp),
            own_kill_ms=self._share(claims.own_kill_ms),
            global_kill_ms=self._share(claims.global_kill_ms),
            confirmation=self._share(claims.confirmation),
        )
        token = self.by_jti.get(claims.jti)
        if token is None:
            token = WarmToken(spelling, claims, scopes)
            self._make_room(token.places())
            self._queue.append(token)
            self._enter(token)
        else:
            # Another spelling of it: one announcement must reach both, so there is one at a time.
            self._forget(token)
            token.become(spelling, claims, scopes)
            token.is_marked = True
            self._enter(token)
            self._make_room(0)  # it may be longer than the one before
        return token

    def __len__(self) -> int:
        return len(self.by_spelling)

    def clear(self) -> None:
        """Forget all tokens."""
        self.by_spelling.clear()
        self.by_jti.clear()
        self._queue.clear()
        self._taken = 0

    def _make_room(self, places: int) -> None:
        """Give a second chance: a hit only marks, and what is marked is spared once."""
        while self._queue and self._taken + places > self._most:
            oldest = self._queue.popleft()
            if oldest.is_marked:
                oldest.is_marked = False
                self._queue.append(oldest)
            else:
                self.evicted += 1
                self._forget(oldest)

    def _enter(self, token: WarmToken) -> None:
        """Have it found from now on."""
        self._taken += token.places()
        self.by_spelling[token.spelling] = token
        self.by_jti[token.claims.jti] = token

    def _forget(self, token: WarmToken) -> None:
        del self.by_spelling[token.spelling]
        del self.by_jti[token.claims.jti]
        self._taken -= token.places()

    def _share(self, value: T) -> T:
        if len(self._shared) >= _MOST_SHARED:
            self._shared.clear()
        return self._shared.setdefault(value, value)  # type: ignore[return-value]

    def _scopes_of(self, scope: str) -> frozenset[str]:
        scopes = self._scopes.get(scope)
        if scopes is None:
            scopes = scopes_held(scope, is_once=False)
            if self._scope_characters >= _MOST_SCOPE_CHARACTERS:
                self._scopes.clear()
                self._scope_characters = 0
            self._scopes[scope] = scopes
            self._scope_characters += len(scope) + 1
        return scopes
