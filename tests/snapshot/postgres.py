"""A private Postgres cluster, as a user who may run one: root may not."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import until
from tests.stack import free_port

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
Connection = psycopg.Connection[tuple[Any, ...]]


def _as_somebody() -> tuple[list[str], int]:
    """The words that go before a command, and whose files it will write."""
    if os.getuid() != 0:
        return [], os.getuid()
    words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    return words, pwd.getpwnam("postgres").pw_uid


@contextmanager
def cluster() -> Iterator[str]:
    """Yield the URL of its empty database, without a name: append one."""
    prefix, uid = _as_somebody()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    os.chown(folder, uid, -1)
    data, port, programs = folder / "data", free_port(), _FOLDERS[-1]
    make = [*prefix, f"{programs}/initdb", "-D", str(data), "-U", "portcullis", "-A", "trust"]
    make += ["--no-sync", "--locale=C.UTF-8", "--encoding=UTF8"]
    subprocess.run(make, check=True, capture_output=True, cwd=folder)
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",
        "shared_buffers": "64MB",
        "max_connections": 20,
        "timezone": "Asia/Kathmandu",  # not the one that anything here may take for granted
    }
    command = [*prefix, f"{programs}/postgres", "-D", str(data)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    url = f"postgresql://portcullis@127.0.0.1:{port}/"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        until(lambda: _answers(f"{url}postgres"), timeout_s=60, what="postgres answers")
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)  # at once, but not without tidying its shared memory
        server.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def waiting(url: str) -> int:
    """Return how many sessions of the cluster wait for a lock, as it is now."""
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
