"""What a memory takes: no more tokens, clients and scopes than stated, and few bytes for each.

MEMORY_TOKENS changes how many tokens pass by.
"""

import os
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from app.line import Command, News, Work
from app.memory import Memory
from app.store import Store
from app.tokens import Claims
from app.warm_tokens import WarmTokens
from tests.forgery import NOW
from tests.service import DATASET
from tests.store.feed_harness import PlainVerifier, token_of

PASSING = int(os.environ.get("MEMORY_TOKENS", "200000"))
FIELDS = {"status": "active", "scopes": "a b", "secrets": "[]"}
ANSWERS: dict[str, Any] = {"HGETALL": FIELDS, "GET": None, "HGET": DATASET, "EXISTS": 0}


class StillLine:
    """Nothing is revoked and nothing changes."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.known_until = 0.0
        self.questions = 0

    def is_current(self) -> bool:
        return True

    def lift_pause(self) -> bool:
        return False

    def take_news(self) -> list[News]:
        return []

    def feed(self) -> str:
        return "ok"

    def made(self, key: str) -> None:
        pass

    def confirm_changes(self) -> None:
        pass

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        self.questions += 1
        return [ANSWERS[str(command[0])] for command in commands]


def memory(most_tokens: int, most_clients: int = 100) -> tuple[Memory, StillLine]:
    line, verifier = StillLine(), PlainVerifier()
    plain: Any = verifier
    made = Memory(Store(line), plain, most_tokens=most_tokens, most_clients=most_clients)
    return made, line


def test_no_more_tokens_are_kept_than_stated_however_many_pass() -> None:
    """And those that are in use stay warm all along."""
    kept, line = memory(1_000)
    hot = [token_of(f"hot-{number}") for number in range(100)]
    for number in range(PASSING):
        kept.token(token_of(number), NOW)
        if number % 5 == 0:
            kept.token(hot[number // 5 % len(hot)], NOW)
    tokens = vars(kept)["_tokens"]
    assert [1_000] * 3 == [len(tokens), len(tokens.by_jti), len(vars(tokens)["_queue"])]
    assert PASSING + len(hot) == line.questions


def test_token_in_use_is_spared_among_any_number_of_strangers() -> None:
    """Second chance: as good as least recently used where it counts."""
    chance = random.Random(1)
    kept, line = memory(1_000)
    popular = [token_of(f"p{number}") for number in range(100)]
    for number in range(50_000):
        kept.token(chance.choice(popular) if number % 3 else token_of(number), NOW)
    strangers = len(range(0, 50_000, 3))
    assert line.questions - strangers < 1.05 * len(popular)


@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_long_scopes_take_more_places(most: int) -> None:
    """A set of hundreds of scopes is no small thing; one token is kept whatever its size."""
    tokens = WarmTokens(most * 10)
    scope = " ".join(f"scope:{number:03}" for number in range(65))
    for number in range(100):
        tokens.keep(f"Bearer {number}", claims(number, scope))
        assert len(tokens) <= most
    assert most == len(tokens)
    tokens.keep("Bearer short", claims("short", "a"))
    assert most == len(tokens)
    tokens.keep("Bearer huge", claims("huge", scope * 20))
    assert 1 == len(tokens) == len(tokens.by_jti)


def test_long_headers_take_more_places() -> None:
    """Spaces before a token are allowed, and cost whoever sends them nothing (RFC 6750 §2.1)."""
    tokens = WarmTokens(100)
    for number in range(500):
        tokens.keep(f"Bearer {number:8000}", claims(number, "a"))
    assert 120_000 > sum(map(len, tokens.by_spelling)) > 80_000


def test_tokens_that_come_again_in_longer_headers_make_others_leave() -> None:
    """A token keeps its place, but what is added to it counts; the last one is always kept."""
    tokens = WarmTokens(100)
    for width in (8, 8000):
        for number in range(100):
            tokens.keep(f"Bearer {number:{width}}", claims(number, "a"))
    assert 120_000 > sum(map(len, tokens.by_spelling)) > 80_000
    assert f"{DATASET}.99" in tokens.by_jti
    assert len(tokens) == len(tokens.by_jti) == len(vars(tokens)["_queue"])


def claims(name: object, scope: str) -> Claims:
    return Claims("demo", f"{DATASET}.{name}", scope, ("api",), NOW, NOW + 60, False)


def test_scopes_that_many_tokens_share_are_one_set_and_bounded() -> None:
    """As many sets as there are scopes, and no more of them than have some characters in all."""
    tokens = WarmTokens(100)
    sets = {id(tokens.keep(f"Bearer {n}", claims(n, "a b")).scopes) for n in range(100)}
    assert 1 == len(sets)
    for number in range(20_000):
        tokens.keep(f"Bearer {number}", claims(number, f"{'x' * 100} {number}"))
    remembered = vars(tokens)["_scopes"]
    assert sum(map(len, remembered)) < 600_000
    assert len(vars(tokens)["_shared"]) <= 10_000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_warm_token_takes_less_than_a_kilobyte(traced: None) -> None:
    """With a header of 447 characters, as ES256 makes them: half is that, half what it says."""
    kept, _ = memory(20_000)
    padding = " " * (447 - len(token_of("0" * 22)))
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        kept.token(token_of(f"{number:022}").replace(" ", " " + padding, 1), NOW)
    assert (tracemalloc.get_traced_memory()[0] - before) / 20_000 < 1_000
