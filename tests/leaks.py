"""A search of everything that a gateway has written for what it must never write."""

import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

MEANT = {"demo.env", "app.env"}
"""Files that must hold secrets. The signing keys in keys/ are none that a client was given."""

_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{9,}\.eyJ[A-Za-z0-9_-]{9,}\.[A-Za-z0-9_-]{9,}")
_WORD = re.compile(rb"[A-Za-z0-9_-]{43,}")
"""No secret and no signature is shorter."""


def needles(given: Iterable[str]) -> set[bytes]:
    """What to look for: secrets whole, and of a token the signature, which only it has."""
    return {one.rpartition(".")[2].encode() for one in given}


def leaks(folder: Path, given: Iterable[str]) -> dict[str, set[bytes]]:
    """Return each file below a folder that holds what was given out, with what it holds.

    Whatever looks like a signed token is one, whoever has minted it.
    """
    wanted = needles(given)
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in MEANT and (held := set(_held(path, wanted))):
            found[str(path.relative_to(folder))] = held
    return found


def _held(path: Path, wanted: set[bytes]) -> Iterator[bytes]:
    """Logs grow to hundreds of megabytes: none is read as a whole."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        yield from (match[0] for match in _WORD.finditer(text) if match[0] in wanted)
        yield from (match[0] for match in _TOKEN.finditer(text))
