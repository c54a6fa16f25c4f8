"""Is the data that Redis has now all that it once had? High-water marks (guarantee 2).

An older copy put back by hand, a failover to a replica that was behind, a power cut that took the
last second: each has lost its newest changes, revocations among them. Redis writes and replicates
in one order, so a copy that has a mark has every change from before it. Soon after a change, each
gateway raises its own mark in Redis and remembers what was confirmed. A copy without the highest
confirmed mark is an older one, and not trusted for anything: its data set ends, the next one
begins, and every token from before is dead.

What a worker has seen and no mark has confirmed yet, it makes good itself when it comes to another
server: a token revoked is revoked again, a one-time token spent is spent again. Where it does not
know what the change was, of a client or a not-before, it presumes the copy to be an older one.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from app.lua import Ask, Script
from app.redis_server import Server
from app.tide_file import TideFile
from app.wire import UNKNOWN, Command, Wire

KEY = "tide:{dataset}"
_MOST_CHANGES = 10_000
_MOST_LOOKS = 3
_AGAIN_S = 86_400 + 120
"""No token lives longer, margins included (see redis/not_before.lua)."""

_NEGLECTED_S = 0.002
_HARMLESS = ("routes", "dataset")
"""Changes of these bring no token back to life."""

_MADE_AGAIN = ("revoked:", "ott:")
_NONE = "no data set"
_ENDED = (
    "redis has gone back in time: %s. Data set %s ends and %s begins: "
    "tokens issued before are dead; clients, secrets and routes are as they were"
)
_BEGIN = Script("dataset")
_RAISE = Script("tide")

log = logging.getLogger("portcullis.tide")


@dataclass(frozen=True, slots=True)
class _Change:
    server: Server
    number: int


class Tide:
    """The marks of one gateway. For the lines of one worker, and the threads that use them."""

    def __init__(self, file: TideFile, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._changes: dict[str, _Change] = {}
        self._number = 0
        self._trusted = ""  # the data set that was in force when a server was last checked here
        self._feed: tuple[Wire, Server] | None = None
        self.on_change: Callable[[], None] = lambda: None

    def follow(self, wire: Wire, server: Server) -> None:
        """Confirm what is announced on this wire, even when nobody has time to read it."""
        self._feed = wire, server

    def saw(self, names: Iterable[str], server: Server) -> None:
        """Note changes that `server` has made, until a mark has been raised after them."""
        names = [name for name in names if name not in _HARMLESS]
        if names:
            with self._lock:
                self._number += 1
                for name in names:
                    self._note(name, _Change(server, self._number))
            self.on_change()

    def _note(self, name: str, change: _Change) -> None:
        known = len(self._changes) < _MOST_CHANGES or name in self._changes
        self._changes[name if known else UNKNOWN] = change

    def doubt_all(self) -> None:
        """Note that all data may have been exchanged: what changed until now may be as before."""
        self._move(self._seen(), Server())

    def check(self, wire: Wire, deadline: float) -> Server:
        """Find out, before a server is trusted, whether it may have lost changes; return who it is.

        If so, this begins a data set. Raises ConnectionError when it cannot be found out.
        """
        for _ in range(_MOST_LOOKS):
            wire.has_new_data = False  # What was announced before is in what is looked at now.
            server = self._check(lambda *each: wire.exchange(each, deadline))
            if not wire.has_new_data:
                break
            self.doubt_all()
        return server

    def _check(self, ask: Ask) -> Server:
        known, seen = self._file.read(), self._seen()
        info, dataset, mark = ask(
            ("INFO", "server", "replication"),
            ("HGET", "dataset", "id"),
            ("HGET", KEY, known.gateway),
        )
        server, dataset, mark = Server.from_info(info), _certain(dataset), int(_certain(mark) or 0)
        if not dataset:
            self._forget(seen)  # All is lost, and whoever asks next begins a data set.
            self._trusted = _NONE
            return server
        if self._trusted not in {"", dataset}:
            seen = self._without_ended(seen)
        why = known.why_older(dataset, mark) or _make_again(seen, dataset, server, ask)
        ended = (dataset,) if why else ()
        if why:
            dataset = self._begin(dataset, why, ask)
            self._forget(seen)
        if dataset != known.dataset:
            self._adopt(dataset, mark, ended)
        self._move(seen, server)
        self._trusted = dataset
        return server

    def _without_ended(self, seen: dict[str, _Change]) -> dict[str, _Change]:
        """Drop what can only be presumed lost: for this another worker has ended the data set."""
        kept = {name: change for name, change in seen.items() if name.startswith(_MADE_AGAIN)}
        self._forget({name: change for name, change in seen.items() if name not in kept})
        return kept

    def _adopt(self, dataset: str, mark: int, ended: tuple[str, ...]) -> None:
        """Remember which data set is in force from now on, and which has ended."""
        try:
            with self._file.locked():
                self._file.write(self._file.read().adopting(dataset, mark, *ended))
        except TimeoutError:
            # Another worker is at it, and adopts the same; but it may not know of what has ended.
            if ended:
                raise

    def is_dirty(self) -> bool:
        """Tell whether there are changes that no mark has confirmed, read or not. May take 2 ms."""
        return bool(self._changes) or self._is_neglected()

    def _is_neglected(self) -> bool:
        """Tell whether something has come that an idle worker leaves unread."""
        if self._feed is None:
            return False
        wire = self._feed[0]
        received, arrived = wire.arrived_bytes()
        if arrived <= max(received, wire.confirmed_bytes):
            return False
        time.sleep(_NEGLECTED_S)
        return wire.arrived_bytes()[0] == received

    def raise_mark(self, ask: Ask) -> None:
        """Have the server that `ask` leads to confirm all changes until now.

        Raises ConnectionError when it has not what it had when it was checked, TimeoutError when
        another worker is at it.
        """
        number, feed = self._number, self._feed
        arrived = feed[0].arrived_bytes()[1] if feed else 0
        ask(("PING",))  # A line that has to be made first may bring news of another data set.
        with self._file.locked():
            known = self._file.read()
            args = (known.gateway, known.dataset, known.mark)
            info, reply = _RAISE.run(ask, ["dataset", KEY], args, ("INFO", "server", "replication"))
            dataset, mark = _certain(reply)
            if dataset != known.dataset or mark <= known.mark:
                raise ConnectionError("redis has another data set than before")
            self._file.write(replace(known, mark=mark))
        server = Server.from_info(info)
        self._confirm(number, server)
        if feed and feed[1].run_id == server.run_id:
            feed[0].confirmed_bytes = arrived

    def _seen(self) -> dict[str, _Change]:
        with self._lock:
            return self._changes.copy()

    def _confirm(self, number: int, server: Server) -> None:
        seen = self._seen()
        confirmed = {
            name: change
            for name, change in seen.items()
            if change.number <= number and change.server.run_id == server.run_id
        }
        self._forget(confirmed)

    def _forget(self, seen: dict[str, _Change]) -> None:
        """Drop changes, but those that have been seen again meanwhile."""
        with self._lock:
            for name, change in seen.items():
                if self._changes.get(name) is change:
                    del self._changes[name]

    def _move(self, seen: dict[str, _Change], server: Server) -> None:
        """What has been found on another server is still to be confirmed there."""
        with self._lock:
            for name, change in seen.items():
                if self._changes.get(name) is change:
                    self._changes[name] = replace(change, server=server)

    def _begin(self, older: str, why: str, ask: Ask) -> str:
        """End a data set, once among all workers; return the id of the next one."""
        proposed = secrets.token_hex(4)
        args = (proposed, int(self._clock()), older)
        try:
            (reply,) = _BEGIN.run(ask, ["dataset"], args)
        except OSError:
            # It may have been carried out, and whoever asks next finds it done.
            log.error(_ENDED, why, older, "another")
            raise
        in_force = str(_certain(reply))
        if in_force == proposed:
            log.error(_ENDED, why, older, in_force)
        return in_force


def _make_again(seen: dict[str, _Change], dataset: str, server: Server, ask: Ask) -> str | None:
    """Make good what has been seen elsewhere and not confirmed; tell what cannot be, if any."""
    names = [name for name, change in seen.items() if not server.is_still(change.server)]
    commands: list[Command] = []
    for name in names:
        kind, _, jti = name.partition(":")
        if not name.startswith(_MADE_AGAIN):
            return f"a change of {name} may be missing"
        if not jti.startswith(f"{dataset}."):
            continue  # It is dead, whatever has been said about it.
        if kind == "revoked":
            commands.append(("SET", name, "again", "EX", _AGAIN_S, "NX"))
        else:
            commands.append(("DEL", name))
    for reply in ask(*commands) if commands else ():
        _certain(reply)
    return None


def _certain(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise ConnectionError(str(reply))
    return reply
