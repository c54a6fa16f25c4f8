"""A Redis that lost its data gets a new identity, and all workers agree on it."""

import re
import threading

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
