"""nginx's configuration as a tree, from what `nginx -T` prints."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

_FILE = re.compile(r"^# configuration file (.+):\n", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    | (?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<mark>[{};])
    | (?P<word>(?:\\.|\$\{|[^\s{};\\])(?:\\.|\$\{|[^\s{;\\])*)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(eq=False)
class Directive:
    """One directive. `block` is what stands in its braces; the root of a tree has no name."""

    name: str
    args: list[str]
    file: str
    line: int
    parent: Directive | None
    block: list[Directive]

    def children(self, *names: str) -> list[Directive]:
        return [each for each in self.block if each.name in names]

    def walk(self) -> Iterator[Directive]:
        for each in self.block:
            yield each
            yield from each.walk()

    def effective(self, name: str) -> list[Directive]:
        """The directives that hold here: nginx inherits them only into a level without its own."""
        found = self.children(name)
        return found if found or not self.parent else self.parent.effective(name)

    def value(self, name: str, default: str = "") -> str:
        """The first argument of the one directive `name` that holds here."""
        found = self.effective(name)
        return found[0].args[0] if found and found[0].args else default

    def enclosing(self, name: str) -> Directive | None:
        if self.name == name or not self.parent:
            return self if self.name == name else None
        return self.parent.enclosing(name)

    def title(self) -> str:
        return " ".join([self.name, *self.args])


def parse(dump: str) -> Directive:
    """Return the root of the configuration that `nginx -T` printed, its includes put in place."""
    parts = _FILE.split(dump)[1:]
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    root = Directive("", [], parts[0], 0, None, [])
    _read(files, parts[0], root)
    return root


def _read(files: dict[str, str], file: str, level: Directive) -> None:
    words: list[str] = []
    line = start = 1
    for kind, text in _tokens(files[file]):
        if kind in {"quoted", "word"}:
            start = start if words else line
            words.append(_unquoted(kind, text))
        elif text == "}" and level.parent:
            level = level.parent
        elif kind == "mark" and words:
            directive = Directive(words[0], words[1:], file, start, level, [])
            words = []
            if directive.name == "include":
                for included in _matching(files, directive.args[0]):
                    _read(files, included, level)
            else:
                level.block.append(directive)
            if text == "{":
                level = directive
        line += text.count("\n")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, previous = 0, ""
    while match := _TOKEN.match(text, position):
        kind, piece = str(match.lastgroup), match[0]
        position = match.end()
        yield kind, piece
        if piece == "{" and previous.endswith("_by_lua_block"):
            end = _end_of_lua(text, position)
            yield "space", text[position:end]
            position = end
        if kind != "space":
            previous = piece


def _end_of_lua(text: str, position: int) -> int:
    depth = 1
    while depth and position < len(text):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position - 1


def _unquoted(kind: str, text: str) -> str:
    """nginx drops a backslash before a quote, a blank or another one; a regex keeps its own."""
    inner = text[1:-1] if kind == "quoted" else text
    return re.sub(r"""\\(["'\\ ])""", r"\1", inner)


def _matching(files: dict[str, str], pattern: str) -> list[str]:
    """The dumped files that an `include` means: a relative one starts at the main file's folder."""
    pattern = os.path.join(os.path.dirname(next(iter(files))), pattern)
    return sorted(
        file
        for file in files
        if file.count("/") == pattern.count("/") and fnmatch.fnmatchcase(file, pattern)
    )
