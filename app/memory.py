"""What Redis said, kept for as long as no change is announced, and tokens verified before.

Kept are facts, never decisions: what a token says, whether it and its holder are good. Each
request holds them against its own needs and the time. Everything kept has a bound.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress

from app import gate
from app.bearer import is_dpop, shown_token
from app.errors import Expired, Refused, StoreUnavailable
from app.facts import Facts
from app.gate import Holder, World
from app.hindsight import Hindsight
from app.keys import KeyRing
from app.line import Loss, News
from app.metrics import Metrics
from app.store import Store
from app.tokens import Claims
from app.verifier import Verifier
from app.warm_tokens import UNKNOWN, WarmToken, WarmTokens

__all__ = ["Memory", "WarmToken"]

_LOOK_AROUND_S = 0.1
"""The keyring itself looks at its file as often: together, a retired key is out in 0.2 s."""

_IDLE_S = 0.9


class Memory:
    """The facts of one worker. For one thread."""

    def __init__(
        self,
        store: Store,
        verifier: Verifier,
        *,
        most_tokens: int,
        most_clients: int,
        metrics: Metrics | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._line = store.line
        self._verifier = verifier
        self._leeway_s = verifier.leeway_s
        self._metrics = metrics or Metrics(None)
        self._counts = self._metrics.counts
        self._hit = self._metrics.index["warm_token_hits"]
        self._hindsight = Hindsight(self._metrics, monotonic)
        self._facts = Facts(store, self._hindsight, most_clients=most_clients)
        self._tokens = WarmTokens(most_tokens)
        self._find_token = self._tokens.by_spelling.get
        self._ring: KeyRing | None = None
        self._looked_around_s = 0.0
        self.routes = self._facts.routes
        self.recalled_routes = self._facts.recalled_routes

    def token(self, authorization: str | None, now: float) -> WarmToken:
        """Return the token in an Authorization header, if it is good at `now`.

        Raises the Refused that names what is wrong with it.
        """
        # Looked at here, because each call comes this way and nearly none has anything to refresh.
        line, looked_s = self._line, now - self._looked_around_s
        is_current = line.is_current()
        if not is_current or line.news or not 0 <= looked_s < _LOOK_AROUND_S:
            self._take_in_all(now, is_current)
        token = self._find_token(authorization)  # type: ignore[arg-type]
        if token is None:
            token = self._verify(authorization)
        else:
            token.is_marked = True
            self._counts[self._hit] += 1
        if now >= token.exp + self._leeway_s:
            raise Expired("exp has passed")
        if token.generation != self._facts.generation or not token.holder.is_current:
            holder = self._facts.client(token.claims.client_id)
            if token.claims.is_once and holder:
                # Whether it is revoked is asked in the one question that spends it.
                self._judge(token, holder, is_revoked=False)
            else:
                self._learn_standing(token)
        if token.refusal is not None:
            raise _anew(token.refusal)
        return token

    def recall(self, authorization: str | None, now: float, within_s: float) -> WarmToken:
        """Return a token as `token` does, by what was known for certain `within_s` ago at most.

        For when Redis cannot be asked: raises StoreUnavailable when it would have to be.
        """
        self._refresh(now)
        token = self._find_token(authorization)  # type: ignore[arg-type]
        if token is None or not token.holder.is_current:
            raise StoreUnavailable("nothing is known that would do")
        if self._facts.age_s(token.generation) > within_s:
            raise StoreUnavailable("nothing recent enough is known")
        if now >= token.exp + self._leeway_s:
            raise Expired("exp has passed")
        if token.refusal is not None:
            raise _anew(token.refusal)
        return token

    def can_ask_at_once(self) -> bool:
        """Tell whether asking Redis again now is worth it, although that has just been refused."""
        return self._line.lift_pause()

    def count_recalled(self, token: WarmToken) -> float:
        """Count a call that a recalled token has made; return how old what is known of it is."""
        return self._hindsight.count(self._facts.age_s(token.generation))

    def claims(self, text: str, now: float) -> Claims:
        """Return what a token says that this issuer signed and that is in its time at `now`.

        Raises the Refused that names what is wrong with it. Its standing is not looked at.
        """
        token = self._find_token(f"Bearer {text}")
        if token is None:
            return self._verifier.verify(text)
        if now >= token.exp + self._leeway_s:
            raise Expired("exp has passed")
        return token.claims

    def claims_of(self, authorization: str | None) -> Claims | None:
        """Return what a token says that was signed here, good or not; None for any other.

        For those who write down why it was refused: it verifies where the token is not in memory.
        """
        token = self._find_token(authorization)  # type: ignore[arg-type]
        if token is not None:
            return token.claims
        try:
            return self._verifier.signed_claims(shown_token(authorization))
        except (Refused, StoreUnavailable):
            return None

    def live_claims(self, text: str, now: float) -> Claims:
        """Return the claims of a token that is good at `now`, without keeping it.

        Raises the Refused that names what is wrong with it.
        """
        self._refresh(now)
        token = WarmToken("", self.claims(text, now), frozenset())
        self._learn_standing(token)
        if token.refusal is not None:
            raise token.refusal
        return token.claims

    def has_client(self, client_id: str) -> bool:
        """Tell whether asking for this client, now, does without Redis."""
        self._refresh(self._verifier.now())
        return self._facts.client(client_id) is not None

    def registration(self, client_id: str) -> tuple[Holder, World]:
        """Return a client as it now stands, and the world that its tokens are minted for."""
        self._refresh(self._verifier.now())
        return self._facts.registration(client_id)

    def keep_current(self) -> None:
        """Do what a request does in passing, for a worker that has had none for a while."""
        now = self._verifier.now()
        if not 0 <= now - self._looked_around_s < _IDLE_S:
            self._refresh(now)
            if not self._line.is_current():
                # What is announced while there is no line is missed by whoever has to know.
                with suppress(StoreUnavailable):
                    self._store.ping()

    def close(self) -> None:
        """Say what there is to say when a worker ends."""
        self._hindsight.end()

    def _refresh(self, now: float) -> None:
        """Take in every change whose maker has been told that it is done."""
        self._take_in_all(now, self._line.is_current())

    def _take_in_all(self, now: float, is_current: bool) -> None:
        """The line is asked once: it says that it is not current, and is made anew after that."""
        line = self._line
        if not is_current or line.news:
            for news in line.take_news():
                self._take_in(news)
        if not is_current:
            self._facts.doubt_all(line.known_until)
        if not 0 <= now - self._looked_around_s < _LOOK_AROUND_S:
            self._look_around(now)

    def _take_in(self, news: News) -> None:
        if isinstance(news, Loss):
            self._facts.doubt_all(news.known_until)
        elif news is None:
            self._facts.doubt_all(-math.inf)
            self._hindsight.forget()
        else:
            for key in news:
                self._forget(key)

    def _forget(self, key: str) -> None:
        kind, _, name = key.partition(":")
        if kind != "revoked":
            self._facts.forget(key)
        elif name in self._tokens.by_jti:
            self._tokens.by_jti[name].generation = UNKNOWN

    def _look_around(self, now: float) -> None:
        """A key that has been retired takes its tokens with it; one that has joined takes none."""
        self._looked_around_s = now
        self._metrics.set("warm_tokens", len(self._tokens))
        self._metrics.set_fed(now if self._line.feed() == "ok" else None)
        ring = self._verifier.ring()
        if ring is not self._ring:
            if self._ring and not ring.has_all_of(self._ring):
                self._tokens.clear()
            self._ring = ring
        self._hindsight.look_around()

    def _verify(self, authorization: str | None) -> WarmToken:
        text = shown_token(authorization)
        self._metrics.count("warm_token_misses")
        claims = self._verifier.verify_shown(text, is_dpop=is_dpop(authorization))
        self._metrics.count("tokens_verified")
        token = self._tokens.keep(authorization or "", claims)
        self._metrics.set("warm_token_evictions", self._tokens.evicted)
        return token

    def _learn_standing(self, token: WarmToken) -> None:
        self._metrics.count("standings_learnt")
        self._judge(token, *self._facts.learn(token.claims.client_id, token.claims.jti))

    def _judge(self, token: WarmToken, holder: Holder, is_revoked: bool) -> None:
        found = None
        try:
            gate.check_alive(token.claims, holder, self._facts.known_world(), is_revoked)
            gate.check_client(holder)
        except Refused as refusal:
            found = refusal.with_traceback(None)
        token.refusal = found
        token.holder = holder
        token.is_counted = token.claims.is_once or holder.has_rate()
        token.generation = self._facts.generation


def _anew(refusal: Refused) -> Refused:
    """Raised again, an exception would collect tracebacks and what they hold."""
    return type(refusal)(*refusal.args)
