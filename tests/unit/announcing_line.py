"""A line that announces changes when a test says so, and counts what it is asked."""

from typing import Any

import redis
from app.errors import StoreUnavailable
from app.line import Command, Loss, News, Work
from tests.fake_line import AskingLine


class AnnouncingLine(AskingLine):
    """Current until `is_up` is False; `rushing` is announced together with the next answer."""

    def __init__(self, connection: "redis.Redis") -> None:
        super().__init__(connection)
        self.is_up = True
        self.is_there = True
        self.known_until = 0.0
        self.asked: list[str] = []
        self.round_trips = 0
        self.rushing: list[str] = []

    def is_current(self) -> bool:
        return self.is_up and self.is_there

    def take_news(self) -> list[News]:
        news, self.news = self.news, []
        return news

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        if not self.is_there:
            raise StoreUnavailable("gone")
        self.round_trips += 1
        self.asked += [" ".join(str(part) for part in command[:2]) for command in commands]
        replies = super().ask(*commands, meanwhile=meanwhile)
        if self.rushing:
            self.news.append(self.rushing)
            self.rushing = []
        return replies

    def announce(self, *keys: str) -> None:
        self.news.append(list(keys))

    def lose(self, known_until: float = 0.0) -> None:
        """Redis is gone: whatever was announced before has still arrived."""
        self.is_there = False
        self.news.append(Loss(known_until))
        self.known_until = -1.0
