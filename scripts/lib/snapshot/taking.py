"""scripts/snapshot: everything from Redis into Postgres, in one transaction."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from . import audit_trail, catalogue, postgres, redis_access, writing
from .audit_trail import Kept, StreamEnd
from .catalogue import Snapshot
from .outcome import Arguments, Failed, Refused, complain, first_line, run
from .postgres import Connection
from .progress import Progress, peak_memory_mb
from .pruning import Keep, outdated
from .reading import Reader
from .records import to_json
from .redis_access import Access

DESCRIPTION = """\
Writes clients, routes, live revocations, not-befores and the new audit entries into Postgres, in
one transaction: a run that fails or is killed leaves the snapshots that there are as they were.
Afterwards old snapshots are dropped; the audit trail is kept.

DATABASE_URL (or the one in $RUN_DIR/app.env) says which database; its schema `portcullis` is made
when it is missing. Redis is found by REDIS_URL or REDIS_SOCKET, else by the stack under RUN_DIR."""
EPILOG = "Exit status: 0 done, 1 not (wholly) possible now, 2 asked wrongly and nothing changed."


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that is written, and what was noticed on the way."""

    snapshot: Snapshot
    outdated: list[int]
    left_out: int
    audit: Kept


def main(words: Sequence[str]) -> int:
    options = _options(words)
    with postgres.connect() as connection:
        if options.list:
            catalogue.print_list(connection, as_json=options.json)
            return 0
        access = redis_access.connect()
        progress = Progress(is_silent=options.quiet or options.json)
        taken = take(connection, access, options, progress)
        progress.clear()
        if options.dry_run:
            connection.rollback()
        else:
            connection.commit()
        _report(taken, options)
        if options.dry_run:
            return 0
        is_told = _tell_redis(access, taken.snapshot)
        is_pruned = _prune(connection, taken)
        return 0 if is_told and is_pruned else 1


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = Arguments("snapshot", DESCRIPTION, EPILOG)
    parser.add_argument("--list", action="store_true", help="list the snapshots; take none")
    parser.add_argument(
        "--dry-run", action="store_true", help="do all of it, but for making it last"
    )
    parser.add_argument(
        "--keep",
        type=_keep,
        default=Keep(),
        metavar="DAYS,WEEKS",
        help="keep all of so many days, then the last one of each week for so many weeks; the"
        " newest always (default: 7,8)",
    )
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="take it although more than half of the clients are gone since the last one",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing unless something is amiss"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args(words)


def _keep(text: str) -> Keep:
    found = re.fullmatch(r"(\d{1,5}),(\d{1,4})", text, re.ASCII)
    if not found:
        raise Refused(f"--keep must be days and weeks, such as 7,8, not {text[:40]!r}")
    return Keep(int(found[1]), int(found[2]))


def take(
    connection: Connection, access: Access, options: argparse.Namespace, progress: Progress
) -> Taken:
    """Write a snapshot within the connection's transaction, which the caller ends.

    Clients come before not-befores: a client that is deleted meanwhile is in the snapshot, or its
    not-before is. The audit comes last: it has every change that the rest may or may not have.
    """
    postgres.lock(connection)
    postgres.migrate(connection)
    before = catalogue.newest(catalogue.all_of(connection))
    began_s = access.now_s()
    layout = access.layout()
    reader = Reader(access)
    dataset_id = reader.dataset_id()
    snapshot_id = before.id + 1 if before else 1
    counts = _fill(connection, snapshot_id, reader, progress)
    routes = to_json(reader.routes())
    is_continued = before is not None and before.dataset_id == dataset_id
    last = StreamEnd(before.audit_last_id, before.audit_added) if before and is_continued else None
    kept = audit_trail.keep(connection, access, dataset_id, last, progress)
    if (access.layout(), reader.dataset_id()) != (layout, dataset_id):
        raise Failed("Redis lost its data meanwhile, was restored, or changed hands: take it again")
    if not options.accept_loss:
        _check_nothing_lost(counts["clients"], before)
    snapshot = Snapshot(
        id=snapshot_id,
        taken_at=datetime.fromtimestamp(began_s, UTC),
        took_s=progress.elapsed_s(),
        dataset_id=dataset_id,
        routes=json.loads(routes),
        audit_entries=kept.entries,
        audit_last_id=kept.end.last_id,
        audit_added=kept.end.added,
        **counts,
    )
    catalogue.add(connection, snapshot, routes)
    return Taken(snapshot, _outdated(connection, options.keep), reader.left_out, kept)


