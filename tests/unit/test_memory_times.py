"""A warm token is held against the time and the keys of each moment."""

from pathlib import Path

import pytest

from app.errors import Expired, Refused
from tests.forgery import NOW, good_header, good_payload, sign
from tests.service import DATASET, add_key
from tests.unit.worker import Worker

SOONEST_S = 0.21
"""The keyring's look at its file, the memory's look at the keyring, and what floats round off."""


@pytest.fixture(params=["ES256", "EdDSA", "RS256", "HS256"])
def worker(request: pytest.FixtureRequest, keys_dir: Path) -> Worker:
    """A key of each kind signs."""
    add_key(keys_dir, "mine", request.param, NOW - 10)
    return Worker(keys_dir)


def pass_time(worker: Worker, seconds: float) -> None:
    worker.clock.now += seconds
    worker.monotonic.now += seconds


def lines(worker: Worker) -> list[str]:
    return (worker.keys_dir / "keyring").read_text().splitlines(keepends=True)


def retire(worker: Worker, kid: str) -> None:
    kept = [line for line in lines(worker) if not line.startswith(f"{kid} ")]
    (worker.keys_dir / "keyring").write_text("".join(kept))


@pytest.mark.parametrize("leeway_s", [0, 1, 60])
def test_warm_token_is_good_until_exp_and_leeway_and_not_at_it(
    keys_dir: Path, leeway_s: int
) -> None:
    """RFC 7519 §4.1.4: on or after exp it must not be accepted."""
    worker = Worker(keys_dir, leeway_s=leeway_s)
    token = worker.token(exp=NOW + 60)
    worker.reason(token)
    end = NOW + 60 + leeway_s
    times = (NOW, end - 1, end - 0.001, end, end + 0.001, end + 10**6)
    outcomes = []
    for worker.clock.now in times:
        outcomes.append(worker.reason(token))
    assert ["ok"] * 3 + ["expired"] * 3 == outcomes


def test_expired_token_asks_nothing(keys_dir: Path) -> None:
    """What time alone refuses costs no round trip."""
    worker = Worker(keys_dir)
    token = worker.token(exp=NOW + 60)
    worker.reason(token)
    worker.clock.now = NOW + 60
    worker.line.announce(worker.revoke())
    worker.line.asked.clear()
    assert "expired" == worker.reason(token)
    assert [] == worker.line.asked


def test_clock_that_is_set_back_takes_its_tokens_as_it_finds_them(keys_dir: Path) -> None:
    """A warm token that had expired by the wrong time is good again by the right one."""
    worker = Worker(keys_dir)
    token = worker.token(exp=NOW + 60)
    worker.reason(token)
    outcomes = []
    for worker.clock.now in (NOW + 3600, NOW, NOW + 59, NOW - 30, NOW + 60):
        outcomes.append(worker.reason(token))
    assert ["expired", "ok", "ok", "ok", "expired"] == outcomes


def test_keys_are_looked_at_although_the_clock_was_set_back(worker: Worker) -> None:
    """By an hour: the next look at the keys is not put off by that."""
    token = worker.token()
    worker.reason(token)
    worker.clock.now -= 3600
    retire(worker, "mine")
    worker.monotonic.now += SOONEST_S
    assert "unknown_key" == worker.reason(token)


@pytest.mark.parametrize("phase", [0.0, 0.03, 0.5, 0.97])
@pytest.mark.parametrize("step_s", [0.01, 0.07, 0.9])
def test_warm_token_dies_soon_after_its_key_was_retired(
    keys_dir: Path, phase: float, step_s: float
) -> None:
    """Whenever in the second that is, and however often anybody looks."""
    add_key(keys_dir, "mine", "HS256", NOW - 10)
    worker = Worker(keys_dir)
    token, cold = worker.token(), (worker.token(str(number)) for number in range(10_000))
    while worker.clock.now < NOW + 2 + phase:
        assert "ok" == worker.reason(token)
        pass_time(worker, step_s)
    worker.reason(next(cold))
    retire(worker, "mine")
    retired_at = worker.clock.now
    while worker.reason(token) == "ok":
        pass_time(worker, step_s)
    assert worker.clock.now - retired_at <= SOONEST_S + step_s
    assert "unknown_key" == worker.reason(token)


def test_tokens_stay_warm_when_a_key_joins(worker: Worker) -> None:
    """A rotation does not make a worker verify a hundred thousand tokens again."""
    tokens = [worker.token(str(number)) for number in range(5)]
    for token in tokens:
        worker.reason(token)
    add_key(worker.keys_dir, "next", "ES256", NOW + 600)
    pass_time(worker, SOONEST_S)
    assert [[]] * 5 == [list(worker.asked(token)) for token in tokens]


def test_tokens_of_other_keys_outlive_a_retired_one(worker: Worker) -> None:
    """They are verified again, and are warm again."""
    mine = worker.token("mine")
    ring = worker.memory._verifier.ring()  # noqa: SLF001 - to sign by a key that signs no more
    old = ring.find("a", NOW)
    payload = good_payload(jti=f"{DATASET}.other")
    other = "Bearer " + sign(old, good_header(old), payload)
    assert ["ok", "ok"] == [worker.reason(token) for token in (mine, other)]
    retire(worker, "mine")
    pass_time(worker, SOONEST_S)
    assert ["unknown_key", "ok"] == [worker.reason(token) for token in (mine, other)]
    assert [] == worker.asked(other)


def test_key_of_the_same_name_is_another_key(worker: Worker) -> None:
    """Tokens of a key that was made anew under its old kid are not taken for the new one's."""
    token = worker.token()
    worker.reason(token)
    alg = worker.key.alg
    for path in worker.keys_dir.glob("mine.*"):
        path.unlink()
    retire(worker, "mine")
    add_key(worker.keys_dir, "mine", alg, NOW - 10)
    pass_time(worker, SOONEST_S)
    assert "bad_signature" == worker.reason(token)


def test_keyring_that_is_only_touched_changes_nothing(worker: Worker) -> None:
    """Comments and order are not keys."""
    token = worker.token()
    worker.reason(token)
    (worker.keys_dir / "keyring").write_text("# again\n" + "".join(reversed(lines(worker))))
    pass_time(worker, SOONEST_S)
    assert [] == worker.asked(token)


def test_claims_of_a_warm_token_end_with_it(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What /revoke and /introspect ask: no second verification, and none the wiser after exp."""
    token = worker.token(exp=NOW + 60)
    text = token.removeprefix("Bearer ")
    cold = worker.memory.claims(text, NOW)
    assert "ok" == worker.reason(token)
    with monkeypatch.context() as patch:
        patch.setattr("app.verifier.verify", lambda *_, **__: pytest.fail("verified again"))
        assert cold == worker.memory.claims(text, NOW + 59)
        with pytest.raises(Expired):
            worker.memory.claims(text, NOW + 60)


def test_claims_are_read_only_from_the_spelling_that_was_verified(worker: Worker) -> None:
    """A warm token's neighbour is looked at like a stranger."""
    token = worker.token()
    assert "ok" == worker.reason(token)
    with pytest.raises(Refused):
        worker.memory.claims(token.removeprefix("Bearer ") + "A", NOW)
