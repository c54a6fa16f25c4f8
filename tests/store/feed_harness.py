"""A real Redis of one's own, and workers on it: each a line, a store and a memory."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import redis
from app.errors import Malformed, Refused, StoreUnavailable
from app.keys import KeyRing
from app.line import Command, Line, Work
from app.memory import Memory
from app.store import Store
from app.tokens import Claims
from tests.processes import is_alive, state_of, until
from tests.service import DATASET, client_fields
from tests.stack import free_port

NOW = 4_000_000_000


class RedisServer:
    """A redis-server on a unix socket and on TCP, with the clients `demo` and `other`."""

    def __init__(self, *options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="feed-"))
        self.path = self.directory / "redis.sock"
        self.port = free_port()
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def unix_url(self) -> str:
        return f"unix://{self.path}"

    @property
    def tcp_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> "RedisServer":
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--repl-diskless-sync-delay", "0"]
        command += ["--dir", str(self.directory), "--unixsocket", str(self.path), *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers, what="redis starts")
        return self

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "redis ended"
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def fill(self) -> None:
        """Begin the data set anew and register two clients."""
        mapping: Any = client_fields()
        with self.client() as client:
            client.flushall()
            client.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
            for client_id in ("demo", "other"):
                client.hset(f"client:{client_id}", mapping=mapping)

    def client(self) -> "redis.Redis":
        """A connection for whoever makes changes."""
        return redis.Redis(unix_socket_path=str(self.path), decode_responses=True, protocol=2)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def is_running(self) -> bool:
        return is_alive(self.pid)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: state_of(self.pid) == "T", what="redis stops")

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> "RedisServer":
        self.start().fill()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_running():
            self.kill()
        shutil.rmtree(self.directory)


class PlainVerifier:
    """Takes `jti client_id` for a token. Real ones are made elsewhere; these are made quickly."""

    leeway_s = 0

    def __init__(self) -> None:
        self.keys = KeyRing(())
        self.verified = 0

    def now(self) -> float:
        return NOW

    def ring(self) -> KeyRing:
        return self.keys

    def verify(self, text: str) -> Claims:
        self.verified += 1
        jti, _, client_id = text.partition(" ")
        if not client_id:
            raise Malformed("not two words")
        return Claims(client_id, jti, "orders:read", ("api",), NOW - 10, NOW + 3600, False)

    def verify_shown(self, text: str, *, is_dpop: bool) -> Claims:
        assert not is_dpop
        return self.verify(text)


class CountingLine(Line):
    """A line that notes what it is asked: heartbeats too."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.asked: list[str] = []

    def ask(self, *commands: Command, meanwhile: Work | None = None) -> list[Any]:
        self.asked.append(" | ".join(" ".join(str(one) for one in part[:2]) for part in commands))
        return super().ask(*commands, meanwhile=meanwhile)


class Worker:
    """One worker's share of the app. `line` notes in `asked` what it is asked."""

    def __init__(self, line: Any, *, most_tokens: int = 10_000, most_clients: int = 100) -> None:
        self.line = line
        self.store = Store(line)
        self.verifier = PlainVerifier()
        verifier: Any = self.verifier
        self.memory = Memory(
            self.store, verifier, most_tokens=most_tokens, most_clients=most_clients
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def reason(self, token: str, now: float = NOW) -> str:
        """Ask about a token; return `ok` or why not."""
        try:
            self.memory.token(token, now)
        except Refused as refusal:
            return refusal.reason
        except StoreUnavailable:
            return "store_unavailable"
        return "ok"

    def is_warm(self, token: str) -> bool:
        """Tell whether a token is good without asking Redis anything."""
        before = len(self.line.asked)
        return self.reason(token) == "ok" and len(self.line.asked) == before


class FeedWorker(Worker):
    """On one Redis. Its heartbeat is far off, unless a test wants it."""

    line: CountingLine

    def __init__(
        self, url: str, *, most_tokens: int = 10_000, most_clients: int = 100, **settings: Any
    ) -> None:
        line = CountingLine(url, **{"timeout_s": 5.0, "heartbeat_s": 60.0, **settings})
        super().__init__(line, most_tokens=most_tokens, most_clients=most_clients)

    def warm(self, *tokens: str) -> None:
        """Have tokens verified and looked up."""
        assert {"ok"} == {self.reason(token) for token in tokens}


def jti_of(name: object) -> str:
    """Return a jti of the data set."""
    return f"{DATASET}.{name}"


def token_of(name: object, client_id: str = "demo") -> str:
    """Return the Authorization header of a token that PlainVerifier takes."""
    return f"Bearer {jti_of(name)} {client_id}"
