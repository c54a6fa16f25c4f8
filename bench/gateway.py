"""A private gateway under measurement: the product's own stack, its app within reach of wrk."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from tests.processes import kill, until
from tests.stack import ROOT, Stack, free_port

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PATIENCE_MS = "1000"
"""Ten times the shipped limit: here Redis shares the cores with the load generator, and whoever
else takes them for a moment must not turn into refusals."""

_NOT_THE_APPS = {"HTTP_PORT", "OPS_PORT", "OPS_URL", "TOKEN_URL", "REDIS_SOCKET", "DATABASE_URL"}


class Gateway:
    """What `make up` runs, with two workers. `straight_port` leads to the app past nginx."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        self.straight_port = free_port()
        self.stack = Stack(
            ALG=alg, WORKERS="2", REDIS_TIMEOUT_MS=_PATIENCE_MS, MTLS_URL="https://bench.example"
        )
        self._app: subprocess.Popen[bytes] | None = None
        self.workers: list[int] = []

    def __enter__(self) -> "Gateway":
        self.stack.__enter__()
        try:
            self._bind_the_app_to_tcp()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._app:
            for pid in (self._app.pid, *self.stack.workers()):  # no order to keep, nothing to save
                kill(pid)
            self._app.wait()
        self.stack.stop()

    @property
    def run_dir(self) -> Path:
        return self.stack.run_dir

    @property
    def socket(self) -> Path:
        return self.run_dir / "app.sock"

    def _bind_the_app_to_tcp(self) -> None:
        """Start the app again just as `make up` does, listening on one address more.

        wrk speaks to no unix socket.
        """
        for pid in (self.stack.pid("app"), *self.stack.workers()):  # idle: nothing to be lost
            kill(pid)
        settings = self.stack.settings("app.env")
        environ = {key: value for key, value in settings.items() if key not in _NOT_THE_APPS}
        self._app = start_gunicorn(
            self.run_dir,
            "app.main:application()",
            [f"unix:{self.socket}", f"127.0.0.1:{self.straight_port}"],
            {**environ, "RUN_DIR": str(self.run_dir), "WORKERS": "2"},
        )
        (self.run_dir / "app.pid").write_text(f"{self._app.pid}\n")
        until(self._is_ready, what=f"the app is ready; see {self.run_dir}/log/bench-app.log")
        self.workers = self.stack.workers()

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return len(self.stack.workers()) == 2 and self.stack.call("/health").status == 200
        return False


def start_gunicorn(
    run_dir: Path, application: str, binds: list[str], environ: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start gunicorn with the product's own settings, in a session of its own."""
    flags = [part for bind in binds for part in ("--bind", bind)]
    with (run_dir / "log" / "bench-app.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", *flags, application],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def cpu_s(pids: list[int]) -> float:
    """Return the processor time that these processes have used, threads included."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} is gone")
