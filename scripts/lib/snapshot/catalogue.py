"""The snapshots that there are: found by id or time, and listed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from . import postgres
from .outcome import Refused
from .postgres import Connection
from .redis_access import Command
from .writing import COLUMNS


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One row of portcullis.snapshots. A snapshot that has a row is whole."""

    id: int
    taken_at: datetime
    took_s: float
    dataset_id: str
    clients: int
    revocations: int
    not_befores: int
    routes: dict[str, str]
    audit_entries: int
    audit_last_id: str
    audit_added: int

    def __str__(self) -> str:
        return f"snapshot {self.id} of {iso(self.taken_at)}"

    def document(self) -> dict[str, Any]:
        """Return what a program may want to know of it."""
        return {
            "id": self.id,
            "taken_at": iso(self.taken_at),
            "took_s": round(self.took_s, 3),
            "dataset_id": self.dataset_id,
            "clients": self.clients,
            "revocations": self.revocations,
            "not_befores": self.not_befores,
            "routes": len(self.routes),
            "audit_entries": self.audit_entries,
        }


_COLUMNS = [field.name for field in fields(Snapshot)]


def iso(moment: datetime) -> str:
    """Return a time as the other scripts write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def all_of(connection: Connection) -> list[Snapshot]:
    """Return all snapshots, oldest first; none when the schema is not there yet."""
    if postgres.version(connection) == 0:
        return []
    with connection.cursor(row_factory=class_row(Snapshot)) as cursor:
        query = f"SELECT {', '.join(_COLUMNS)} FROM portcullis.snapshots ORDER BY id"  # noqa: S608
        return cursor.execute(query.encode()).fetchall()


def add(connection: Connection, snapshot: Snapshot, routes: str) -> None:
    """Write a snapshot's row, which makes it one."""
    values = {name: getattr(snapshot, name) for name in _COLUMNS} | {"routes": routes}
    names = ", ".join(_COLUMNS)
    places = ", ".join(f"%({name})s" for name in _COLUMNS)
    query = f"INSERT INTO portcullis.snapshots ({names}) VALUES ({places})"  # noqa: S608
    connection.execute(query.encode(), values)


def note(snapshot: Snapshot) -> Command:
    """Return the command that tells Redis of the newest snapshot."""
    taken_s = int(snapshot.taken_at.timestamp())
    counts = ("clients", snapshot.clients, "revocations", snapshot.revocations)
    return ("HSET", "snapshot", "taken_s", taken_s, "id", snapshot.id, *counts)


def newest(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    return snapshots[-1] if snapshots else None


def find(snapshots: Sequence[Snapshot], at: str | None) -> Snapshot:
    """Return the newest snapshot, the one with an id, or the last one taken by a time."""
    if not snapshots:
        raise Refused("there is no snapshot in this database yet")
    if at is None:
        return snapshots[-1]
    if at.isascii() and at.isdigit():
        found = [one for one in snapshots if one.id == int(at)]
    else:
        until = _moment(at)
        found = [one for one in snapshots if one.taken_at <= until]
    if not found:
        raise Refused(f"there is no snapshot {at[:40]!r} (see --list)")
    return found[-1]


def _moment(text: str) -> datetime:
    """Return a time; of a date alone, its end. Without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        form = "an id, 2026-11-21 or 2026-11-21T08:30Z"
        raise Refused(f"--at must be {form}, not {text[:40]!r}") from error
    if len(text) == len("2026-11-21"):
        moment += timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def print_list(connection: Connection, *, as_json: bool) -> None:
    """Print all snapshots, oldest first, with the room that each takes."""
    snapshots = all_of(connection)
    documents = [{**one.document(), "bytes": _size(connection, one.id)} for one in snapshots]
    if as_json:
        print(json.dumps(documents, indent=2))
    elif not documents:
        print("There are no snapshots yet. Take one: scripts/snapshot")
    else:
        _print_table(documents)


_HEADINGS = {
    "id": "ID",
    "taken_at": "TAKEN",
    "clients": "CLIENTS",
    "revocations": "REVOCATIONS",
    "not_befores": "NOT-BEFORES",
    "routes": "ROUTES",
    "audit_entries": "NEW AUDIT",
    "took_s": "TOOK S",
    "bytes": "BYTES",
    "dataset_id": "DATA SET",
}


def _print_table(documents: Sequence[dict[str, Any]]) -> None:
    lines = [list(_HEADINGS.values())]
    lines += [[_cell(name, one[name]) for name in _HEADINGS] for one in documents]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    for line in lines:
        print("  ".join(map(str.ljust, line, widths)).rstrip())


def _cell(name: str, value: object) -> str:
    if isinstance(value, int) and name != "id":
        return f"{value:,}"
    return str(value or "-")


def _size(connection: Connection, snapshot_id: int) -> int:
    parts = [f"portcullis.{table}_{snapshot_id}" for table in COLUMNS]
    row = connection.execute(
        "SELECT sum(pg_total_relation_size(to_regclass(part)))::bigint"
        " FROM unnest(%s::text[]) AS part",
        (parts,),
    ).fetchone()
    return int(row[0] or 0) if row else 0
