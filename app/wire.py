"""One socket to Redis: commands out, replies and announced changes in, in one order (RESP2, RESP3).

Every wait is bounded. What goes wrong is an OSError or a hiredis.HiredisError, and leaves a wire
that is of no more use: nobody could tell which reply belongs to which command.
"""

import fcntl
import math
import os
import select
import socket
import ssl
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hiredis

_MOST_BYTES = 65_536
_FLOOD_BYTES = 4_096
"""So much at once may have filled the socket, and left changes behind in Redis that were already
acknowledged: only an answer to a question tells that they have all arrived. A unix socket holds at
least twice as much, however small the messages."""

UNKNOWN = "more than is known"
"""Stands for the names of keys that may have changed."""

_DATASET = "dataset"

_LOOKS = 60
"""How often to look for an answer before sleeping until it comes. Redis mostly answers within 20
microseconds, and to fall asleep and be woken costs more CPU than that; others run meanwhile."""

_NOTHING = object()
FAILURES = (OSError, hiredis.HiredisError)
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Command = tuple[str | int, ...]
Work = Callable[[], object]
"""What can be done while Redis answers."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The line was lost: what comes after it need not be all. What came before it is.

    `known_until` is when that was last known for certain, in seconds of the monotonic clock.
    """

    known_until: float


News = list[str] | Loss | None
"""Names of changed keys; None stands for every key."""


