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
from app.shard_tides import ShardTides
from app.slots import slot_of
from app.wire import Command

_MARKS = [(f"mark:{{{number}}}", slot_of(f"{{{number}}}")) for number in range(512)]
_AGAIN_S = 86_400 + 120
"""No token lives longer, margins included."""

_MOST_NAMED = 5
_NO_REASON_TO_END = ("revoked:", "ott:", "routes")
"""What can be made again, and what brings no token back to life."""

_ALL_MARKED = "mark:{dataset}"
"""Written last: without it, marks may be missing because nobody has written them yet."""

_DATASET = Script("dataset")

log = logging.getLogger("portcullis.shards")


class Shards:
    """The marks. `ask` is for questions to whoever owns the keys."""

    def __init__(
        self, ask: Ask, tides: ShardTides | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._ask = ask
        self._tides = tides
        self._clock = clock
        self._dataset_id: str | None = None
        self._owners: Sequence[str] = ()
        self._number_of: dict[str, int] = {}

    def saw(self, node: str, owners: Sequence[str]) -> None:
        """Note that a node has announced a change; what a replica repeats is none."""
        if self._tides is None:
            return
        if owners is not self._owners and owners != self._owners:
            self._number_of = {
                owners[slot]: number for number, (_, slot) in reversed([*enumerate(_MARKS)])
            }
            # A slot that moves takes what it holds from under one mark to another.
            for number in self._number_of.values():
                self._tides.saw(number)
        self._owners = owners
        if node in self._number_of:
            self._tides.saw(self._number_of[node])

    def prove(self, nodes: Collection[str], owners: Sequence[str]) -> None:
        """Make sure that the slots of some nodes have lost nothing of the data set.

        When they have, the data set ends and another one begins. Raises StoreUnavailable when
        that cannot be found out or done.
        """
        for _ in range(2):
            dataset_id = self._data_set_in_force()
            if dataset_id is None:
                return  # Nothing is good that could be lost.
            why = self._why_lost(dataset_id, nodes, owners)
            if why is None:
                return
            self._end(dataset_id, why)
        raise StoreUnavailable("a shard loses its data again and again")

    def make_good(self, missing: Collection[str] | None) -> None:
        """Make again what a replica may lack that has taken over; else the data set ends.

        A token revoked is revoked again, a one-time token spent is spent again. What any other
        change was, nobody knows. Call it for what has been proven otherwise.
        """
        known = self._dataset_id
        if known is None:
            return
        unknown = [key for key in missing or () if not key.startswith(_NO_REASON_TO_END)]
        if missing is None or unknown:
            named = ", ".join(sorted(unknown)[:_MOST_NAMED]) or "anything"
            self._end(known, f"a replica took over that may lack a change of {named}")
            return
        if "routes" in missing:
            log.error("a replica took over without a change of the routes: look through them")
        commands: list[Command] = []
        for key in missing:
            kind, _, jti = key.partition(":")
            # Of another data set, it is dead whatever was said about it.
            if kind != "routes" and jti.startswith(f"{known}."):
                again: Command = ("SET", key, "again", "EX", _AGAIN_S, "NX")
                commands.append(again if kind == "revoked" else ("DEL", key))
        if commands:
            _certain(self._ask(*commands))
            log.warning("a replica took over without %d changes: made again", len(commands))

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

    def _why_lost(
        self, dataset_id: str, nodes: Collection[str], owners: Sequence[str]
    ) -> str | None:
        numbers = [number for number, (_, slot) in enumerate(_MARKS) if owners[slot] in nodes]
        found = self._ask(*(("GET", _MARKS[number][0]) for number in numbers)) if numbers else []
        if not {dataset_id} >= set(_certain(found)):
            return "a shard has lost its data"
        if self._tides:
            try:
                return self._tides.why_older(dataset_id, numbers, self._ask)
            except OSError as error:
                raise StoreUnavailable(str(error)) from error
        return None

    def _end(self, dataset_id: str, why: str) -> None:
        args = (secrets.token_hex(4), int(self._clock()), dataset_id)
        in_force = _certain(_DATASET.run(self._ask, ["dataset"], args))[0]
        log.error("%s: data set %s ends, %s begins", why, dataset_id, in_force)


def _certain(replies: Sequence[Any]) -> Sequence[Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise StoreUnavailable(str(reply))
    return replies
