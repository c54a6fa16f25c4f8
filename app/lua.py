"""The .lua files in redis/, one per atomic operation, run by their hash."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.wire import Command

_LUA_DIR = Path(__file__).resolve().parent.parent / "redis"

Ask = Callable[..., list[Any]]
"""Sends commands together and returns their replies, errors among them."""


class Script:
    """One of the files. Redis is given its text when it does not have it yet."""

    def __init__(self, name: str) -> None:
        self._text = (_LUA_DIR / f"{name}.lua").read_text("utf-8")
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(
        self,
        ask: Ask,
        keys: list[str],
        args: tuple[str | int, ...],
        *before: Command,
        after: tuple[Command, ...] = (),
    ) -> list[Any]:
        """Run it between other commands; return all their replies in that order."""
        by_hash: Command = ("EVALSHA", self._sha, len(keys), *keys, *args)
        replies = ask(*before, by_hash, *after)
        own = replies[len(before)]
        if isinstance(own, Exception) and "NOSCRIPT" in str(own):
            load: Command = ("SCRIPT", "LOAD", self._text)
            replies[len(before) :] = ask(load, by_hash, *after)[1:]
        return replies
