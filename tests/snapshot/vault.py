"""What a person has at hand: a Redis, a database, and the two scripts."""

import io
import json
import os
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from snapshot import outcome, restoring, taking

import redis
from tests.service import client_fields
from tests.snapshot.postgres import Connection

ROOT = Path(__file__).resolve().parents[2]
MAINS = {"snapshot": taking.main, "restore": restoring.main}
Finished = subprocess.CompletedProcess[str]


@dataclass
class Vault:
    """One shell with REDIS_SOCKET and DATABASE_URL set. `redis` and `postgres` are the test's."""

    redis: Any
    postgres: Connection
    socket: Path
    port: int
    database_url: str
    run_dir: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.env = {
            "PATH": os.environ["PATH"],
            "USER": "sam",
            "RUN_DIR": str(self.run_dir),
            "REDIS_SOCKET": str(self.socket),
            "DATABASE_URL": self.database_url,
        }

    def start(self, script: str, *words: str, **changes: str) -> "subprocess.Popen[str]":
        """Start a script, and do not wait."""
        return subprocess.Popen(
            [ROOT / "scripts" / script, *words],
            env={**self.env, **changes},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *words: str, **changes: str) -> Finished:
        """Run a script to its end in a process of its own, with no terminal."""
        process = self.start(script, *words, **changes)
        stdout, stderr = process.communicate(timeout=100)
        return Finished(script, process.returncode, stdout, stderr)

    def call(self, script: str, *words: str, **changes: str) -> Finished:
        """Run a script to its end in this process, which is much faster."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {**self.env, **changes}, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            status = outcome.run(script, MAINS[script], words)
        return Finished(script, status, out.getvalue(), err.getvalue())

    def done(self, script: str, *words: str, **changes: str) -> Any:
        """Run a script that must succeed without a complaint; return its document."""
        finished = self.call(script, *words, "--json", **changes)
        assert (0, "") == (finished.returncode, finished.stderr), finished
        return json.loads(finished.stdout)

    def complaint(self, status: int, script: str, *words: str, **changes: str) -> str:
        """Run a script that must end in `status` with one line on stderr and no document."""
        finished = self.call(script, *words, "--json", **changes)
        assert (status, "") == (finished.returncode, finished.stdout), finished.stderr
        assert 1 == finished.stderr.count("\n"), finished.stderr
        assert finished.stderr.startswith(f"{script}: ")
        return finished.stderr.rstrip("\n")

    def ids(self) -> list[int]:
        """The snapshots that there are, by the script's own word."""
        return [one["id"] for one in self.done("snapshot", "--list")]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask Postgres, in a transaction of its own."""
        with self.postgres.transaction():
            return self.postgres.execute(query.encode(), values or None).fetchall()

    def add_client(self, client_id: str = "orders", **fields: str) -> dict[str, str]:
        mapping = client_fields(**fields)
        self.redis.hset(f"client:{client_id}", mapping=mapping)
        return mapping

    def state(self) -> dict[str, Any]:
        """All that Redis holds, but for when it ends."""
        read = {"hash": self.redis.hgetall, "stream": self.redis.xrange}
        keys = sorted(self.redis.keys("*"))
        return {key: read.get(self.redis.type(key), self.redis.get)(key) for key in keys}

    def raw(self, *words: str) -> Any:
        """Run a command and return what Redis says, undecoded."""
        with redis.Redis(unix_socket_path=str(self.socket), protocol=2) as connection:
            return connection.execute_command(*words)

    def begin_dataset(self, dataset_id: str = "0a1b2c3d") -> None:
        self.redis.hset("dataset", mapping={"id": dataset_id, "birth_s": "1"})

    def now_s(self) -> int:
        return int(self.redis.time()[0])
