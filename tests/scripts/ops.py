"""The ops scripts as a person runs them, on a private Redis."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LUA = ROOT / "redis"
Finished = subprocess.CompletedProcess[str]


@dataclass
class Ops:
    """One person's shell: her environment, and the Redis that her scripts reach."""

    redis: Any
    socket: Path
    port: int
    run_dir: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.env = {
            "PATH": os.environ["PATH"],
            "USER": "sam",
            "REDIS_SOCKET": str(self.socket),
            "RUN_DIR": str(self.run_dir),
        }

    def run(
        self,
        script: str,
        *words: str | bytes,
        stdin: str = "",
        env: dict[str, str] | None = None,
        timeout_s: float = 100,
    ) -> Finished:
        """Run a script to its end, with no terminal."""
        return subprocess.run(
            [ROOT / "scripts" / script, *words],
            input=stdin,
            env=self.env if env is None else env,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout_s,
            check=False,
        )

    def done(self, script: str, *words: str, **more: Any) -> str:
        """Run a script that must succeed without a complaint; return what it printed."""
        finished = self.run(script, *words, **more)
        assert (0, "") == (finished.returncode, finished.stderr)
        return finished.stdout

    def json(self, script: str, *words: str, **more: Any) -> Any:
        """Run a script with --json that must succeed; return its one document."""
        return json.loads(self.done(script, *words, "--json", **more))

    def complaint(self, status: int, script: str, *words: str | bytes, **more: Any) -> str:
        """Run a script that must end in `status` with one line on stderr, nothing on stdout."""
        finished = self.run(script, *words, **more)
        assert (status, "") == (finished.returncode, finished.stdout), finished.stderr
        assert 1 == finished.stderr.count("\n")
        assert finished.stderr.endswith("\n")
        assert finished.stderr.startswith(script)
        return finished.stderr.rstrip("\n")

    def refusal(self, script: str, *words: str | bytes, **more: Any) -> str:
        """Run a script that must refuse its words, and leave Redis as it was."""
        before = self.state()
        line = self.complaint(2, script, *words, **more)
        assert before == self.state()
        return line

    def state(self) -> dict[bytes, Any]:
        """All that Redis holds."""
        read = {b"hash": self.redis.hgetall, b"stream": self.redis.xrange}
        return {
            key: read.get(self.redis.type(key), self.redis.get)(key) for key in self.redis.keys("*")
        }

    def create(self, client_id: str = "orders", scopes: str = "orders:read", *more: str) -> Any:
        """Register a client; return its document, with the secret."""
        return self.json("client", "create", client_id, "--scopes", scopes, *more)

    def client(self, client_id: str = "orders") -> dict[str, str]:
        """What Redis holds of a client."""
        fields = self.redis.hgetall(f"client:{client_id}")
        return {name.decode(): value.decode() for name, value in fields.items()}

    def secrets(self, client_id: str = "orders") -> Any:
        return json.loads(self.client(client_id)["secrets"])

    def audit(self) -> list[dict[str, str]]:
        """The audit stream's entries."""
        return [
            {name.decode(): value.decode() for name, value in fields.items()}
            for _, fields in self.redis.xrange("audit")
        ]

    def now_s(self) -> int:
        return int(self.redis.time()[0])


def answer_on_terminal(ops: Ops, answer: str, *command: str) -> tuple[int, str]:
    """Run a script whose stdin is a terminal where a person types `answer`; status and stderr."""
    here, there = pty.openpty()
    try:
        os.write(here, answer.encode() + b"\n")
        finished = subprocess.run(
            [ROOT / "scripts" / command[0], *command[1:]],
            stdin=there,
            env=ops.env,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        os.close(here)
        os.close(there)
    return finished.returncode, finished.stderr


@contextmanager
def recorded_commands(ops: Ops, folder: Path, programs: Sequence[str]) -> Iterator[Path]:
    """Put in front of each program one that writes its arguments down; yield the log."""
    log = folder / "commands.log"
    log.touch()
    before = ops.env["PATH"]
    for program in programs:
        shim = folder / program
        shim.write_text(
            "#!/bin/bash\n"
            f'printf "%s\\n" {program} "$@" >>"{log}"\n'
            f'PATH="{before}" exec {program} "$@"\n'
        )
        shim.chmod(0o755)
    ops.env["PATH"] = f"{folder}:{before}"
    try:
        yield log
    finally:
        ops.env["PATH"] = before
