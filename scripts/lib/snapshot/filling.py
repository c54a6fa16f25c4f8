"""A snapshot back into Redis: what each step writes. restoring.py says in which order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from .catalogue import Snapshot
from .outcome import Failed
from .postgres import Connection
from .progress import Progress
from .records import from_json, mark_s
from .redis_access import Access, Command
from .writing import COLUMNS, part_of

_BATCH = 500
_USED_TTL_S = 365 * 86_400
_LONGEST_TOKEN_S = 86_400 + 60
"""No token is taken after that, leeway included: the end of what somebody wrote without one."""

Row = tuple[Any, ...]

# Cleared before a restore, whoever wrote it. Revocations and not-befores only ever refuse, so they
# stay; one-time tokens, rates and the audit mean nothing to the new data set, or are history.
_REPLACED = ("client:", "used:")
_CONTENT = (*_REPLACED, "revoked:", "notbefore:", "ott:", "spent:")


def first_key(access: Access) -> str:
    """Return some key that makes this Redis one that is in use; "" when there is none."""
    for keys in access.scan(""):
        for key in keys:
            name = key.decode("utf-8", "replace")
            if name == "routes" or (name.startswith(_CONTENT) and name != "notbefore:*"):
                return name
    return ""


def clear(access: Access, progress: Progress) -> None:
    """Remove clients, last uses and routes."""
    access.do(("UNLINK", "routes"))
    removed = 0
    for prefix in _REPLACED:
        for keys in access.scan(prefix):
            access.do(*(("UNLINK", key) for key in keys))
            removed += len(keys)
            progress.at("cleared", removed)


def fill(
    connection: Connection, access: Access, snapshot: Snapshot, progress: Progress
) -> dict[str, int]:
    """Write all of a snapshot; return how many of each kind. What only refuses comes first."""
    now_s = access.now_s()
    written = {
        "not_befores": _raise_not_befores(connection, access, snapshot, now_s, progress),
        "revocations": 0,
        "clients": 0,
    }
    for rows in _rows(connection, "revocations", snapshot):
        live = [row for row in rows if row[2] is None or int(row[2]) > now_s]
        access.do(*(_revocation(jti, reason, ends_s, now_s) for jti, reason, ends_s in live))
        written["revocations"] += len(live)
        progress.at("revocations", written["revocations"])
    if snapshot.routes:
        routes = [_bytes(part) for pair in snapshot.routes.items() for part in pair]
        access.do(("HSET", "routes", *routes))
    for rows in _rows(connection, "clients", snapshot):
        access.do(*(command for row in rows for command in _client(*row)))
        written["clients"] += len(rows)
        progress.at("clients", written["clients"])
    for stage, count in written.items():
        progress.at(stage, count, is_done=True)
    return written


def live_revocations(connection: Connection, snapshot: Snapshot, now_s: int) -> int:
    """Return how many revocations of a snapshot still have something to refuse."""
    part = part_of("revocations", snapshot.id)
    query = sql.SQL("SELECT count(*) FROM {} WHERE coalesce(expires_at_s, %s) >= %s")
    row = connection.execute(query.format(part), (now_s + 1, now_s + 1)).fetchone()
    return int(row[0]) if row else 0


def _rows(connection: Connection, table: str, snapshot: Snapshot) -> Iterator[list[Row]]:
    """Yield a snapshot's rows of one kind in batches; raise Failed unless all are there."""
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table]))
    copy_out = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
        columns, part_of(table, snapshot.id)
    )
    batch: list[Row] = []
    count = 0
    with connection.cursor() as cursor, cursor.copy(copy_out) as copy:
        for row in copy.rows():
            batch.append(row)
            count += 1
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch
    if count != getattr(snapshot, table):
        raise Failed(f"{snapshot} should have {getattr(snapshot, table)} {table}, not {count}")


def _raise_not_befores(
    connection: Connection, access: Access, snapshot: Snapshot, now_s: int, progress: Progress
) -> int:
    """Put not-befores back; one in Redis that is later, or cannot be read, stays."""
    written = 0
    for rows in _rows(connection, "not_befores", snapshot):
        live = [row for row in rows if row[2] is None or int(row[2]) > now_s]
        present = access.do(*(("GET", f"notbefore:{subject}") for subject, _, _ in live))
        access.do(
            *(
                ("SET", f"notbefore:{subject}", mark, "EXAT", ends_s or now_s + _LONGEST_TOKEN_S)
                for (subject, mark, ends_s), other in zip(live, present, strict=True)
                if mark_s(mark) > mark_s(other)
            )
        )
        written += len(live)
        progress.at("not_befores", written)
    return written


def _revocation(jti: str, reason: str, ends_s: str | None, now_s: int) -> Command:
    return ("SET", f"revoked:{jti}", reason, "EXAT", ends_s or now_s + _LONGEST_TOKEN_S)


def _client(client_id: str, fields: str, last_used: str) -> Iterator[Command]:
    yield ("HSET", f"client:{client_id}", *_flat(fields))
    used = _flat(last_used)
    if used:
        yield ("HSET", f"used:{client_id}", *used)
        yield ("EXPIRE", f"used:{client_id}", _USED_TTL_S)


def _flat(document: str) -> list[bytes]:
    return [part for pair in from_json(document).items() for part in pair]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
