"""Which Redis answers: told apart from others, and from itself before it lost something."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """Which process of Redis this is, and which history of changes it follows; "" is unknown."""

    run_id: str = ""
    history: str = ""
    history_before: str = ""

    def is_still(self, before: "Server") -> bool:
        """Tell whether nothing can have been lost since `before`.

        Whoever was a replica meanwhile took over another's data, and has that one's history as its
        former one. With its first replica a primary begins a history, without a former one.
        """
        if not self.run_id or self.run_id != before.run_id:
            return False
        return self.history == before.history or not self.history_before.strip("0")

    @classmethod
    def from_info(cls, info: object) -> "Server":
        """Read INFO; who may not ask for it never knows that nothing was lost."""
        if not isinstance(info, str):
            return cls()
        found = dict(line.split(":", 1) for line in info.split("\r\n") if ":" in line)
        names = ("run_id", "master_replid", "master_replid2")
        return cls(*(found.get(name, "") for name in names))
