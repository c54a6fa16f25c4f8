"""nginx in front, one worker: the shipped includes, the app or a no-op behind them."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.entrances import CERTIFICATE
from tests.processes import children, until
from tests.stack import free_port
from tests.wire import Connection, request

_RATE = re.compile("rate=[0-9]+r/s")
_SENT_AT = "X-Request-Start $msec"
_NEVER_LATE = "X-Request-Start 9999999999.000"
_CONFIG = """{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pcre_jit on;
daemon off;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
    server_tokens off;
    keepalive_requests 10000000;
    large_client_header_buffers 4 32k;
{servers}
}}
"""
_FRONT = """
    include portcullis-http.conf;
    map $request_uri $bench_certificate {{
        /bound "{certificate}";
        default "";
    }}
    server {{
        listen 127.0.0.1:{port};
        include portcullis-server.conf;
        include portcullis-endpoints.conf;
        location = /protected {{
            set $portcullis_scope "bench:read";
            include portcullis-protect.conf;
            root {folder};
        }}
        location = /bound {{
            set $portcullis_scope "bench:read";
            include portcullis-protect.conf;
            root {folder};
        }}
    }}
"""
_NOOP = """
    server {{
        listen unix:{socket};
        {headers}
        location / {{ return 204; }}
    }}
"""


class Nginx:
    """One nginx with a folder of its own. `worker` is the process that does the work."""

    def __init__(self, folder: Path, servers: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # As root, nginx's worker would become nobody, who may not enter the folder.
        user = "user root;" if os.getuid() == 0 else ""
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(user=user, folder=folder, servers=servers))
        log = folder / "error.log"
        self._process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-e", str(log), "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._has_worker, what=f"nginx starts; see {log}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    @property
    def worker(self) -> int:
        return children(self._process.pid)[0]

    def _has_worker(self) -> bool:
        assert self._process.poll() is None, "nginx stopped at once"
        return bool(children(self._process.pid))


class Front(Nginx):
    """The shipped gateway before a backend: `/protected` and `/bound` are files of a few bytes.

    `shipped` is where `make up` has rendered nginx's files for `app_socket`; here they lead to
    `backend`, as_measured; and whoever asks for `/bound` has shown a certificate.
    """

    def __init__(self, folder: Path, shipped: Path, app_socket: Path, backend: Path) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        for path in shipped.glob("portcullis-*.conf"):
            text = path.read_text().replace(f"unix:{app_socket}", f"unix:{backend}")
            text = text.replace("$ssl_client_escaped_cert", "$bench_certificate")
            (folder / path.name).write_text(as_measured(text))
        for name in ("protected", "bound"):
            (folder / name).write_text("ok\n")
        servers = _FRONT.format(port=self.port, folder=folder, certificate=CERTIFICATE.header)
        super().__init__(folder, servers)


def as_measured(include: str) -> str:
    """Put two limits of a shipped include out of reach, at what they cost.

    The endpoints' rate, which is meant for one address; and the age at which the app turns away
    what it is asked, for as many connections as here are a queue that stands.
    """
    return _RATE.sub("rate=1000000r/s", include).replace(_SENT_AT, _NEVER_LATE)


class Noop(Nginx):
    """An auth backend that lets everything pass, with the headers of a real answer."""

    def __init__(self, folder: Path, headers: Sequence[tuple[str, str]]) -> None:
        self.socket = folder / "noop.sock"
        lines = [f'add_header {name} "{value}";' for name, value in headers]
        super().__init__(folder, _NOOP.format(socket=self.socket, headers="\n".join(lines)))


def headers_of_a_pass(socket: Path, token: str) -> list[tuple[str, str]]:
    """Return the X-Auth headers with which the app lets this token pass."""
    connection = Connection(str(socket))
    answer = connection.ask(request("GET", "/validate", token=token))
    connection.close()
    assert answer.status == 204, answer
    return [
        (name, answer.header(name) or "")
        for name in sorted(answer.names())
        if name.startswith("x-auth-")
    ]


def find_missing_tools() -> list[str]:
    """Return the names of the programs that the bench needs and that are not there."""
    return [name for name in ("wrk", "nginx", "redis-cli") if shutil.which(name) is None]
