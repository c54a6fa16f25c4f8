"""Which slot of a Redis Cluster a command belongs to, and which commands stay together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import hiredis
from redis.crc import key_slot

from app.wire import Command

_KEYLESS = frozenset(
    {
        *("PING", "ROLE", "INFO", "CLUSTER", "TIME", "DBSIZE"),
        *("MULTI", "EXEC", "SCRIPT", "WAIT", "WAITAOF", "ASKING"),
    }
)
_BEGINS = frozenset({"MULTI", "SCRIPT"})
"""What prepares for the command after it; other keyless ones belong to the command before."""


NOWHERE = -1
"""The place of an answer that nobody waits for."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unit:
    """Commands, by their places in a question, that one node must answer in one go.

    `slot` is None when none of them has a key.
    """

    slot: int | None
    places: tuple[int, ...]


def slot_of(key: str) -> int:
    """Return the slot of a key."""
    return key_slot(key.encode("utf-8", "surrogateescape"))


def key_of(command: Command) -> str | None:
    """Return the first key of a command; every command of ours has all its keys in one slot."""
    if command[0] in _KEYLESS:
        return None
    if command[0] in {"EVAL", "EVALSHA"}:
        return str(command[3]) if command[2] else None
    return str(command[1])


def units_of(commands: Sequence[Command]) -> list[Unit]:
    """Divide a question into units, in its order."""
    units: list[Unit] = []
    opened: list[int] = []
    slot: int | None = None
    is_in_transaction = False
    for place, command in enumerate(commands):
        key = key_of(command)
        if key is None and not opened and units and command[0] not in _BEGINS:
            units[-1] = Unit(units[-1].slot, (*units[-1].places, place))
            continue
        opened.append(place)
        if key is not None:
            slot = slot_of(key)
        is_in_transaction = (is_in_transaction or command[0] == "MULTI") and command[0] != "EXEC"
        if not is_in_transaction and slot is not None:
            units.append(Unit(slot, tuple(opened)))
            opened, slot = [], None
    if opened:
        units.append(Unit(slot, tuple(opened)))
    return units


def by_node(
    targets: Mapping[Unit, tuple[T, bool]], commands: Sequence[Command]
) -> dict[T, list[tuple[int, Command]]]:
    """Return what each node is asked, with the place of each answer.

    The second of a target says that the node does not own the slot yet: it must be told (ASKING).
    """
    questions: dict[T, list[tuple[int, Command]]] = {}
    for unit, (node, is_asking) in targets.items():
        placed = questions.setdefault(node, [])
        for place in unit.places:
            command = commands[place]
            if is_asking and (key_of(command) is not None or command[0] == "MULTI"):
                placed.append((NOWHERE, ("ASKING",)))
            placed.append((place, command))
    return questions


def redirection(unit: Unit, replies: Sequence[Any]) -> str | None:
    """Return the reply that sends us elsewhere, if there is one: then nothing was carried out."""
    for place in unit.places:
        reply = replies[place]
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith(("MOVED ", "ASK ")):
            return str(reply)
    return None
