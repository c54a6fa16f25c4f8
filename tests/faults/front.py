"""The shipped example of an nginx in front of several gateways, as a process."""

import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.nginx_harness import USER, is_open, running
from tests.processes import children, until
from tests.stack import ROOT, Stack, free_port
from tests.wire import Address

EXAMPLE = (ROOT / "nginx" / "example-front.conf").read_text()
MAIN = f"""
{USER}
worker_processes 1;
pid <folder>/nginx.pid;
error_log <folder>/error.log info;
events {{}}
http {{
    client_body_temp_path <folder>/body; proxy_temp_path <folder>/proxy;
    fastcgi_temp_path <folder>/fastcgi; uwsgi_temp_path <folder>/uwsgi;
    scgi_temp_path <folder>/scgi;
    access_log off;
    include <folder>/front.conf;
}}
"""


class Front:
    """nginx/example-front.conf on a port of its own, without TLS, before these gateways."""

    def __init__(self, gateways: Sequence[Stack]) -> None:
        self._gateways = gateways
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory("front")))
        self.port = free_port()

    @property
    def address(self) -> Address:
        return "127.0.0.1", self.port

    def _write(self, out: Sequence[Stack] = ()) -> Path:
        text = EXAMPLE.replace("listen 8444 ssl http2;", f"listen 127.0.0.1:{self.port};")
        kept = [line for line in text.splitlines() if "ssl_certificate" not in line]
        text = "\n".join(kept)
        for example, gateway in zip(
            ("10.0.0.11:8080", "10.0.0.12:8080"), self._gateways, strict=True
        ):
            server = f"127.0.0.1:{gateway.http_port}" + (" down" if gateway in out else "")
            assert example in text
            text = text.replace(example, server)
        (self._folder / "front.conf").write_text(text)
        main = self._folder / "nginx.conf"
        main.write_text(MAIN.replace("<folder>", str(self._folder)))
        return main

    def take_out(self, *gateways: Stack) -> None:
        """Send these gateways nothing from now on, and wait until they have answered all."""
        self._write(gateways)
        before = children(self._process.pid)
        os.kill(self._process.pid, signal.SIGHUP)
        until(lambda: not set(before) & set(children(self._process.pid)), what="old workers end")

    def __enter__(self) -> "Front":
        self._process = self._stack.enter_context(running(self._write(), self.port))
        until(lambda: is_open(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
