"""All that is measured against: gateways, their fronts, the no-op, the empty application."""

import contextlib
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.entrances import Entrance, Straight, ThroughNginx
from bench.front import Front, Noop, headers_of_a_pass
from bench.gateway import Gateway, start_gunicorn
from bench.tokens import Signer
from tests.processes import children, until
from tests.stack import free_port
from tests.wire import Connection, request

_CLIENTS = 100


@dataclass(frozen=True, slots=True)
class Target:
    """A server to put under load, and the processes whose cost is its cost."""

    entrance: Entrance
    processes: list[int]


class Testbed(contextlib.ExitStack):
    """Starts what a run needs when it first needs it; stops all of it at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-b")))
        self._gateways: dict[str, Gateway] = {}
        self._signers: dict[str, Signer] = {}
        self._targets: dict[tuple[str, str], Target] = {}

    def __exit__(self, *exc: object) -> bool | None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it
        return super().__exit__(*exc)  # type: ignore[arg-type]

    def gateway(self, alg: str) -> Gateway:
        """Return the gateway that signs with `alg`."""
        if alg not in self._gateways:
            self._gateways[alg], self._signers[alg] = self._start(alg)
        return self._gateways[alg]

    def signer(self, alg: str) -> Signer:
        """Return who makes tokens of that gateway."""
        self.gateway(alg)
        return self._signers[alg]

    def target(self, alg: str, way: str) -> Target:
        """Return a way into a gateway: "nginx", "straight" or, for its yardstick, "noop"."""
        if (alg, way) not in self._targets:
            self._targets[alg, way] = self._enter(self.gateway(alg), self.signer(alg), way)
        return self._targets[alg, way]

    def fresh_gateway(self) -> tuple[Gateway, Signer, Target]:
        """Return a gateway that nothing has been asked of yet, entered through nginx."""
        gateway, signer = self._start("ES256")
        return gateway, signer, self._enter(gateway, signer, "nginx")

    def empty_app(self) -> Target:
        """Return an empty Falcon application on the gateway's kind and number of workers."""
        if ("", "empty") not in self._targets:
            self._targets["", "empty"] = self._start_empty_app()
        return self._targets["", "empty"]

    def _start(self, alg: str) -> tuple[Gateway, Signer]:
        gateway = self.enter_context(Gateway(alg))
        signer = self.enter_context(Signer(gateway))
        signer.add_clients(_CLIENTS)
        return gateway, signer

    def _enter(self, gateway: Gateway, signer: Signer, way: str) -> Target:
        if way == "nginx":
            return Target(ThroughNginx(self._front(gateway, gateway.socket)), gateway.workers)
        if way == "straight":
            return Target(Straight(gateway.straight_port), gateway.workers)
        headers = headers_of_a_pass(gateway.socket, signer.sign(1)[0].text)
        noop = self.enter_context(Noop(gateway.run_dir / "bench-noop", headers))
        return Target(ThroughNginx(self._front(gateway, noop.socket)), [noop.worker])

    def _front(self, gateway: Gateway, backend: Path) -> int:
        folder = gateway.run_dir / f"bench-front-{backend.stem}"
        shipped = gateway.run_dir / "nginx"
        return self.enter_context(Front(folder, shipped, gateway.socket, backend)).port

    def _start_empty_app(self) -> Target:
        port = free_port()
        (self.folder / "log").mkdir()
        environ = {"RUN_DIR": str(self.folder), "WORKERS": "2", "PATH": os.environ["PATH"]}
        app = start_gunicorn(
            self.folder, "bench.empty_app:application()", [f"127.0.0.1:{port}"], environ
        )
        self.callback(_stop, app)
        until(lambda: len(children(app.pid)) == 2 and _answers(port), what="the empty app starts")
        return Target(Straight(port), children(app.pid))


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        connection = Connection(("127.0.0.1", port))
        answer = connection.ask(request("GET", "/health"))
        connection.close()
        return answer.status == 200
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
