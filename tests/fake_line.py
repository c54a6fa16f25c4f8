"""The questions of a Line, answered by redis-py: for fakeredis, which announces no changes."""

import math
from typing import Any

from redis.exceptions import NoScriptError

import redis
from app.errors import StoreUnavailable
from app.line import Command, News, Work


class AskingLine:
    """Never current, so that everything is asked every time."""

    replicas = 0
    """The answer to WAIT, which fakeredis does not know."""

    def __init__(self, connection: "redis.Redis") -> None:
        self._redis = connection
        self.news: list[News] = []
        self.known_until = -math.inf

    def is_current(self) -> bool:
        return False

    def feed(self) -> str:
        return "asking every time"

    def lift_pause(self) -> bool:
        return False

    def take_news(self) -> list[News]:
        return []

    def made(self, key: str) -> None:
        pass

    def confirm_changes(self) -> None:
        pass

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        if meanwhile:
            meanwhile()
        pipe: Any = self._redis.pipeline(transaction=False)
        for command in commands:
            if command[0] != "WAIT":
                # redis-py makes True or False of what SET answers, unless it is told of its GET.
                is_get = {"get": True} if command[0] == "SET" and "GET" in command else {}
                pipe.execute_command(*command, **is_get)
        try:
            given = iter(pipe.execute(raise_on_error=False))
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreUnavailable(str(error)) from error
        replies = [self.replicas if each[0] == "WAIT" else next(given) for each in commands]
        return [
            NoScriptError(f"NOSCRIPT {reply}") if isinstance(reply, NoScriptError) else reply
            for reply in replies
        ]
