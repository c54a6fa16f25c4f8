"""Gateways other than nginx with their shipped examples, between the real /validate and a stub."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.nginx_harness import is_open
from tests.e2e.recording_server import Received, RecordingServer, reply
from tests.processes import until
from tests.stack import ROOT, Stack, free_port
from tests.wire import Address, Answer, Closed, Connection, Headers, ask, request

EXAMPLES = ROOT / "examples" / "gateways"
KINDS = ("caddy", "apache", "haproxy")
_APACHE_MODULES = Path("/usr/lib/apache2/modules")
# What Debian's apache2.conf and `a2enmod` say in many files.
_APACHE = """
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
ServerName localhost
{user}
{modules}
<Directory />
    Require all denied
</Directory>
Include {folder}/portcullis.conf
"""
_PATIENCE = {
    "dial_timeout 250ms": "dial_timeout 20s",
    "response_header_timeout 1s": "response_header_timeout 20s",
    "LONGEST_S = 1": "LONGEST_S = 20",
    "lua-load": "tune.lua.session-timeout 60s\n    lua-load",
    "timeout connect 1s": "timeout connect 20s",
    "CONNECT_S, ANSWER_S = 0.25, 1": "CONNECT_S, ANSWER_S = 20, 20",
}
_MODULES = (
    "mpm_event",
    "authz_core",
    "setenvif",
    "unique_id",
    "lua",
    "proxy",
    "proxy_http",
)


@dataclass
class Front:
    """One gateway. `judge` stands before the real /validate and keeps what it was asked."""

    kind: str
    port: int
    judge: RecordingServer
    upstream: RecordingServer
    stack: Stack

    @property
    def address(self) -> Address:
        return "127.0.0.1", self.port

    def call(
        self,
        path: str = "/orders/1",
        token: str | None = None,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
    ) -> Answer:
        """Make one call, over a connection of its own."""
        return ask(self.address, request(method, path, headers, body, token=token), 60)

    def forget(self) -> None:
        """Empty both records, and let the judge be the real one."""
        self.judge.received.clear()
        self.upstream.received.clear()
        self.judge.answering = self.real_judge

    def real_judge(self, asked: Received) -> bytes:
        """Pass a question on to the ops listener, as it came, and its answer back."""
        raw = "\r\n".join([asked.line, *(f"{name}: {value}" for name, value in asked.headers)])
        with Connection(self.stack.ops_address) as connection:
            try:
                answer = connection.ask(f"{raw}\r\n\r\n".encode("latin-1") + asked.body)
            except Closed:
                return b""
        return answer.head + b"\r\n\r\n" + answer.body


@contextmanager
def gateway(kind: str, stack: Stack, *, is_patient: bool = True) -> Iterator[Front]:
    """Run the shipped example of a kind, with addresses of its own.

    A patient one waits longer than the shipped one for an answer: here others take the cores.
    """
    port, ops_port, upstream_port = free_port(), free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix=f"portcullis-{kind}-"))
    folder.chmod(0o755)  # Apache's workers become www-data
    upstream = RecordingServer(("127.0.0.1", upstream_port), lambda _: reply(200, body=b"up"))
    judge = RecordingServer(("127.0.0.1", ops_port), lambda _: b"")
    front = Front(kind, port, judge, upstream, stack)
    front.forget()
    for source in (EXAMPLES / kind).iterdir():
        text = source.read_text()
        for old, new in {
            ":8088": f":{port}",
            "127.0.0.1:9090": f"127.0.0.1:{ops_port}",
            "127.0.0.1 9090": f"127.0.0.1 {ops_port}",
            "127.0.0.1:8000": f"127.0.0.1:{upstream_port}",
            "/etc/apache2/": f"{folder}/",
            "/etc/haproxy/": f"{folder}/",
        }.items():
            text = text.replace(old, new)
        for shipped, patient in _PATIENCE.items() if is_patient else ():
            text = text.replace(shipped, patient)
        (folder / source.name).write_text(text)
    try:
        with _running(_command(kind, folder), folder, port):
            yield front
    finally:
        judge.close()
        upstream.close()
        shutil.rmtree(folder)


def _command(kind: str, folder: Path) -> list[str]:
    if kind == "caddy":
        config = str(folder / "Caddyfile")
        return ["caddy", "run", "--config", config, "--adapter", "caddyfile"]
    if kind == "haproxy":
        return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    modules = "\n".join(
        f"LoadModule {name}_module {_APACHE_MODULES}/mod_{name}.so" for name in _MODULES
    )
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    whole = folder / "apache2.conf"
    whole.write_text(_APACHE.format(folder=folder, modules=modules, user=user))
    return ["apache2", "-f", str(whole), "-D", "FOREGROUND"]


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    environ = {"PATH": path, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    program = shutil.which(command[0], path=path) or command[0]
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]], env=environ, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, cwd=folder,
        )  # fmt: skip
    try:
        until(lambda: is_open(port) or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)
