"""Whatever happens in whatever order, a memory answers as if it remembered nothing."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.line import Loss
from tests.forgery import NOW
from tests.service import DATASET
from tests.unit.test_memory_bounds import clients_of
from tests.unit.worker import Worker

CLIENTS = ("demo", "other")
NUMBER = st.integers(0, 3)
NUMBERS = st.lists(NUMBER, max_size=3)
CLIENT = st.sampled_from(CLIENTS)
MOST_TOKENS, MOST_CLIENTS = 3, 1
LIFE_S = 1000
WITHIN_S = 10


class Remembering(RuleBasedStateMachine):
    """A worker with little room, and plain notes of what is so."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.worker = Worker(folder / "keys", MOST_TOKENS, MOST_CLIENTS)
        self.revoked: set[int] = set()
        self.status = dict.fromkeys(CLIENTS, "active")
        self.not_before: dict[str, int] = {}
        self.dataset = DATASET
        for client_id in CLIENTS:
            self.worker.put_client(client_id)
        # Issued ten seconds apart, so that a not-before can fall between them.
        self.tokens = {
            number: self.worker.token(
                str(number), CLIENTS[number % 2], iat=NOW + 10 * number, exp=NOW + LIFE_S + number
            ).removeprefix("Bearer ")
            for number in range(4)
        }
        self.worker.clock.now = NOW + 100

    def teardown(self) -> None:
        self._stack.close()

    def expected(self, number: int) -> str:
        """Return the answer that the notes give, without a memory."""
        client_id, iat = CLIENTS[number % 2], NOW + 10 * number
        if self.worker.clock.now >= NOW + LIFE_S + number:
            return "expired"
        if self.dataset != DATASET or number in self.revoked:
            return "revoked"
        if iat <= max(self.not_before.get(client_id, 0), self.not_before.get("*", 0)):
            return "revoked"
        return "ok" if self.status[client_id] == "active" else "client_disabled"

    def look(self, number: int, spelling: str = "Bearer ") -> None:
        """Compare the memory's answer with that of the notes."""
        assert self.expected(number) == self.worker.reason(spelling + self.tokens[number])

    @contextlib.contextmanager
    def looked_at(self, numbers: list[int]) -> Iterator[None]:
        """Look at tokens right before and right after a change."""
        for number in numbers:
            self.look(number)
        yield
        for number in numbers:
            self.look(number)

    def announce(self, key: str) -> None:
        """Redis announces a change before anybody can look, unless the line is cut."""
        if self.worker.line.is_up:
            self.worker.line.announce(key)

    @rule(number=NUMBER, spelling=st.sampled_from(["Bearer ", "bearer ", "Bearer  "]))
    def ask(self, number: int, spelling: str) -> None:
        """A request."""
        self.look(number, spelling)

    @rule(numbers=NUMBERS, number=NUMBER)
    def revoke(self, numbers: list[int], number: int) -> None:
        """Revoke a token, or take that back."""
        key = f"revoked:{DATASET}.{number}"
        with self.looked_at([number, *numbers]):
            if number in self.revoked:
                self.worker.redis.delete(key)
            else:
                self.worker.redis.set(key, "x")
            self.announce(key)
            self.revoked ^= {number}

    @rule(numbers=NUMBERS, client_id=CLIENT, status=st.sampled_from(["active", "disabled", "gone"]))
    def write_client(self, numbers: list[int], client_id: str, status: str) -> None:
        """Disable, enable, delete or create a client."""
        with self.looked_at(numbers):
            if status == "gone":
                self.worker.redis.delete(f"client:{client_id}")
            else:
                self.worker.put_client(client_id, status=status)
            self.announce(f"client:{client_id}")
            self.status[client_id] = status

    @rule(numbers=NUMBERS, name=st.sampled_from([*CLIENTS, "*"]), seconds=st.integers(-1, 40))
    def kill(self, numbers: list[int], name: str, seconds: int) -> None:
        """Kill what a client, or all, were issued until some time; or forgive them."""
        with self.looked_at(numbers):
            if seconds < 0:
                self.worker.redis.delete(f"notbefore:{name}")
            else:
                self.worker.redis.set(f"notbefore:{name}", NOW + seconds)
            self.announce(f"notbefore:{name}")
            self.not_before[name] = NOW + seconds if seconds >= 0 else 0

    @rule(numbers=NUMBERS, dataset=st.sampled_from([DATASET, DATASET, "ffffffff"]))
    def begin(self, numbers: list[int], dataset: str) -> None:
        """Put another data set in place."""
        with self.looked_at(numbers):
            self.worker.redis.hset("dataset", "id", dataset)
            self.announce("dataset")
            self.dataset = dataset

    @rule(numbers=NUMBERS)
    def flush(self, numbers: list[int]) -> None:
        """What Redis held is gone; it is announced as a change of every key."""
        with self.looked_at(numbers):
            self.worker.redis.flushall()
            self.worker.line.news.append(None)
            self.revoked.clear()
            self.not_before.clear()
            self.status = dict.fromkeys(CLIENTS, "gone")
            self.dataset = "none"

    @rule(numbers=NUMBERS)
    def restore(self, numbers: list[int]) -> None:
        """All that was lost or spoilt is put right by hand."""
        with self.looked_at(numbers):
            self.worker.redis.hset("dataset", "id", DATASET)
            self.dataset = DATASET
            for client_id in CLIENTS:
                self.worker.put_client(client_id)
                self.status[client_id] = "active"
            for key in ("dataset", *(f"client:{client_id}" for client_id in CLIENTS)):
                self.announce(key)

    @rule(is_up=st.booleans())
    def cut(self, is_up: bool) -> None:
        """While the line is cut nothing is announced; a new line says that all may have changed."""
        if is_up and not self.worker.line.is_up:
            self.worker.line.news.append(Loss(self.worker.line.known_until))
        self.worker.line.is_up = is_up
        self.worker.line.known_until = self.worker.monotonic()

    @rule(numbers=NUMBERS, age_s=st.integers(0, 2 * WITHIN_S))
    def lose(self, numbers: list[int], age_s: int) -> None:
        """Redis is gone: what may be recalled is what was so then, and for so long only."""
        line = self.worker.line
        if line.is_up:
            line.lose(self.worker.monotonic())
            self.worker.monotonic.now += age_s
            for number in numbers:
                found = self.worker.recalled("Bearer " + self.tokens[number], WITHIN_S)
                assert found in {self.expected(number), "store_unavailable"}
                assert found == "store_unavailable" or age_s <= WITHIN_S
            line.is_there, line.known_until = True, self.worker.monotonic()

    @rule(numbers=NUMBERS, seconds=st.sampled_from([-LIFE_S, -100, 1, 100, 899, LIFE_S]))
    def pass_time(self, numbers: list[int], seconds: int) -> None:
        """Forward or, by a correction, back."""
        with self.looked_at(numbers):
            self.worker.clock.now = max(NOW + 100, self.worker.clock.now + seconds)
            self.worker.monotonic.now += abs(seconds)

    @rule(client_id=CLIENT)
    def register(self, client_id: str) -> None:
        """A mint looks at the client as it now stands."""
        holder, world = self.worker.memory.registration(client_id)
        status = self.status[client_id]
        assert (status != "gone") == (holder.client is not None)
        if holder.client:
            assert (status == "active") == holder.client.is_active
        assert self.dataset in {world.dataset_id, "none"}

    @invariant()
    def is_bounded(self) -> None:
        """As many jtis as spellings as places, each the same token; few clients."""
        kept = vars(self.worker.memory)
        tokens = kept["_tokens"]
        by_spelling = {id(token) for token in tokens.by_spelling.values()}
        assert by_spelling == {id(token) for token in tokens.by_jti.values()}
        assert by_spelling == {id(token) for token in vars(tokens)["_queue"]}
        assert len(by_spelling) == len(vars(tokens)["_queue"]) == vars(tokens)["_taken"]
        assert len(tokens) <= MOST_TOKENS
        assert all(spelling == token.spelling for spelling, token in tokens.by_spelling.items())
        assert all(jti == token.claims.jti for jti, token in tokens.by_jti.items())
        assert len(clients_of(kept["_facts"])) <= MOST_CLIENTS


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=120, stateful_step_count=40)