class Wire:
    """Takes a connected socket over. Announced changes go to `news`."""

    def __init__(
        self,
        sock: socket.socket,
        news: list[News],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._monotonic = monotonic
        self._epoll = select.epoll()
        self._epoll.register(sock, select.EPOLLIN)
        self.poll = self._epoll.poll
        self._reader = hiredis.Reader(
            encoding="utf-8", errors="surrogateescape", notEnoughData=_NOTHING
        )
        self._unproven_bytes = 0
        self._unsent = b""
        self._news = news
        self._received_bytes = 0
        self.confirmed_bytes: float = math.inf
        self._unconfirmed: list[str] = []
        self.is_resp3 = True
        self.has_new_data = False
        """All keys, or the data set's own, have changed: what is there now may be an older copy."""

    def fileno(self) -> int:
        """Return the socket's number: others may wait for several wires at once."""
        return self._sock.fileno()

    def exchange(self, commands: tuple[Command, ...], deadline: float) -> list[Any]:
        """Send commands together and return their replies; an error reply is one of them."""
        self.send(commands, deadline)
        return self.replies(commands, deadline)

    def send(self, commands: tuple[Command, ...], deadline: float) -> None:
        """Send commands together. Nothing else may be asked before `replies` has theirs."""
        self._unsent = self._send(_pack(commands), deadline)

    def replies(self, commands: tuple[Command, ...], deadline: float) -> list[Any]:
        """Return the replies to what was sent last; an error reply is one of them."""
        while self._unsent:
            self._unsent = self._send(self._unsent, deadline)
        replies: list[Any] = []
        while len(replies) < len(commands):
            reply = self._reader.gets()
            if reply is _NOTHING:
                self._wait_to_read(deadline)
                self._read()
            elif isinstance(reply, hiredis.PushNotification):
                self._note(reply)
            else:
                replies.append(reply)
        # A change that came along with the last reply has left the socket: nobody would see it
        # there. The change that was just asked for is announced in that very place.
        self._note_changes()
        return replies if self.is_resp3 else list(map(_as_map, commands, replies))

    def receive(self) -> None:
        """Take in what has arrived: nothing was asked, so it can only be changes."""
        while self.poll(0):
            self._read()
            self._note_changes()

    def receive_late(self) -> None:
        """Take in changes from a wire whose answers nobody waits for any more."""
        while self.poll(0):
            self._read()
            while (reply := self._reader.gets()) is not _NOTHING:
                if isinstance(reply, hiredis.PushNotification):
                    self._note(reply)

    def is_flooded(self) -> bool:
        """Tell, once, whether changes may have outgrown the socket, or one came in part."""
        is_flooded = self._unproven_bytes >= _FLOOD_BYTES or self._reader.has_data()
        self._unproven_bytes = 0
        return is_flooded

    def take_unconfirmed(self, is_last: bool) -> list[str]:
        """Return the names of changed keys that were read past `confirmed_bytes`.

        The last time with UNKNOWN, when more of them may have been left behind in Redis.
        """
        names, self._unconfirmed = self._unconfirmed, []
        past = self._received_bytes - self.confirmed_bytes
        if is_last and min(past, self._unproven_bytes) >= _FLOOD_BYTES:
            names.append(UNKNOWN)
        return names

    def arrived_bytes(self) -> tuple[int, int]:
        """Return how much has been read, and how much has come, read or not. From any thread."""
        received = self._received_bytes
        if isinstance(self._sock, ssl.SSLSocket):
            return received, received
        try:
            waiting = fcntl.ioctl(self._sock, termios.FIONREAD, b"\0\0\0\0")
        except (OSError, ValueError):
            return received, received
        return received, received + int.from_bytes(waiting, sys.byteorder)

    def close(self) -> None:
        self._epoll.close()
        self._sock.close()

    def __del__(self) -> None:
        self.close()

    def _send(self, data: bytes, deadline: float) -> bytes:
        try:
            return data[self._sock.send(data) :]
        except _NOT_YET:
            self._wait_to_send(deadline)
            return data

    def _wait_to_read(self, deadline: float) -> None:
        """What is there already is in time, even when it was this process that came late."""
        for _ in range(_LOOKS):
            if self.poll(0):
                return
            os.sched_yield()
        if not self.poll(max(0.0, deadline - self._monotonic())):
            raise TimeoutError("no answer in time")

    def _wait_to_send(self, deadline: float) -> None:
        """Not by select(): it knows no socket with a number over 1,023."""
        poller = select.poll()
        poller.register(self._sock, select.POLLOUT)
        if not poller.poll(math.ceil(max(0.0, deadline - self._monotonic()) * 1000)):
            raise TimeoutError("no answer in time")

    def _read(self) -> None:
        left = self.confirmed_bytes - self._received_bytes
        try:
            data = self._sock.recv(int(left) if 0 < left < _MOST_BYTES else _MOST_BYTES)
        except _NOT_YET:
            return
        if not data:
            raise ConnectionResetError("redis closed the connection")
        self._reader.feed(data)
        self._unproven_bytes += len(data)
        self._received_bytes += len(data)

    def _note_changes(self) -> None:
        while (reply := self._reader.gets()) is not _NOTHING:
            if not isinstance(reply, hiredis.PushNotification):
                raise ConnectionError("an answer that nobody asked for")
            self._note(reply)

    def _note(self, push: "hiredis.PushNotification") -> None:
        match push:
            case ["invalidate", None]:
                self._news.append(None)
                self.has_new_data = True
            case ["invalidate", [*keys]]:
                names = [str(key) for key in keys]
                self._news.append(names)
                self.has_new_data |= _DATASET in names
                if self._received_bytes > self.confirmed_bytes:
                    self._unconfirmed += names
            case ["invalidate", *_]:
                raise ConnectionError("a change that cannot be read")


def has_answers(replies: list[Any]) -> bool:
    """Tell whether these are answers, all of them, rather than excuses."""
    return bool(replies) and not any(isinstance(reply, hiredis.ReplyError) for reply in replies)


def _pack(commands: tuple[Command, ...]) -> bytes:
    """What was read as it is no text (names and values are bytes in Redis) can be sent back."""
    pack: Any = hiredis.pack_command
    try:
        return b"".join(map(pack, commands))
    except UnicodeEncodeError:
        raw = (tuple(str(part).encode("utf-8", "surrogateescape") for part in c) for c in commands)
        return b"".join(map(pack, raw))


def is_demotion(reply: object) -> bool:
    """Tell whether a reply says that this Redis is a replica, which takes no changes."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("READONLY")


def _as_map(command: Command, reply: Any) -> Any:
    """RESP2 spells a map as a flat list."""
    if command[0] == "HGETALL" and isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True))
    return reply
