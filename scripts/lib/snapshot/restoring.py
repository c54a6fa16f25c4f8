"""scripts/restore: a snapshot into an empty Redis, as the beginning of a new data set."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Sequence

from doctor.places import setting

from . import catalogue, filling, postgres, redis_access
from .catalogue import Snapshot
from .outcome import Arguments, Failed, Refused, complain, first_line, run
from .progress import Progress, peak_memory_mb
from .redis_access import Access

DESCRIPTION = """\
Fills an empty Redis from the newest snapshot: clients with their secrets, routes, revocations that
still have something to refuse, not-befores. It begins a new data set and raises the global
not-before, so every token that was issued until now is dead: clients mint again.

From its first write to its last the gateway answers 503. One that was cut short leaves it so; run
it again. DATABASE_URL (or the one in $RUN_DIR/app.env) says which database; Redis is found by
REDIS_URL or REDIS_SOCKET, else by the stack under RUN_DIR."""
EPILOG = "Exit status: 0 done, 1 not possible now, 2 asked wrongly and nothing changed."


def main(words: Sequence[str]) -> int:
    options = _options(words)
    with postgres.connect() as connection:
        if options.list:
            catalogue.print_list(connection, as_json=options.json)
            return 0
        postgres.lock(connection)
        if postgres.version(connection):
            postgres.migrate(connection)
        snapshot = catalogue.find(catalogue.all_of(connection), options.at)
        access = redis_access.connect()
        is_cut_short = access.do(("HGET", "dataset", "restoring"))[0] is not None
        found = "" if is_cut_short else filling.first_key(access)
        if options.dry_run:
            live = filling.live_revocations(connection, snapshot, access.now_s())
            _tell_what_would_be(access, snapshot, live, found, options)
            return 0
        if found:
            _insist(access, snapshot, found, options)
        progress = Progress(is_silent=options.json)
        written = restore(connection, access, snapshot, progress)
        progress.clear()
        _report(snapshot, written, progress, options)
        return 0 if _leave_notes(access, snapshot) else 1


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = Arguments("restore", DESCRIPTION, EPILOG)
    parser.add_argument("--list", action="store_true", help="list the snapshots; restore none")
    parser.add_argument(
        "--at",
        metavar="ID|TIME",
        help="this snapshot, or the last one taken by a time: 2026-11-21 (all of that day),"
        " 2026-11-21T08:30Z; without a zone it is UTC",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also into a Redis that is in use: its clients and routes are replaced, those that"
        " the snapshot does not have are gone; its revocations, not-befores and audit stay",
    )
    parser.add_argument("--yes", action="store_true", help="with --force: ask nobody")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args(words)


def _insist(access: Access, snapshot: Snapshot, found: str, options: argparse.Namespace) -> None:
    """Go on only if somebody means it; raise Refused or Failed."""
    in_use = f"Redis at {access.place} is in use (it has {found[:80]})"
    if not options.force:
        raise Refused(f"{in_use}: --force replaces its clients and routes")
    if options.yes or not sys.stdin.isatty():
        return
    question = f"{in_use}. Replace its clients and routes by {snapshot}, and kill every token?"
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failed("nothing changed")


def restore(
    connection: postgres.Connection, access: Access, snapshot: Snapshot, progress: Progress
) -> dict[str, int]:
    """Fill Redis; return how many of each kind were written.

    The old data set goes first and the new one comes last: in between nothing is accepted and
    nothing minted (redis/dataset.lua), whenever this process is killed.
    """
    dataset_id, layout = secrets.token_hex(4), access.layout()
    access.eval("restore_begin", "dataset", dataset_id, access.now_s())
    try:
        filling.clear(access, progress)
        written = filling.fill(connection, access, snapshot, progress)
        if access.layout() != layout:
            raise Failed("Redis changed hands meanwhile")
        access.eval("not_before", "notbefore:*")
        access.eval("restore_end", "dataset", dataset_id, access.now_s())
    except (Exception, KeyboardInterrupt) as error:
        shut = "the gateway answers 503 until a restore has ended"
        raise Failed(f"cut short, {shut}: {first_line(error)}") from error
    return written


def _leave_notes(access: Access, snapshot: Snapshot) -> bool:
    """Tell the service which snapshot it has, and the audit who brought it back."""
    who = "".join(char if " " <= char <= "~" else "?" for char in os.environ.get("USER", "root"))
    longest = setting("AUDIT_MAX_ENTRIES", "app.env") or "100000"
    entry = ("event", "restore", "who", f"ops:{who[:128]}", "detail", str(snapshot), "from", "cli")
    try:
        access.do(catalogue.note(snapshot), ("XADD", "audit", "MAXLEN", "~", longest, "*", *entry))
    except Failed as error:
        complain("restore", f"done, but not all notes of it were written: {first_line(error)}")
        return False
    return True


def _tell_what_would_be(
    access: Access, snapshot: Snapshot, live: int, found: str, options: argparse.Namespace
) -> None:
    if options.json:
        document = {**snapshot.document(), "live_revocations": live, "needs_force": bool(found)}
        print(json.dumps({"is_dry_run": True, **document}, indent=2))
        return
    force = f"; Redis is in use (it has {found[:80]}), so that needs --force" if found else ""
    print(
        f"would restore {snapshot} into Redis at {access.place}: {snapshot.clients:,} clients,"
        f" {live:,} of {snapshot.revocations:,} revocations, {snapshot.not_befores:,}"
        f" not-befores, {len(snapshot.routes):,} routes{force}"
    )


def _report(
    snapshot: Snapshot, written: dict[str, int], progress: Progress, options: argparse.Namespace
) -> None:
    took_s, peak_mb = progress.elapsed_s(), peak_memory_mb()
    if options.json:
        document = {"id": snapshot.id, "taken_at": catalogue.iso(snapshot.taken_at), **written}
        more = {"routes": len(snapshot.routes), "took_s": round(took_s, 3)}
        print(json.dumps({**document, **more, "peak_memory_mb": peak_mb}, indent=2))
        return
    print(
        f"restored {snapshot}: {written['clients']:,} clients, {written['revocations']:,}"
        f" revocations, {written['not_befores']:,} not-befores, {len(snapshot.routes):,} routes"
        f" in {took_s:.1f} s, {peak_mb} MB. Tokens issued until now are dead: clients mint again."
    )


if __name__ == "__main__":
    sys.exit(run("restore", main, sys.argv[1:]))
