"""How a run ends: 0 done, 1 the world's mistake, 2 the caller's, each in one line on stderr."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import psycopg

_LONGEST_LINE = 600


class Refused(Exception):
    """The caller's mistake: nothing has changed."""


class Failed(Exception):
    """The world's mistake."""


class Arguments(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def __init__(self, script: str, description: str, epilog: str) -> None:
        super().__init__(
            f"scripts/{script}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise Refused(message)


def run(script: str, main: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """Run `main` on the words of a command line and return the exit status."""
    try:
        return main(words)
    except Refused as error:
        complain(script, str(error))
        return 2
    except Failed as error:
        complain(script, str(error))
    except psycopg.Error as error:
        complain(script, f"Postgres: {first_line(error)}")
    except KeyboardInterrupt:
        complain(script, "interrupted")
    return 1


def complain(script: str, text: str) -> None:
    """Print one line on stderr, whatever the text holds."""
    line = "".join(char if char.isprintable() else " " for char in text)
    print(f"{script}: {line[:_LONGEST_LINE]}", file=sys.stderr)


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
