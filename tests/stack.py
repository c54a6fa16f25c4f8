"""A private gateway made by the product's own scripts: nginx, the app, the demo and Redis."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import redis
from tests.leaks import leaks
from tests.patience import be_patient
from tests.processes import children, free_port, is_alive, kill, state_of, until
from tests.wire import PATIENCE_S, Address, Answer, Connection, Headers, ask, form, request

Credentials = tuple[str, str]
"""A client id and its secret."""

__all__ = [
    "AS_SHIPPED",
    "COMPONENTS",
    "PATIENT",
    "ROOT",
    "Credentials",
    "Stack",
    "children",
    "free_port",
    "is_alive",
    "kill",
    "state_of",
    "until",
]

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = ("nginx", "demo", "app", "redis")
PATIENT = {"REDIS_TIMEOUT_MS": "5000"}
"""A machine that stands still for a moment is no defect; tests of failing Redis use AS_SHIPPED."""
AS_SHIPPED = {"REDIS_TIMEOUT_MS": "150"}
_OURS = (
    *("REDIS_", "CLIENT_", "KEYS_", "TOKEN_", "OPS_", "HTTP_", "ISSUER", "AUDIENCE", "ALG"),
    *("ADMIN_", "DASHBOARD_", "CANARY_", "TRACES", "OTEL_", "MTLS_", "JWKS_"),
    *("REPLICAS_", "APPENDFSYNC", "STATE_DIR"),
)


class Stack:
    """One `scripts/up` with ports and a folder of its own. `changes` are environment variables."""

    def __init__(self, **changes: str) -> None:
        self.run_dir = Path(tempfile.mkdtemp(prefix="portcullis-"))
        self.http_port, self.ops_port = free_port(20_000), free_port(26_000)
        self._changes = {
            "RUN_DIR": str(self.run_dir),
            "HTTP_PORT": str(self.http_port),
            "OPS_PORT": str(self.ops_port),
            "WORKERS": "2",
            **PATIENT,
            **changes,
        }
        self._is_patient = "REDIS_TIMEOUT_MS" not in changes
        self._patient_nginx = 0
        self.given: list[str] = []
        """Every token and every secret that it has handed out."""

    # Starting and stopping

    def start(self) -> "Stack":
        """Run `scripts/up`; also brings back what has been killed since, and only that."""
        self.printed = self.script("up").stdout
        if self._is_patient:
            self._be_patient()
        return self

    def _be_patient(self) -> None:
        """Have nginx wait as long for the app as the app does for Redis, and longer."""
        be_patient(self.run_dir / "nginx")
        if self._patient_nginx != self.pid("nginx"):
            self.reload_nginx()
            self._patient_nginx = self.pid("nginx")

    def stop(self) -> None:
        """End all of it and remove the folder."""
        self._end()
        self._remove()

    def _end(self) -> None:
        """Run `scripts/down`."""
        for name in COMPONENTS:
            with contextlib.suppress(OSError, ValueError):
                os.kill(self.pid(name), signal.SIGCONT)
        # What is thrown away need not take leave of anybody: that takes seconds.
        with contextlib.suppress(OSError, ValueError):
            app = self.pid("app")
            for pid in (app, *children(app)):
                os.kill(pid, signal.SIGKILL)
        self.script("down")

    def _remove(self) -> None:
        """Remove the folder, unless KEEP_RUN_DIR is set."""
        if "KEEP_RUN_DIR" not in os.environ:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def __enter__(self) -> "Stack":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, error: object, *_: object) -> None:
        """Stop; when all went well, nothing that it has written may hold a token or a secret."""
        self._end()
        found = {} if error else leaks(self.run_dir, self.given)
        self._remove()
        assert not found, found

    def script(
        self, name: str, *arguments: str, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of scripts/ on this stack; fail when it does."""
        done = subprocess.run(
            [ROOT / "scripts" / name, *arguments],
            env=self.environ(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.stderr}"
        return done

    def environ(self, **changes: str) -> dict[str, str]:
        """The environment of its scripts: this process's, without what would lead elsewhere."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        return {**kept, **self._changes, **changes}

    # Where things are

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    @property
    def address(self) -> Address:
        return "127.0.0.1", self.http_port

    @property
    def ops_address(self) -> Address:
        return "127.0.0.1", self.ops_port

    @property
    def app_address(self) -> Address:
        """The app's own socket, without nginx."""
        return str(self.run_dir / "app.sock")

    @property
    def redis(self) -> "redis.Redis":
        """A new connection to its Redis, as the owner of the machine."""
        return redis.Redis(
            unix_socket_path=str(self.run_dir / "redis.sock"), decode_responses=True, protocol=2
        )

    @property
    def demo(self) -> Credentials:
        """The demo client, as `demo.env` tells of it."""
        found = self.settings("demo.env")
        return found["CLIENT_ID"], found["CLIENT_SECRET"]

    def settings(self, name: str) -> dict[str, str]:
        """Return the KEY=value lines of a file in the folder."""
        lines = (self.run_dir / name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    # Talking to it

    def connect(self, timeout_s: float = PATIENCE_S) -> Connection:
        """A connection to the public listener, to be kept."""
        return Connection(self.address, timeout_s)

    def call(
        self,
        path: str,
        token: str | None = None,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
        timeout_s: float = PATIENCE_S,
    ) -> Answer:
        """Make one call on the public listener, over a connection of its own."""
        return ask(self.address, request(method, path, headers, body, token=token), timeout_s)

    def form(self, path: str, fields: object, headers: Headers = ()) -> Answer:
        """POST a form to the public listener."""
        return ask(self.address, form(path, fields, headers))

    def asked_by(self, client: Credentials, path: str, **fields: str) -> Answer:
        """POST a form as a client, by client_secret_post."""
        return self.form(path, {"client_id": client[0], "client_secret": client[1], **fields})

    def mint(self, client: Credentials | None = None, path: str = "/token", **fields: str) -> str:
        """Return a fresh access token, of the demo client when no other is named.

        A busy machine may say 503 before; who wants to know it asks by `asked_by`.
        """
        fields = {"grant_type": "client_credentials", **fields}
        answer = until(lambda: self._decided(client, path, fields), what=f"{path} is answered")
        assert answer.status == 200, answer.body
        self.given.append(answer.json()["access_token"])
        return self.given[-1]

    def revoke(self, token: str, client: Credentials | None = None) -> None:
        """Revoke a token as its client, the demo client when no other is named.

        A busy machine may say 503 before; who wants to know it asks by `asked_by`.
        """
        fields = {"token": token}
        answer = until(lambda: self._decided(client, "/revoke", fields), what="it is revoked")
        assert answer.status == 200, answer.body

    def _decided(
        self, client: Credentials | None, path: str, fields: dict[str, str]
    ) -> Answer | None:
        answer = self.asked_by(client or self.demo, path, **fields)
        return None if answer.status == 503 and answer.header("Retry-After") else answer

    def client_create(self, client_id: str, scopes: str, **options: str) -> Credentials:
        """Register a client by scripts/client; options with `_` for `-`, such as ttl_s="1"."""
        flags = [part for key, value in options.items() for part in (_flag(key), value)]
        done = self.script("client", "create", client_id, "--scopes", scopes, *flags, "--json")
        self.given.append(json.loads(done.stdout)["client_secret"])
        return client_id, self.given[-1]

    def access_log(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the access log's entries that have these values."""
        lines = (self.run_dir / "log" / "access.json").read_text().splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in entries if wanted.items() <= entry.items()]

    # Hurting it

    def pid(self, name: str) -> int:
        """Return the main process of a component: nginx, app, demo or redis."""
        return int((self.run_dir / f"{name}.pid").read_text())

    def workers(self, name: str = "app") -> list[int]:
        """Return the living workers of a component, oldest first."""
        return sorted(pid for pid in children(self.pid(name)) if is_alive(pid))

    def kill(self, name: str) -> None:
        """SIGKILL a component's main process, and wait until it is gone."""
        kill(self.pid(name))

    def reload_nginx(self) -> None:
        """Let new workers of nginx take over, which have no connections yet."""
        before = self.workers("nginx")
        os.kill(self.pid("nginx"), signal.SIGHUP)
        until(lambda: not set(before) & set(self.workers("nginx")), what="old workers end")

    def freeze(self, name: str) -> None:
        """SIGSTOP a component's main process, and wait until it stands still."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state_of(pid) == "T", what=f"{name} stops")

    def thaw(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
