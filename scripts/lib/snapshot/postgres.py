"""Postgres: the connection, its schema in numbered steps, and the lock that makes runs wait."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
from doctor.places import run_dir, setting

from .outcome import Failed, Refused, first_line

Connection = psycopg.Connection[tuple[Any, ...]]

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x706F7274  # "port": any number that no other program in this database uses
PATIENCE_MS = 5000
"""How long to wait for another run: one that was killed is let go of within moments."""


def connect() -> Connection:
    """Connect to DATABASE_URL. The first statement begins a transaction."""
    url = setting("DATABASE_URL", "app.env")
    if not url:
        hint = f"in the environment or in {run_dir()}/app.env"
        raise Refused(f"DATABASE_URL is not set {hint}: postgresql://user:password@host/database")
    try:
        return psycopg.connect(
            url, connect_timeout=10, client_encoding="utf8", application_name="portcullis"
        )
    except psycopg.ProgrammingError as error:
        # Not the error itself: it may quote a password.
        form = "postgresql://user:password@host:port/database"
        raise Refused(f"DATABASE_URL cannot be read: {form}") from error
    except psycopg.OperationalError as error:
        raise Failed(f"Postgres: {first_line(error)}") from error


def lock(connection: Connection) -> None:
    """Let no other snapshot or restore of this database run until the transaction ends."""
    connection.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
    try:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    except psycopg.errors.LockNotAvailable as error:
        raise Failed("another snapshot or restore of this database is at work") from error


def version(connection: Connection) -> int:
    """Return the number of the last migration that has been applied; 0 for none."""
    if _one(connection, "SELECT to_regclass('portcullis.migrations')") is None:
        return 0
    return int(_one(connection, "SELECT coalesce(max(number), 0) FROM portcullis.migrations"))


def migrate(connection: Connection) -> None:
    """Apply what is missing, within the caller's transaction, which holds the lock."""
    known = {int(path.name[:3]): path for path in sorted(_MIGRATIONS.glob("[0-9]*.sql"))}
    present = version(connection)
    if present > max(known):
        raise Failed(f"the database is of a newer version (migration {present}) than this program")
    if present == 0:
        _begin_schema(connection)
    for number, path in known.items():
        if number > present:
            # The files hold no values to bind: a % in them is a %.
            connection.execute(path.read_bytes())
            connection.execute(
                "INSERT INTO portcullis.migrations (number, name) VALUES (%s, %s)",
                (number, re.sub(r"^\d+_|\.sql$", "", path.name)),
            )


def _begin_schema(connection: Connection) -> None:
    # Not IF NOT EXISTS: that wants the right to make one even when it is there.
    if _one(connection, "SELECT to_regnamespace('portcullis')") is None:
        connection.execute("CREATE SCHEMA portcullis")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS portcullis.migrations (number int PRIMARY KEY,"
        " name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )


def _one(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
