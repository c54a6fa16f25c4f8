"""A Redis that lost its data gets a new identity, and all workers agree on it."""

import logging
import re
import threading
from typing import Any

import pytest

import redis
from app.errors import StoreUnavailable
from app.store import Store
from tests.service import DATASET, Clock
from tests.store.conftest import Backend


def dataset_id(store: Store) -> str:
    world = store.learn(world=True).world
    assert world
    return world.dataset_id


def test_empty_redis_begins_a_data_set(backend: Backend) -> None:
    """Eight hex digits and the time of birth; nobody else has to do anything."""
    begun = dataset_id(backend.store)
    assert re.fullmatch("[0-9a-f]{8}", begun)
    assert {"id": begun, "birth_s": "4000000000"} == backend.redis.hgetall("dataset")
    assert -1 == backend.ends_at("dataset")


def test_data_set_is_begun_once(backend: Backend) -> None:
    """Its id holds for every later question, from any worker."""
    begun = dataset_id(backend.store)
    other = Store(backend.new_line(), clock=Clock(1.0))
    assert [begun, begun, begun] == [dataset_id(one) for one in (backend.store, other, other)]
    assert "4000000000" == backend.redis.hget("dataset", "birth_s")


def test_lost_data_is_another_data_set(backend: Backend) -> None:
    """So tokens of the former one, whose revocations are lost, are known as such."""
    former = dataset_id(backend.store)
    backend.redis.flushall()
    assert former != dataset_id(backend.store)


def test_data_set_without_an_id_is_a_lost_one(backend: Backend) -> None:
    """Removed by hand, or emptied by hand."""
    for field in ("birth_s", "id"):
        backend.redis.delete("dataset")
        backend.redis.hset("dataset", field, "")
        assert re.fullmatch("[0-9a-f]{8}", dataset_id(backend.store))
        assert "4000000000" == backend.redis.hget("dataset", "birth_s")


def test_data_set_that_is_there_stays(backend: Backend) -> None:
    """A proposal changes nothing then."""
    backend.redis.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    assert DATASET == dataset_id(backend.store)
    assert DATASET == backend.eval("dataset", ["dataset"], "ffffffff", 9)
    assert {"id": DATASET, "birth_s": "1"} == backend.redis.hgetall("dataset")


def test_workers_that_begin_at_once_agree(backend: Backend) -> None:
    """Twenty workers find an empty Redis in the same moment: one id for all of them."""
    found: list[str] = []
    barrier = threading.Barrier(20)

    def begin(store: Store) -> None:
        store.ping()
        barrier.wait()
        found.append(dataset_id(store))

    workers = [Store(backend.new_line(), clock=Clock()) for _ in range(20)]
    threads = [threading.Thread(target=begin, args=(store,)) for store in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (20, 1) == (len(found), len(set(found)))


def test_data_set_that_is_being_restored_is_none(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is decided, and no other data set begins, until the restore ends; one line tells."""
    backend.redis.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    assert "OK" == backend.eval("restore_begin", ["dataset"], "eeeeeeee", 8)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                dataset_id(backend.store)
    assert 1 == len(caplog.records)
    assert {"restoring": "eeeeeeee", "since_s": "8"} == backend.redis.hgetall("dataset")
    with pytest.raises(StoreUnavailable):
        backend.store.check_restored()
    assert "OK" == backend.eval("restore_end", ["dataset"], "eeeeeeee", 9)
    assert "eeeeeeee" == dataset_id(backend.store)
    assert {"id": "eeeeeeee", "birth_s": "9"} == backend.redis.hgetall("dataset")
    backend.store.check_restored()


def test_restore_that_lost_its_mark_begins_nothing(backend: Backend) -> None:
    """The data was lost meanwhile, or another restore has begun: what is there is not its own."""
    states: list[Any] = [{}, {"id": DATASET}, {"restoring": "ffffffff"}]
    for present in states:
        backend.redis.delete("dataset")
        if present:
            backend.redis.hset("dataset", mapping=present)
        with pytest.raises(redis.ResponseError, match="GONE"):
            backend.eval("restore_end", ["dataset"], "eeeeeeee", 9)
        assert present == backend.redis.hgetall("dataset")


@pytest.mark.parametrize("name", ["restore_begin", "restore_end"])
@pytest.mark.parametrize("arguments", [[], ["eeeeeeee"], ["eeeeeeee", "now"], ["EEEEEEEE", "x"]])
def test_restore_mark_that_cannot_be_stored_is_refused(
    backend: Backend, name: str, arguments: list[str]
) -> None:
    """The data set is as it was."""
    backend.redis.hset("dataset", "id", DATASET)
    with pytest.raises(redis.ResponseError, match="INVALID"):
        backend.eval(name, ["dataset"], *arguments)
    assert {"id": DATASET} == backend.redis.hgetall("dataset")
