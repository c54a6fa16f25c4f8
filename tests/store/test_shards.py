"""What a shard of a cluster has lost ends the data set, or is made good."""

from pathlib import Path
from typing import Any

import fakeredis
import pytest

from app.errors import StoreUnavailable
from app.shard_tides import ShardTides, key_of
from app.shards import Shards
from app.slots import slot_of
from app.wire import Command
from tests.fake_line import AskingLine
from tests.service import DATASET

OWNERS = ("here",) * 16_384


@pytest.fixture
def redis() -> Any:
    connection = fakeredis.FakeRedis(decode_responses=True)
    connection.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    return connection


@pytest.fixture
def shards(redis: Any) -> Shards:
    """They have been proven: the data set is known, and its marks are there."""
    shards = Shards(AskingLine(redis).ask, None)
    shards.prove({"here"}, OWNERS)
    return shards


def test_all_slots_lie_near_a_mark(redis: Any, shards: Shards) -> None:
    """A hundred side by side have one, so that who owns them cannot lose them unnoticed."""
    assert shards is not None
    marked = sorted(slot_of(key) for key in redis.keys("mark:*"))
    gaps = [later - one for one, later in zip([-1, *marked], [*marked, 16_384], strict=True)]
    assert max(gaps) <= 100


def test_mark_that_is_gone_ends_the_data_set(redis: Any, shards: Shards) -> None:
    """One of many, and once only."""
    redis.delete("mark:{7}")
    shards.prove({"here"}, OWNERS)
    ended = redis.hget("dataset", "id")
    assert DATASET != ended
    shards.prove({"here"}, OWNERS)
    assert ended == redis.hget("dataset", "id")


@pytest.mark.parametrize("missing", [None, {"client:demo"}, {"notbefore:*"}, {"dataset"}])
def test_what_cannot_be_made_again_ends_the_data_set(
    redis: Any, shards: Shards, missing: set[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """What the change was is not known any more: a kill, a new secret, a scope taken away."""
    shards.make_good(missing)
    assert f"may lack a change of {''.join(missing or {'anything'})}" in caplog.text
    assert DATASET != redis.hget("dataset", "id")


def test_what_can_be_made_again_is(redis: Any, shards: Shards) -> None:
    """A revocation, a spending; not of tokens that are dead with their data set."""
    redis.set(f"ott:{DATASET}.once", "1")
    shards.make_good({f"revoked:{DATASET}.a", "revoked:0.b", f"ott:{DATASET}.once", "routes"})
    assert "again" == redis.get(f"revoked:{DATASET}.a")
    assert 86_400 < redis.ttl(f"revoked:{DATASET}.a")
    assert [0, 0] == [redis.exists(key) for key in ("revoked:0.b", f"ott:{DATASET}.once")]
    assert DATASET == redis.hget("dataset", "id")


def test_lost_change_of_the_routes_is_told(
    shards: Shards, caplog: pytest.LogCaptureFixture
) -> None:
    """It brings no token back, but somebody must look."""
    shards.make_good({"routes"})
    assert "look through them" in caplog.text


def test_shard_without_its_confirmed_mark_ends_the_data_set(redis: Any, tmp_path: Path) -> None:
    """The files of an hour ago: what the gateway remembers of it is more."""
    ask = AskingLine(redis).ask
    tide = ShardTides(tmp_path)
    shards = Shards(ask, tide)
    shards.prove({"here"}, OWNERS)
    shards.saw("here", OWNERS)
    tide.raise_marks(ask)
    shards.prove({"here"}, OWNERS)
    assert DATASET == redis.hget("dataset", "id")
    for key in redis.keys("tide:*"):
        redis.delete(key)
    Shards(ask, ShardTides(tmp_path)).prove({"here"}, OWNERS)
    assert DATASET != redis.hget("dataset", "id")


def test_shard_that_cannot_confirm_keeps_no_other_back(redis: Any, tmp_path: Path) -> None:
    """And is asked again the next time."""
    ask, down = AskingLine(redis).ask, {key_of(1)}

    def asked(*commands: Command) -> list[Any]:
        if down & {key for command in commands for key in command}:
            raise StoreUnavailable("down")
        return ask(*commands)

    tide = ShardTides(tmp_path)
    for number in (1, 2):
        tide.saw(number)
    with pytest.raises(StoreUnavailable):
        tide.raise_marks(asked)
    assert [0, 1] == [redis.exists(key_of(number)) for number in (1, 2)]
    down.clear()
    tide.raise_marks(asked)
    assert [1, 1] == [redis.exists(key_of(number)) for number in (1, 2)]
    assert ["1", "1"] == [value for n in (1, 2) for value in redis.hvals(key_of(n))]
