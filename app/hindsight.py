"""What a worker knew when Redis was last known to be there: for locations that declare staleness.

Tokens and clients stay where they are in memory, in doubt; here is what tells those that were good
then. A change that is announced later, and whatever Redis answers, counts from that moment on.
Bounded: as many clients as a memory has, for an hour.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.errors import StoreUnavailable
from app.gate import World
from app.holders import Holders
from app.metrics import Metrics

LONGEST_S = 3_600
_QUIET_S = 1.0

log = logging.getLogger("portcullis.hindsight")


@dataclass(frozen=True, slots=True)
class Known:
    """What a memory knew: the tokens that it judged in this generation, and what else it needs.

    `until` is when it was last known for certain, in seconds of the monotonic clock.
    """

    generation: int
    world: World
    holders: Holders
    routes: Mapping[str, str] | None
    until: float


class Hindsight:
    """The facts from before an outage, and how often they were used in it."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._known: Known | None = None
        self._routes: Mapping[str, str] | None = None
        self._certain_at = -math.inf
        self._answered_at = -math.inf
        self._answers = 0

    def keep(self, known: Known) -> None:
        """Keep what has just come into doubt, unless it never was beyond doubt since the last."""
        if known.until > (self._known.until if self._known else -math.inf):
            self._known = known
            self._routes = known.routes
            self._certain_at = -math.inf

    def forget(self) -> None:
        """Let nothing be recalled."""
        self._known = self._routes = None

    def drop_client(self, client_id: str) -> None:
        """Take in that a client has changed."""
        if self._known:
            self._known.holders.drop(client_id)

    def drop_routes(self) -> None:
        """Take in that the route table has changed."""
        self._routes = None

    def learn(self, client_id: str | None, world: World | None) -> None:
        """Take in that Redis has answered, about a client, about the world, or about a token."""
        self._certain_at = self._monotonic()
        if client_id is not None:
            self.drop_client(client_id)
        if self._known and world and world != self._known.world:
            self.forget()

    def age_s(self, generation: int) -> float:
        """Return how long ago it was certain what was judged in a generation."""
        if self._known is None or generation != self._known.generation:
            return math.inf
        return self._monotonic() - self._known.until

    def routes(self) -> Mapping[str, str]:
        """Return the route table of then; raise StoreUnavailable when it is not known."""
        if self._routes is None:
            raise StoreUnavailable("the route table is not known")
        return self._routes

    def count(self, age_s: float) -> float:
        """Count an answer that was given although Redis could not be asked; return its age."""
        self._metrics.count("stale_decisions")
        if not self._answers:
            log.warning("answering from what was known %.1f s ago, where it is declared", age_s)
        self._answers += 1
        self._answered_at = self._monotonic()
        return age_s

    def look_around(self) -> None:
        """Let go of what is too old, or of no more use because Redis answers everything again."""
        if self._known or self._answers:
            is_over = self._certain_at - self._answered_at > _QUIET_S
            if is_over or (self._known and self.age_s(self._known.generation) > LONGEST_S):
                self.end()

    def end(self) -> None:
        """Forget all, and say how many answers were given, if any."""
        self.forget()
        if self._answers:
            log.warning("answered %d calls from what was known before", self._answers)
            self._answers = 0
