"""One thing that is wrong, where, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`line` is 0 where there is none, `place` then a file, an address or a name."""

    place: str
    line: int
    problem: str
    remedy: str

    def where(self) -> str:
        return f"{self.place}:{self.line}" if self.line else self.place
