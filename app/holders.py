"""Clients in memory, as Redis told of them; bounded: the least recently used one makes room."""

from collections import OrderedDict

from app.gate import Holder


class Holders:
    """The clients that one worker knows, `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_id: OrderedDict[str, Holder] = OrderedDict()

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._by_id

    def find(self, client_id: str) -> Holder | None:
        """Return a client that is in use, if it is known."""
        holder = self._by_id.get(client_id)
        if holder is not None:
            self._by_id.move_to_end(client_id)
        return holder

    def keep(self, client_id: str, holder: Holder) -> None:
        """Keep a client. One that is dropped for it must be asked about again."""
        if len(self._by_id) >= self._most:
            self._by_id.popitem(last=False)[1].is_current = False
        self._by_id[client_id] = holder

    def drop(self, client_id: str) -> None:
        """Let go of a client that has changed; whoever holds it must ask again."""
        holder = self._by_id.pop(client_id, None)
        if holder is not None:
            holder.is_current = False
