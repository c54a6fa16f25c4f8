"""The audit stream, which is capped, into the trail in Postgres, which is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from .postgres import Connection
from .progress import Progress
from .reading import Row
from .records import shown, to_json
from .redis_access import Access

_BATCH = 1000
_COLUMNS = "stream_ms, stream_seq, dataset_id, at, event, client_id, fields"


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How far the stream has come: the id of its last entry, and how many it has ever had."""

    last_id: str = "0-0"
    added: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """How far the trail goes now, what was new, and what the stream had dropped before."""

    end: StreamEnd
    entries: int = 0
    missed: int = 0
    is_readable: bool = True


def keep(
    connection: Connection,
    access: Access,
    dataset_id: str,
    last: StreamEnd | None,
    progress: Progress,
) -> Kept:
    """Add what has come since `last` of the same data set, or all, to the trail.

    An entry is the same as one that is there when its id and all of its fields are, whatever the
    data set: a new data set does not empty the stream.
    """
    before = last or StreamEnd()
    end = _stream_end(access)
    if end is None:
        return Kept(before, is_readable=False)
    connection.execute("CREATE TEMP TABLE fresh (LIKE portcullis.audit) ON COMMIT DROP")
    read = 0
    copy_in = f"COPY fresh ({_COLUMNS}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        for rows in _entries(access, before.last_id, end.last_id):
            for row in rows:
                copy.write_row((*row[:2], dataset_id, *row[2:]))
            read += len(rows)
            progress.at("audit", read)
    added = connection.execute(
        f"INSERT INTO portcullis.audit ({_COLUMNS}) SELECT {_COLUMNS} FROM fresh"  # noqa: S608
        " WHERE NOT EXISTS (SELECT FROM portcullis.audit AS known"
        " WHERE known.stream_ms = fresh.stream_ms AND known.stream_seq = fresh.stream_seq"
        " AND known.fields::text = fresh.fields::text) ON CONFLICT DO NOTHING"
    ).rowcount
    progress.at("audit", added, is_done=True)
    return Kept(end, added, max(0, end.added - before.added - read) if last else 0)


def _entries(access: Access, after_id: str, up_to_id: str) -> Iterator[list[Row]]:
    while True:
        entries: Any = access.do(("XRANGE", "audit", f"({after_id}", up_to_id, "COUNT", _BATCH))[0]
        if entries:
            yield [_row(entry_id.decode(), fields or {}) for entry_id, fields in entries]
            after_id = entries[-1][0].decode()
        if len(entries) < _BATCH:
            return


def _row(entry_id: str, fields: dict[bytes, bytes]) -> Row:
    ms, seq = (int(part) for part in entry_id.split("-"))
    event, client_id = (shown(fields.get(name, b"")) for name in (b"event", b"client_id"))
    return ms, seq, datetime.fromtimestamp(ms / 1000, UTC), event, client_id, to_json(fields)


def _stream_end(access: Access) -> StreamEnd | None:
    """Return where the stream ends now; None when the key is no stream."""
    reply = access.ask(("XINFO STREAM", "audit"))[0]
    if isinstance(reply, redis.ResponseError):
        if "no such key" in str(reply):
            return StreamEnd()
        if str(reply).startswith("WRONGTYPE"):
            return None
    reply = access.certain(reply)
    return StreamEnd(reply["last-generated-id"].decode(), int(reply["entries-added"]))
