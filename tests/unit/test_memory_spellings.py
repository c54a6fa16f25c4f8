"""One token can be written in several ways: only what was verified is warm, and all die at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forgery import decode, encode, respelled
from tests.service import DATASET, add_key
from tests.unit.worker import Worker

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY = f"revoked:{DATASET}.a"


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    """An ES256 key signs."""
    add_key(keys_dir, "es", "ES256", 1)
    return Worker(keys_dir)


def malleated(header: str) -> str:
    """Return the same token with the other signature that is good for it: (r, n - s)."""
    signed, _, signature = header.rpartition(".")
    raw = decode(signature)
    s = P256_ORDER - int.from_bytes(raw[32:], "big")
    return f"{signed}.{encode(raw[:32] + s.to_bytes(32, 'big'))}"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "the other signature": malleated,
    "bearer": lambda header: header.replace("Bearer", "bearer"),
    "BEARER": lambda header: header.replace("Bearer", "BEARER"),
    "two spaces": lambda header: header.replace(" ", "  "),
    "a space behind": lambda header: header + " ",
    "the other signature and bearer": lambda header: malleated(header).replace("B", "b", 1),
}
EACH = pytest.mark.parametrize("name", SPELLINGS)


@EACH
def test_other_spelling_is_good_but_never_found_warm(worker: Worker, name: str) -> None:
    """It is verified and asked about like any token that was never seen."""
    token = worker.token()
    other = SPELLINGS[name](token)
    assert other != token
    worker.reason(token)
    assert [[f"EXISTS {KEY}"], []] == [list(worker.asked(other)) for _ in range(2)]


@EACH
def test_revocation_kills_every_spelling(worker: Worker, name: str) -> None:
    """Whichever of them was warm when it was announced, or came last."""
    token = worker.token()
    both = [token, SPELLINGS[name](token)]
    for first, second in (both, both[::-1]):
        worker.redis.delete(KEY)
        worker.line.announce(KEY)
        assert ["ok", "ok"] == [worker.reason(first), worker.reason(second)]
        worker.line.announce(worker.revoke())
        assert ["revoked"] * 4 == [worker.reason(one) for one in (second, first, second, first)]


def test_spellings_take_one_place_together(worker: Worker) -> None:
    """However often they take turns, one is kept, and the others are not found by its jti."""
    token = worker.token()
    bystander = worker.token("bystander")
    worker.reason(bystander)
    spellings = [token, *(spell(token) for spell in SPELLINGS.values())]
    tokens = vars(worker.memory)["_tokens"]
    for spelling in spellings * 40:
        assert "ok" == worker.reason(spelling)
        assert {bystander, spelling} == set(tokens.by_spelling)
        assert {spelling, bystander} == {one.spelling for one in tokens.by_jti.values()}
    assert [] == worker.asked(bystander)


def test_spelling_that_is_refused_leaves_the_good_one_warm(worker: Worker) -> None:
    """Whoever sends forgeries of a token does not slow down its owner."""
    token = worker.token()
    worker.reason(token)
    forged = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    assert "bad_signature" == worker.reason(forged)
    assert [] == worker.asked(token)


def test_part_of_a_warm_token_is_no_token(worker: Worker) -> None:
    """No beginning of it, whatever its length."""
    token = worker.token()
    worker.reason(token)
    for length in range(len(token)):
        assert worker.reason(token[:length]) in {"no_token", "malformed", "bad_signature"}


def test_warm_token_with_unused_bits_set_is_no_token(worker: Worker) -> None:
    """base64url has several spellings of the same bytes; one is canonical."""
    token = worker.token()
    worker.reason(token)
    others = [f"Bearer {other}" for other in respelled(token.removeprefix("Bearer "))]
    assert others
    assert {worker.reason(other) for other in others} <= {"malformed", "bad_signature"}


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_warm_token_with_one_character_altered_is_refused(worker: Worker, place: float) -> None:
    """In the header, the claims or the signature."""
    token = worker.token()
    worker.reason(token)
    at = int(len(token) * place)
    altered = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert "ok" != worker.reason(altered)
    assert [] == worker.asked(token)
