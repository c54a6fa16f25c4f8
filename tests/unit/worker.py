"""One worker's memory on a fake Redis, with its collaborators at hand."""

from pathlib import Path
from typing import Any

import fakeredis

from app.errors import Refused, StoreUnavailable
from app.keys import Key, KeyRingFile
from app.memory import Memory
from app.store import Store
from app.verifier import Verifier
from tests.forgery import NOW, good_header, good_payload, sign
from tests.service import DATASET, ISSUER, Clock, add_key, client_fields
from tests.unit.announcing_line import AnnouncingLine


class Worker:
    """A memory with its collaborators at hand; one key signs, client `demo` exists."""

    def __init__(
        self,
        keys_dir: Path,
        most_tokens: int = 100,
        most_clients: int = 100,
        leeway_s: int = 0,
    ) -> None:
        add_key(keys_dir, "a", "HS256")
        self.keys_dir = keys_dir
        self.clock = Clock()
        self.monotonic = Clock(0.0)
        self.server = fakeredis.FakeServer()
        self.redis = fakeredis.FakeRedis(server=self.server, decode_responses=True)
        self.redis.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
        self.put_client("demo")
        self.line = AnnouncingLine(self.redis)
        keys = KeyRingFile(keys_dir, self.monotonic)
        self.key: Key = keys.current().signer(NOW)
        verifier = Verifier(keys, self.clock, issuer=ISSUER, leeway_s=leeway_s)
        self.store = Store(self.line, clock=self.clock)
        self.memory = Memory(
            self.store,
            verifier,
            most_tokens=most_tokens,
            most_clients=most_clients,
            monotonic=self.monotonic,
        )

    def put_client(self, client_id: str, **fields: str) -> None:
        mapping: Any = client_fields(**fields)
        self.redis.hset(f"client:{client_id}", mapping=mapping)

    def revoke(self) -> str:
        """Revoke the `jti` that tokens have here unless told otherwise; return the key's name."""
        key = f"revoked:{DATASET}.a"
        self.redis.set(key, "x")
        return key

    def token(self, jti: str = "a", client_id: str = "demo", **claims: Any) -> str:
        values = {"jti": f"{DATASET}.{jti}", "client_id": client_id, "sub": client_id, **claims}
        return "Bearer " + sign(self.key, good_header(self.key), good_payload(**values))

    def reason(self, token: str) -> str:
        """Ask about a token; return `ok` or why not."""
        try:
            self.memory.token(token, self.clock())
        except Refused as refusal:
            return refusal.reason
        return "ok"

    def recalled(self, token: str, within_s: float = 10.0) -> str:
        """Ask about a token without Redis; return `ok` or why not."""
        try:
            self.memory.recall(token, self.clock(), within_s)
        except Refused as refusal:
            return refusal.reason
        except StoreUnavailable:
            return "store_unavailable"
        return "ok"

    def asked(self, token: str) -> list[str]:
        """Return what one good look at a token asked of Redis."""
        self.line.asked.clear()
        assert "ok" == self.reason(token)
        return self.line.asked
