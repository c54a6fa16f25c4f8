"""Redis into rows, batch by batch. Each record is read at one moment, not all at the same one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import redis

from .outcome import Failed
from .records import CLIENT_ID, JTI, SUBJECT, shown, to_json
from .redis_access import Access, Command

Row = tuple[Any, ...]
_NEVER, _GONE = -1, -2
"""What EXPIRETIME says of a key without an end, and of none."""


class Reader:
    """Walks over Redis. `left_out` counts keys that no script makes and no request can use."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.left_out = 0

    def dataset_id(self) -> str:
        """Return the id of the data set, "" when none has begun; raise Failed during a restore."""
        found, restoring = self._access.do(
            ("HGET", "dataset", "id"), ("HGET", "dataset", "restoring")
        )
        if restoring is not None and not found:
            raise Failed("a restore into this Redis has begun and has not ended")
        return shown(found or b"")

    def routes(self) -> dict[bytes, bytes]:
        """Return the route table. The app reads it whole as well."""
        return self._hash(self._access.ask(("HGETALL", "routes"))[0])

    def clients(self) -> Iterator[list[Row]]:
        """Yield client_id, its hash, and when its secrets were last used."""
        for keys in self._access.scan("client:"):
            names = self._named(keys, CLIENT_ID)
            commands: list[Command] = []
            for name in names:
                commands += [("HGETALL", b"client:" + name), ("HGETALL", b"used:" + name)]
            replies = iter(self._access.ask(*commands))
            rows = []
            for name, fields, used in zip(names, replies, replies, strict=True):
                found, last_used = self._hash(fields), self._hash(used)
                if found:
                    rows.append((name.decode(), to_json(found), to_json(last_used)))
            yield rows

    def revocations(self) -> Iterator[list[Row]]:
        """Yield jti, reason, and when it ends, epoch seconds or None."""
        return self._strings("revoked:", JTI)

    def not_befores(self) -> Iterator[list[Row]]:
        """Yield a client's id or *, the mark, and when it ends."""
        return self._strings("notbefore:", SUBJECT)

    def _strings(self, prefix: str, form: re.Pattern[bytes]) -> Iterator[list[Row]]:
        """Yield name, value and end of each key with a prefix.

        The app asks of a revocation only whether it is there: one of another type is "".
        """
        for keys in self._access.scan(prefix):
            names = self._named(keys, form)
            commands: list[Command] = []
            for name in names:
                key = prefix.encode() + name
                commands += [("GET", key), ("EXPIRETIME", key)]
            replies = iter(self._access.ask(*commands))
            rows = []
            for name, value, ends_s in zip(names, replies, replies, strict=True):
                if value is not None and self._certain(ends_s) != _GONE:
                    text = shown(self._certain(value) or b"")
                    rows.append((name.decode(), text, None if ends_s == _NEVER else ends_s))
            yield rows

    def _named(self, keys: list[bytes], form: re.Pattern[bytes]) -> list[bytes]:
        names = [key.partition(b":")[2] for key in keys]
        known = [name for name in names if form.fullmatch(name)]
        self.left_out += len(names) - len(known)
        return known

    def _hash(self, reply: Any) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] | None = self._certain(reply)
        self.left_out += found is None
        return found or {}

    def _certain(self, reply: Any) -> Any:
        """Return a reply, None for a key of another type; raise Failed for any other error."""
        if isinstance(reply, redis.ResponseError) and str(reply).startswith("WRONGTYPE"):
            return None
        return self._access.certain(reply)
