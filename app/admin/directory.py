"""Clients and trails as Redis has them, read in bounded steps: a worker has calls to answer too."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.admin.documents import fitting
from app.admin.problems import CannotList, NoSuchClient
from app.clients import CLIENT_ID, FIELDS, Client, Secret
from app.errors import StoreUnavailable
from app.line import Command
from app.store import Connection

_STEP_S = 0.02
"""Past this much of a request, what has been found so far is the answer."""

_CLIENTS = 40
_KEYS_A_SCAN = 80
_LONGEST_SCOPES = 200
"""Characters of a client's scopes in a list; all of them are shown with the client."""

_ENTRIES_A_READ = 250
_PREFIX = "client:"
_ENTRY_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trail:
    """Entries of a stream, newest first; `next_id` is where older ones begin, None at its end."""

    entries: list[Document]
    next_id: str | None


class Directory:
    """The reading side of the dashboard."""

    def __init__(self, line: Connection, *, can_list: bool = True) -> None:
        self._line = line
        self._can_list = can_list

    def clients(self, cursor: str, part: str, now: float) -> tuple[list[Document], str]:
        """Return some clients, those with `part` in their id, and the cursor to go on with.

        Like SCAN: the cursor is "0" at the end, and a client may come twice.
        """
        if not self._can_list:
            raise CannotList
        found: list[str] = []
        deadline = time.monotonic() + _STEP_S
        while True:
            scan = ("SCAN", cursor, "MATCH", f"{_PREFIX}*{part}*", "COUNT", _KEYS_A_SCAN)
            cursor, keys = self._ask(scan)[0]
            cursor = str(cursor)
            found += [key.removeprefix(_PREFIX) for key in keys]
            if cursor == "0" or len(found) >= _CLIENTS or time.monotonic() > deadline:
                break
        client_ids = [one for one in dict.fromkeys(found) if CLIENT_ID.fullmatch(one)]
        return [_in_short(document) for document in self._read(client_ids, now)], cursor

    def client(self, client_id: str, now: float) -> Document:
        """Return one client; raise NoSuchClient."""
        for document in self._read([client_id], now):
            return document
        raise NoSuchClient

    def trail(self, stream: str, before: str, wanted: Mapping[str, str], limit: int) -> Trail:
        """Return up to `limit` entries that are older than `before` and have the wanted fields."""
        entries: list[Document] = []
        deadline = time.monotonic() + _STEP_S
        while True:
            read = ("XREVRANGE", stream, f"({before}" if before else "+", "-")
            rows = self._ask((*read, "COUNT", _ENTRIES_A_READ))[0]
            for entry_id, fields in _pairs(rows):
                if len(entries) == limit:
                    return _trail(entries, before)
                before = entry_id
                if wanted.items() <= fields.items():
                    entries.append(_entry(entry_id, fields))
            if len(rows) < _ENTRIES_A_READ:
                return _trail(entries, None)
            if time.monotonic() > deadline:
                return _trail(entries, before)

    def news(self, stream: str, after: str, wanted: Mapping[str, str], limit: int) -> Trail:
        """Return the entries that came after an id, newest first; the newest `limit` of them."""
        rows = self._ask(("XREVRANGE", stream, "+", f"({after}", "COUNT", limit))[0]
        entries = [
            _entry(entry_id, fields)
            for entry_id, fields in _pairs(rows)
            if wanted.items() <= fields.items()
        ]
        return Trail(fitting(entries), None)

    def _read(self, client_ids: list[str], now: float) -> Iterator[Document]:
        commands: list[Command] = []
        for client_id in client_ids:
            commands += [
                ("HMGET", f"{_PREFIX}{client_id}", *FIELDS),
                ("HGETALL", f"used:{client_id}"),
                ("GET", f"notbefore:{client_id}"),
            ]
        replies = self._line.ask(*commands) if commands else []
        for at, client_id in enumerate(client_ids):
            values, used, mark = replies[3 * at : 3 * at + 3]
            if isinstance(values, Exception) or any(value is not None for value in values):
                yield _document(client_id, values, used, mark, now)

    def _ask(self, *commands: Command) -> list[Any]:
        replies = self._line.ask(*commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise StoreUnavailable(str(reply))
        return replies


def _trail(entries: list[Document], next_id: str | None) -> Trail:
    kept = fitting(entries)
    return Trail(kept, next_id if len(kept) == len(entries) else kept[-1]["id"])


def is_entry_id(text: str) -> bool:
    return bool(_ENTRY_ID.fullmatch(text))


def _document(client_id: str, values: Any, used: Any, mark: Any, now: float) -> Document:
    """Return what may be shown of a client: neither the salt nor the hash of a secret."""
    if isinstance(values, Exception):
        return {"client_id": client_id, "status": "unreadable", "scopes": "", "secrets": []}
    fields = dict(zip(FIELDS, values, strict=True))
    try:
        known = {name: value for name, value in fields.items() if value is not None}
        secrets = Client.from_fields(client_id, known).secrets
    except (ValueError, KeyError):
        # The gateway cannot read it either, and refuses.
        fields["status"], secrets = "unreadable", ()
    last_used = used if isinstance(used, dict) else {}
    return {
        "client_id": client_id,
        **{name: fields[name] or "" for name in ("name", "status", "scopes", "audiences")},
        "token_endpoint_auth_method": fields["token_endpoint_auth_method"] or "",
        **{name: _number(fields[name]) for name in ("ttl_s", "rate_per_s")},
        **{name: _number(fields[name]) for name in ("created_at", "updated_at")},
        "not_before_s": _mark(mark),
        "secrets": [_secret(secret, last_used, now) for secret in secrets],
    }


def _in_short(document: Document) -> Document:
    scopes = document["scopes"]
    if len(scopes) > _LONGEST_SCOPES:
        scopes = f"{scopes[:_LONGEST_SCOPES].rpartition(' ')[0]} …"
    return {**document, "scopes": scopes, "audiences": ""}


def _secret(secret: Secret, last_used: Mapping[str, str], now: float) -> Document:
    state = "live" if secret.is_good_at(now) else "future" if now < secret.not_before_s else "ended"
    return {
        "id": secret.id,
        "state": state,
        "not_before_s": secret.not_before_s,
        "not_after_s": secret.not_after_s or None,
        "last_used_s": _number(last_used.get(secret.id)),
    }


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,12}", text) else None


def _mark(text: Any) -> float | None:
    """Whole seconds were typed by a person; a kill by script has milliseconds."""
    is_kill = isinstance(text, str) and re.fullmatch(r"[0-9]{1,12}\.[0-9]{3}", text)
    return float(text) if is_kill else _number(text)


def _pairs(rows: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for entry_id, fields in rows:
        names = iter(fields)
        yield entry_id, dict(fields if isinstance(fields, dict) else zip(names, names, strict=True))


def _entry(entry_id: str, fields: Mapping[str, str]) -> Document:
    return {"id": entry_id, "time_s": int(entry_id.partition("-")[0]) / 1000, **fields}