def _fill(
    connection: Connection, snapshot_id: int, reader: Reader, progress: Progress
) -> dict[str, int]:
    """Write all rows, table after table; return how many each got."""
    sources = {
        "clients": reader.clients,
        "revocations": reader.revocations,
        "not_befores": reader.not_befores,
    }
    return {
        table: writing.fill(connection, snapshot_id, table, rows(), progress)
        for table, rows in sources.items()
    }


def _check_nothing_lost(clients: int, before: Snapshot | None) -> None:
    """Raise Failed when this would be a snapshot of a disaster, which nobody wants to restore."""
    if before and clients * 2 < before.clients:
        raise Failed(
            f"Redis has {clients:,} clients, {before} had {before.clients:,}: was its data lost?"
            " If that is meant: --accept-loss"
        )


def _outdated(connection: Connection, keep: Keep) -> list[int]:
    snapshots = catalogue.all_of(connection)
    taken = {one.id: one.taken_at for one in snapshots}
    return outdated(taken, snapshots[-1].taken_at, keep)


def _tell_redis(access: Access, snapshot: Snapshot) -> bool:
    """Leave a note of the newest snapshot for the service, which does not know Postgres."""
    try:
        access.do(catalogue.note(snapshot))
    except Failed as error:
        complain("snapshot", f"{snapshot} is written, but Redis was not told: {first_line(error)}")
        return False
    return True


def _prune(connection: Connection, taken: Taken) -> bool:
    """Drop what has had its time; the new snapshot stands whether that works or not."""
    try:
        postgres.lock(connection)
        writing.drop(connection, taken.outdated)
        connection.commit()
    except (psycopg.Error, Failed) as error:
        connection.rollback()
        complain(
            "snapshot",
            f"{taken.snapshot} is written, but old ones were not dropped: {first_line(error)}",
        )
        return False
    return True


def _report(taken: Taken, options: argparse.Namespace) -> None:
    one = taken.snapshot
    if taken.left_out:
        complain("snapshot", f"{taken.left_out} keys were left out: no request can use them")
    if not taken.audit.is_readable:
        complain("snapshot", "the key audit is no stream: no audit entries were kept")
    if taken.audit.missed:
        complain(
            "snapshot",
            f"{taken.audit.missed:,} audit entries were gone before they could be kept:"
            " raise AUDIT_MAX_ENTRIES, or take snapshots more often",
        )
    if options.json:
        more = {
            "is_dry_run": options.dry_run,
            "dropped": taken.outdated,
            "left_out": taken.left_out,
            "audit_missed": taken.audit.missed,
            "peak_memory_mb": peak_memory_mb(),
        }
        print(json.dumps({**one.document(), **more}, indent=2))
    elif not options.quiet:
        would = "would be " if options.dry_run else ""
        dropped = f"; {would}dropped: {', '.join(map(str, taken.outdated))}" * bool(taken.outdated)
        print(
            f"snapshot {one.id} {would}written: {one.clients:,} clients,"
            f" {one.revocations:,} revocations, {one.not_befores:,} not-befores,"
            f" {len(one.routes):,} routes, {one.audit_entries:,} new audit entries"
            f" in {one.took_s:.1f} s, {peak_memory_mb()} MB{dropped}"
        )


if __name__ == "__main__":
    sys.exit(run("snapshot", main, sys.argv[1:]))
