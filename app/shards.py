"""Does each shard of a cluster still hold what it held when the data set began?

The id of the data set lies in one shard, revocations in all: a shard that is emptied would lose its
share, and nobody would notice. So each holds marks with that id, at least one in a hundred slots
that lie side by side. A mark that is gone, or of another data set, ends the data set: every token
issued before is dead.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from app.errors import StoreUnavailable
from app.lua import Ask, Script
from app.slots import slot_of
from app.wire import Command

_MARKS = [(f"mark:{{{number}}}", slot_of(f"{{{number}}}")) for number in range(512)]
_ALL_MARKED = "mark:{dataset}"
"""Written last: without it, marks may be missing because nobody has written them yet."""

_DATASET = Script("dataset")

log = logging.getLogger("portcullis.shards")


class Shards:
    """The marks. `ask` is for questions to whoever owns the keys."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._dataset_id: str | None = None

    def prove(self, nodes: Collection[str], owners: Sequence[str]) -> None:
        """Make sure that the slots of some nodes have lost nothing of the data set.

        When they have, the data set ends and another one begins. Raises StoreUnavailable when
        that cannot be found out or done.
        """
        for _ in range(2):
            dataset_id = self._data_set_in_force()
            # Without a data set, nothing is good that could be lost.
            if dataset_id is None or self._has_all(dataset_id, nodes, owners):
                return
            self._end(dataset_id, "a shard has lost its data")
        raise StoreUnavailable("a shard loses its data again and again")

    def end(self, why: str) -> None:
        """End the data set that was last seen to be in force."""
        if self._dataset_id:
            self._end(self._dataset_id, why)

    def _data_set_in_force(self) -> str | None:
        """Return its id; mark all shards first when it has just begun."""
        questions = ("HGET", "dataset", "id"), ("GET", _ALL_MARKED)
        dataset_id, marked_id = _certain(self._ask(*questions))
        if not dataset_id:
            return None
        if marked_id != dataset_id:
            # All who notice that write the same, and nobody trusts the data set before.
            _certain(self._ask(*(("SET", mark, dataset_id) for mark, _ in _MARKS)))
            _certain(self._ask(("SET", _ALL_MARKED, dataset_id)))
        self._dataset_id = str(dataset_id)
        return self._dataset_id

    def _has_all(self, dataset_id: str, nodes: Collection[str], owners: Sequence[str]) -> bool:
        questions: list[Command] = [("GET", mark) for mark, slot in _MARKS if owners[slot] in nodes]
        return not questions or {dataset_id} == set(_certain(self._ask(*questions)))

    def _end(self, dataset_id: str, why: str) -> None:
        args = (secrets.token_hex(4), int(self._clock()), dataset_id)
        in_force = _certain(_DATASET.run(self._ask, ["dataset"], args))[0]
        log.error("%s: data set %s ends, %s begins", why, dataset_id, in_force)


def _certain(replies: Sequence[Any]) -> Sequence[Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise StoreUnavailable(str(reply))
    return replies
