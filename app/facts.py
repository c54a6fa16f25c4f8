"""What Redis said of clients, routes and the data set, for as long as no change is announced."""

from collections.abc import Mapping

from app.errors import StoreUnavailable
from app.gate import Holder, World
from app.hindsight import Hindsight, Known
from app.holders import Holders
from app.store import Store
from app.warm_tokens import NOBODY


class Facts:
    """The facts of one worker. What was judged in an older `generation` must be judged anew."""

    def __init__(self, store: Store, hindsight: Hindsight, *, most_clients: int) -> None:
        self._store = store
        self._hindsight = hindsight
        self._most_clients = most_clients
        self._holders = Holders(most_clients)
        self._routes: Mapping[str, str] | None = None
        self.generation = 0
        self.world: World | None = None

    def doubt_all(self, known_until: float) -> None:
        """Have everything asked again. What was good until now may be recalled."""
        if self.world is not None:
            known = Known(self.generation, self.world, self._holders, self._routes, known_until)
            self._hindsight.keep(known)
        self.generation += 1
        self._holders = Holders(self._most_clients)
        self.world = None
        self._routes = None

    def forget(self, key: str) -> None:
        """Have asked again what a key of Redis holds, because it has changed."""
        kind, _, name = key.partition(":")
        if key in {"dataset", "notbefore:*"}:
            self.generation += 1
            self.world = None
            self._hindsight.forget()
        elif kind in {"client", "notbefore"}:
            self._holders.drop(name)
            self._hindsight.drop_client(name)
        elif key == "routes":
            self._routes = None
            self._hindsight.drop_routes()

    def client(self, client_id: str) -> Holder | None:
        """Return a client if all that a decision needs of it is known, and of the world."""
        return self._holders.find(client_id) if self.world is not None else None

    def registration(self, client_id: str) -> tuple[Holder, World]:
        """Return a client as it now stands, and the world that its tokens are minted for."""
        holder = self.client(client_id)
        if holder is None:
            holder, _ = self.learn(client_id)
        return holder, self.known_world()

    def known_world(self) -> World:
        """Return the world; raise StoreUnavailable when it is not known."""
        if self.world is None:
            raise StoreUnavailable("the data set is not known")
        return self.world

    def routes(self) -> Mapping[str, str]:
        """Return the route table."""
        if self._routes is None:
            self._routes = self._store.learn(routes=True).routes or {}
        return self._routes

    def recalled_routes(self) -> Mapping[str, str]:
        """Return the route table as it was last known; raise StoreUnavailable when it is not."""
        return self._hindsight.routes() if self._routes is None else self._routes

    def age_s(self, generation: int) -> float:
        """Return how long ago it was certain what was judged in a generation."""
        return 0.0 if generation == self.generation else self._hindsight.age_s(generation)

    def learn(self, client_id: str, jti: str | None = None) -> tuple[Holder, bool]:
        """Ask in one round trip for all of this that is not known.

        Unknown clients are not kept: anybody can name them without end. So their coming back is
        not noticed either, and whoever holds one asks each time.
        """
        holder = self._holders.find(client_id)
        unknown = client_id if holder is None else None
        answers = self._store.learn(unknown, jti, world=self.world is None)
        self._hindsight.learn(unknown, answers.world)
        self.world = answers.world or self.world
        if holder is None:
            holder = answers.holder or NOBODY
            if holder.client:
                self._holders.keep(client_id, holder)
            else:
                holder.is_current = False
        return holder, answers.is_revoked is not False
