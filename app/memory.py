"""What Redis said, kept for as long as no change is announced, and tokens verified before.

Kept are facts, never decisions: what a token says, whether it and its holder are good. Each
request holds them against its own needs and the time. Everything kept has a bound.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from app import gate
from app.bearer import bearer
from app.errors import Expired, Refused, StoreUnavailable
from app.gate import Holder, World
from app.keys import KeyRing
from app.metrics import Metrics
from app.store import Store
from app.tokens import Claims
from app.verifier import Verifier
from app.warm_tokens import NOBODY, UNKNOWN, WarmToken, WarmTokens

__all__ = ["Memory", "WarmToken"]

_LOOK_AROUND_S = 0.1
"""The keyring itself looks at its file once a second: together, a retired key is out in 1.1 s."""

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
    ) -> None:
        self._store = store
        self._line = store.line
        self._verifier = verifier
        self._leeway_s = verifier.leeway_s
        self._metrics = metrics or Metrics(None)
        self._counts = self._metrics.counts
        self._hit = self._metrics.index["warm_token_hits"]
        self._most_clients = most_clients
        self._generation = 0
        self._tokens = WarmTokens(most_tokens)
        self._find_token = self._tokens.by_spelling.get
        self._holders: OrderedDict[str, Holder] = OrderedDict()
        self._world: World | None = None
        self._routes: Mapping[str, str] | None = None
        self._ring: KeyRing | None = None
        self._looked_around_s = 0.0

    def token(self, authorization: str | None, now: float) -> WarmToken:
        """Return the token in an Authorization header, if it is good at `now`.

        Raises the Refused that names what is wrong with it.
        """
        self._refresh(now)
        token = self._find_token(authorization)  # type: ignore[arg-type]
        if token is None:
            token = self._verify(authorization)
        else:
            token.is_marked = True
            self._counts[self._hit] += 1
        if now >= token.exp + self._leeway_s:
            raise Expired("exp has passed")
        if token.generation != self._generation or not token.holder.is_current:
            holder = self._holders.get(token.claims.client_id)
            if token.claims.is_once and holder and self._world:
                # Whether it is revoked is asked in the one question that spends it.
                self._judge(token, holder, is_revoked=False)
            else:
                self._learn_standing(token)
        if token.refusal is not None:
            # A new one: raised again, an exception would collect tracebacks and what they hold.
            raise type(token.refusal)(*token.refusal.args)
        return token

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
            return self._verifier.signed_claims(bearer(authorization))
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
        return client_id in self._holders and self._world is not None

    def registration(self, client_id: str) -> tuple[Holder, World]:
        """Return a client as it now stands, and the world that its tokens are minted for."""
        self._refresh(self._verifier.now())
        holder = self._holders.get(client_id)
        if holder is None or self._world is None:
            holder, _ = self._learn(client_id)
        else:
            self._holders.move_to_end(client_id)
        return holder, self._known_world()

    def routes(self) -> Mapping[str, str]:
        """Return the route table as it stood when this request's token was looked at, or later."""
        if self._routes is None:
            self._routes = self._store.learn(routes=True).routes or {}
        return self._routes

    def keep_current(self) -> None:
        """Do what a request does in passing, for a worker that has had none for a while."""
        now = self._verifier.now()
        if not 0 <= now - self._looked_around_s < _IDLE_S:
            self._refresh(now)
            if not self._line.is_current():
                # What is announced while there is no line is missed by whoever has to know.
                with suppress(StoreUnavailable):
                    self._store.ping()

    def _refresh(self, now: float) -> None:
        """Take in every change whose maker has been told that it is done."""
        line = self._line
        if not line.is_current():
            line.take_news()
            self._doubt_all()
        elif line.news:
            for keys in line.take_news():
                self._forget(keys)
        if not 0 <= now - self._looked_around_s < _LOOK_AROUND_S:
            self._look_around(now)

    def _doubt_all(self) -> None:
        self._generation += 1
        self._holders.clear()
        self._world = None
        self._routes = None

    def _forget(self, keys: list[str] | None) -> None:
        for key in keys or ():
            kind, _, name = key.partition(":")
            if kind == "revoked":
                if name in self._tokens.by_jti:
                    self._tokens.by_jti[name].generation = UNKNOWN
            elif key in {"dataset", "notbefore:*"}:
                self._generation += 1
                self._world = None
            elif kind in {"client", "notbefore"}:
                self._drop(self._holders.pop(name, NOBODY))
            elif key == "routes":
                self._routes = None
        if keys is None:
            self._doubt_all()

    def _drop(self, holder: Holder) -> None:
        holder.is_current = False

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

    def _verify(self, authorization: str | None) -> WarmToken:
        text = bearer(authorization)
        self._metrics.count("warm_token_misses")
        claims = self._verifier.verify(text)
        self._metrics.count("tokens_verified")
        token = self._tokens.keep(authorization or "", claims)
        self._metrics.set("warm_token_evictions", self._tokens.evicted)
        return token

    def _learn_standing(self, token: WarmToken) -> None:
        self._metrics.count("standings_learnt")
        self._judge(token, *self._learn(token.claims.client_id, token.claims.jti))

    def _judge(self, token: WarmToken, holder: Holder, is_revoked: bool) -> None:
        token.refusal = None
        try:
            gate.check_alive(token.claims, holder, self._known_world(), is_revoked)
            gate.check_client(holder)
        except Refused as refusal:
            token.refusal = refusal.with_traceback(None)
        token.holder = holder
        token.generation = self._generation

    def _learn(self, client_id: str, jti: str | None = None) -> tuple[Holder, bool]:
        """Ask in one round trip for all of this that is not known.

        Unknown clients are not kept: anybody can name them without end. So their coming back is
        not noticed either, and whoever holds one asks each time.
        """
        holder = self._holders.get(client_id)
        if holder is not None:
            self._holders.move_to_end(client_id)
        answers = self._store.learn(
            client_id if holder is None else None, jti, world=self._world is None
        )
        self._world = answers.world or self._world
        if holder is None:
            holder = answers.holder or NOBODY
            if holder.client:
                if len(self._holders) >= self._most_clients:
                    self._drop(self._holders.popitem(last=False)[1])
                self._holders[client_id] = holder
            else:
                holder.is_current = False
        return holder, answers.is_revoked is not False

    def _known_world(self) -> World:
        if self._world is None:
            raise StoreUnavailable("the data set is not known")
        return self._world
