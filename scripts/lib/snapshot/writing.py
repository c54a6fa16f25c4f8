"""Rows into Postgres: each kind of a snapshot into a table of its own, then made a partition."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from .postgres import Connection
from .progress import Progress
from .reading import Row

COLUMNS = {
    "clients": ("client_id", "fields", "last_used"),
    "revocations": ("jti", "reason", "expires_at_s"),
    "not_befores": ("subject", "mark", "expires_at_s"),
}
"""Of each partitioned table, besides snapshot_id. The first is what a row is known by."""


def part_of(table: str, snapshot_id: int) -> sql.Identifier:
    """Return the name of a snapshot's partition."""
    return sql.Identifier("portcullis", f"{table}_{snapshot_id}")


def fill(
    connection: Connection,
    snapshot_id: int,
    table: str,
    batches: Iterator[list[Row]],
    progress: Progress,
) -> int:
    """Write the rows of one kind; return how many there are.

    A SCAN may yield a key twice: the later row stays.
    """
    part, parent = part_of(table, snapshot_id), sql.Identifier("portcullis", table)
    named = {"part": part, "parent": parent, "id": sql.Literal(snapshot_id)}
    connection.execute(
        sql.SQL("CREATE TABLE {part} (LIKE {parent} INCLUDING DEFAULTS)").format(**named)
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, ("snapshot_id", *COLUMNS[table])))
    copied = 0
    # FREEZE: nobody else sees this table before it is whole.
    copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FREEZE)").format(part, columns)
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        for rows in batches:
            for row in rows:
                copy.write_row((snapshot_id, *row))
            copied += len(rows)
            progress.at(table, copied)
    key = sql.Identifier(COLUMNS[table][0])
    doubles = sql.SQL(
        "DELETE FROM {part} WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER"
        " (PARTITION BY {key} ORDER BY ctid DESC) AS nth FROM {part}) AS ranked WHERE nth > 1)"
    )
    copied -= connection.execute(doubles.format(part=part, key=key)).rowcount
    attach = sql.SQL("ALTER TABLE {parent} ATTACH PARTITION {part} FOR VALUES IN ({id})")
    connection.execute(attach.format(**named))
    progress.at(table, copied, is_done=True)
    return copied


def drop(connection: Connection, snapshot_ids: list[int]) -> None:
    """Remove snapshots, within the caller's transaction."""
    for one in snapshot_ids:
        for table in COLUMNS:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(part_of(table, one)))
    connection.execute("DELETE FROM portcullis.snapshots WHERE id = ANY(%s)", (snapshot_ids,))
