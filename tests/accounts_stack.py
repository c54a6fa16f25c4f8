"""The accounts example behind a gateway of the tests, started by its own scripts."""

import json
import subprocess
from typing import Any
from uuid import uuid4

import redis
from tests.processes import children, is_alive, kill
from tests.stack import ROOT, Stack, free_port
from tests.wire import Answer, ask, request


class AccountsStack:
    """`examples/accounts/run` behind a stack that runs. `changes` are environment variables."""

    def __init__(self, stack: Stack, **changes: str) -> None:
        self.stack = stack
        # A disk that takes its time is no defect.
        self._changes = {"ACCOUNTS_REDIS_TIMEOUT_MS": "5000", **changes}
        self.port = free_port()
        self.run_dir = stack.run_dir / "accounts"

    def start(self) -> str:
        """Run the script, which also brings back what has been killed; return what it says."""
        return self.script("run").stderr

    def stop(self) -> None:
        # What is thrown away need not take leave of anybody: that takes seconds.
        for pid in (self.pid("app"), *self.workers()):
            kill(pid)
        self.script("stop")

    def script(self, name: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [ROOT / "examples" / "accounts" / name],
            env=self.stack.environ(ACCOUNTS_PORT=str(self.port), **self._changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def redis(self) -> "redis.Redis":
        path = self.run_dir / "redis.sock"
        return redis.Redis(unix_socket_path=str(path), decode_responses=True)

    def pid(self, name: str) -> int:
        return int((self.run_dir / f"{name}.pid").read_text())

    def workers(self) -> list[int]:
        return sorted(pid for pid in children(self.pid("app")) if is_alive(pid))

    def call(
        self, method: str, path: str, token: str | None, body: Any = None, **headers: str
    ) -> Answer:
        """Make one call, with a new idempotency key unless one is named; `_` for `-`."""
        return ask(self.address, wording(method, path, token, body, **headers))

    def sum(self) -> int:
        """Return all balances, with what the world outside owes: 0 at any time."""
        connection = self.redis
        asked = connection.pipeline(transaction=True)  # bookings may go on meanwhile
        for one in connection.scan_iter("{bank}:account:*"):
            asked.hget(one, "balance")
        return sum(map(int, asked.execute()))


def wording(method: str, path: str, token: str | None, body: Any = None, **headers: str) -> bytes:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        sent.setdefault("Idempotency-Key", str(uuid4()))
        sent["Content-Type"] = "application/json"
    data = b"" if body is None else json.dumps(body).encode()
    return request(method, path, sent, data, token=token)
