"""One line to Redis that answers questions and carries the invalidation feed.

`CLIENT TRACKING ON BCAST` makes Redis announce every change of the watched keys on this very
connection, whoever made it, and the announcement is in its socket before the writer hears that
the change is done. So whoever looks into the socket first (`is_current`), and asks here too, can
remember answers and never miss a change: what is read and what is announced come in one order.

A server or proxy that announces nothing (no RESP3, or no leave to track) is asked every time.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from app.errors import StoreUnavailable
from app.login import WATCHED, Login
from app.pause import Pause
from app.redis_server import Server
from app.replicas import wait_s
from app.sentinels import dial_to
from app.tide import Tide
from app.wire import FAILURES, Command, Loss, News, Wire, Work, has_answers, is_demotion

__all__ = ["Command", "Line", "Loss", "News", "Work"]

log = logging.getLogger("portcullis.line")


class Line:
    """Questions in, answers and changes out. For one thread; a lost line is made anew."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        heartbeat_s: float = 0.25,
        watched: tuple[str, ...] = WATCHED,
        pause_s: float = 0.1,
        count: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        tide: Tide | None = None,
    ) -> None:
        self._name = "redis"
        self._dial = dial_to(url, timeout_s, heartbeat_s, monotonic)
        self._timeout_s, self._heartbeat_s = timeout_s, heartbeat_s
        self._watched, self._count = watched, count
        self._monotonic, self._pause = monotonic, Pause(pause_s, monotonic)
        self._tide, self._server = tide, Server()
        self._wire: Wire | None = None
        self._poll: Callable[[float], object] = lambda _: ()
        self._heard_at = self._asked_at = self._deadline = -math.inf
        self._is_down = self._is_tracking = False
        self.known_until = -math.inf  # when `news` last had every change for certain
        self.news: list[News] = []

    def is_current(self) -> bool:
        """Tell whether `news` now has every change whose maker has been told that it is done.

        Costs a look into the socket; a question only `heartbeat_s` after the last one: the line
        may be dead, and nobody knows when the changes that are read have come.
        """
        if not self._is_tracking:
            return False
        if self._monotonic() - self._heard_at > self._heartbeat_s:
            return self._is_alive()
        return not self._poll(0) or self._receive_news()

    def take_news(self) -> list[News]:
        """Return the changes since the last call, in their order."""
        news = self.news[:]
        self.news.clear()
        self._note_unconfirmed()
        return news

    def made(self, key: str) -> None:
        """Note a change that Redis has just made for this line, announced or not."""
        if self._tide:
            self._tide.saw([key], self._server)

    def confirm_changes(self) -> None:
        """Have Redis confirm all changes that are known here, so that their loss is noticed."""
        if self._tide and self._tide.is_dirty():
            try:
                self._tide.raise_mark(self.ask)
            except ConnectionError:  # Look at it again before it is trusted again.
                self.close()
                raise

    def feed(self) -> str:
        """Tell how changes are learnt; anything but "ok" is slower and just as safe."""
        return "ok" if self._is_tracking else "asking every time"

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        """Send commands together and return their replies, within one timeout in all.

        `meanwhile` is done while Redis answers: to be woken costs more than to come late. A line
        that has to be made first has half a timeout more, WAIT its own. Raises StoreUnavailable
        when it cannot be had; an error reply is returned. What is announced meanwhile is left in
        `news` for after the caller has noted the replies, which it may overtake.
        """
        self.send(commands)
        try:
            if meanwhile:
                meanwhile()
        except BaseException as error:
            self._lose(error)  # an answer that nobody waits for is on its way
            raise
        return self.replies(commands)

    def send(self, commands: tuple[Command, ...], deadline: float | None = None) -> None:
        """Send commands, which `replies` must follow: several lines can be waited for at once.

        A `deadline` of the caller's holds for making the line, and for all that is asked.
        """
        if self._pause.is_on():
            raise StoreUnavailable("not asked: it failed a moment ago")
        try:
            wire, self._asked_at = self._open_wire(), self._monotonic()
            self._deadline = deadline or self._asked_at + self._timeout_s + wait_s(commands)
            if wire is None:
                self._deadline += 0.0 if deadline else self._timeout_s / 2
                wire = self._connect(self._deadline)
            else:
                self._dial.vouch(wire, self._heard_at, self._deadline)
            wire.send(commands, self._deadline)
        except FAILURES as error:
            raise self._give_up(error) from error
        except BaseException as error:
            self._lose(error)
            raise

    def replies(self, commands: tuple[Command, ...]) -> list[Any]:
        """Return the replies to what was sent."""
        wire: Wire = self._wire  # type: ignore[assignment]
        try:
            replies = wire.replies(commands, self._deadline)
        except FAILURES as error:
            raise self._give_up(error) from error
        except BaseException as error:
            self._lose(error)
            raise
        self._count("redis_round_trips")
        is_answered = has_answers(replies)
        if wire.is_flooded():
            self._heard_at = -math.inf
        elif is_answered:  # an excuse is none: whoever is busy may be holding announcements back
            self._heard_at = self._asked_at  # however late it is read
        if self._is_down:
            self._is_down = False
            log.warning("%s answers again", self._name)
        if self._is_tracking and is_answered:
            self.known_until = max(self.known_until, self._heard_at)
        elif any(map(is_demotion, replies)):
            self._lose(ConnectionError("it is a replica now"))
        self._leave_new_data(wire)
        return replies

    def lift_pause(self) -> bool:
        """Tell whether nothing was asked because of a pause that need not be kept any more."""
        return self._pause.lift()

    def close(self) -> None:
        """Hang up. Everything that was learned on this line is in doubt; a question mends it."""
        self._is_tracking = False
        self._note_unconfirmed(is_lost=True)
        if self._watched and not (self.news and isinstance(self.news[-1], Loss)):
            self.news.append(Loss(self.known_until))
        self.known_until = -math.inf
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _note_unconfirmed(self, *, is_lost: bool = False) -> None:
        if self._tide and self._wire:
            self._tide.saw(self._wire.take_unconfirmed(is_lost), self._server)

    def _open_wire(self) -> Wire | None:
        """Return the wire if it is still open: to find that out here costs nobody an answer."""
        if self._wire and self._wire.poll(0):
            self._receive(self._wire)
        return self._wire

    def _receive(self, wire: Wire) -> bool:
        try:
            wire.receive()
        except FAILURES as error:
            self._lose(error)
        self._leave_new_data(wire)
        return self._wire is not None

    def _leave_new_data(self, wire: Wire) -> None:
        """Have data that was exchanged in place looked at, as that of another server would be."""
        if self._tide and wire.has_new_data:
            self.close()
            self._tide.doubt_all()

    def _receive_news(self) -> bool:
        wire: Wire = self._wire  # type: ignore[assignment]
        if not self._receive(wire):
            return False
        return not (wire.is_flooded() or self._dial.is_due()) or self._is_alive()

    def _is_alive(self) -> bool:
        """A Redis that answers anything else is busy, and may be holding announcements back."""
        try:
            return self.ask(("PING",)) == ["PONG"] and self._is_tracking
        except StoreUnavailable:
            return False

    def _connect(self, deadline: float) -> Wire:
        """Connect, log in, and find out whether what is there can be trusted."""
        reached = self._dial.connect(deadline - self._monotonic())
        wire = Wire(reached.sock, self.news, self._monotonic)
        wire.confirmed_bytes = 0 if self._tide else math.inf
        login = Login(reached.user, reached.password, reached.db, self._watched)
        try:
            why_not = login.over(wire, deadline)
            self._dial.check(wire, deadline)
            if self._tide:
                self._server = self._tide.check(wire, deadline)
        except BaseException:
            wire.close()
            raise
        self._is_tracking = why_not is None
        if self._watched and why_not:
            log.warning("%s announces no changes, so it is asked: %s", self._name, why_not)
        if self._tide and self._is_tracking:
            self._tide.follow(wire, self._server)
        self._poll, self._wire = wire.poll, wire
        self._count("redis_connections")
        return wire

    def _give_up(self, error: Exception) -> StoreUnavailable:
        self._count("redis_failures")
        self._pause.begin(error, is_connected=self._wire is not None)
        self._lose(error)
        return StoreUnavailable(str(error))

    def _lose(self, error: BaseException) -> None:
        if self._wire is not None:
            self._count("redis_connections_lost")
        self.close()
        if not self._is_down:
            self._is_down = True
            log.error("%s does not answer: %s", self._name, error)
