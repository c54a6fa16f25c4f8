"""Names that a metric may have as a label: the first so many that any worker meets, and no more."""

from pathlib import Path

from app.counters import locked


class Names:
    """Numbers from 0 to `most` - 1, the same in all workers of a gateway and after a restart."""

    def __init__(self, directory: Path | None, most: int) -> None:
        self._directory = directory
        self._most = most
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int | None:
        """Return the number of a name; None when it came too late to get one."""
        number = self._numbers.get(name)
        if number is None and len(self._numbers) < self._most:
            self._learn(name)
            number = self._numbers.get(name)
        return number

    def known(self) -> list[str]:
        """Return all names in the order of their numbers."""
        self._learn(None)
        return list(self._numbers)

    def _learn(self, name: str | None) -> None:
        """Take in what the other workers have met, and add a name of this one's own."""
        names = list(self._numbers)
        if self._directory is not None:
            with locked(self._directory), (self._directory / "names").open("a+") as file:
                file.seek(0)
                names = file.read().splitlines()
                if name is not None and name not in names and len(names) < self._most:
                    file.write(f"{name}\n")
        if name is not None and name not in names and len(names) < self._most:
            names.append(name)
        self._numbers = {name: number for number, name in enumerate(names[: self._most])}
