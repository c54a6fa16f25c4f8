"""A Redis Cluster as real processes: three primaries, a replica for each, on loopback."""

import contextlib
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis.crc import key_slot

import redis
from app.topology import Node, parse
from tests.processes import is_alive, kill, state_of, until
from tests.stack import free_port

PRIMARIES = 3
SLOTS = 16_384
CALM_MS = 15_000
"""Nobody is given up for being slow on a busy machine."""

QUICK_MS = 1_000


class RedisCluster:
    """Each node is known by its port. `options` are for all of them."""

    def __init__(self, *options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cluster-"))
        self.ports: list[int] = []
        self._options = options
        self._pids: dict[int, subprocess.Popen[bytes]] = {}
        self._bus: dict[int, int] = {}
        self._elected: dict[int, float] = {}

    # Making it

    def __enter__(self) -> "RedisCluster":
        try:
            for _ in range(2 * PRIMARIES):
                self.add_process()
            self._introduce(self.ports)
            self._share_slots()
            self._attach_replicas()
            until(self.is_well, timeout_s=60, what="the cluster is well")
            self.be_patient(CALM_MS)
        except BaseException:
            self.stop()
            raise
        return self

    def add_process(self) -> int:
        """Start a node that knows nobody; return its port."""
        port = bus = free_port(14_000)
        while bus == port:
            bus = free_port(14_000)
        self._bus[port] = bus
        self.start(port)
        self.ports.append(port)
        return port

    def start(self, port: int) -> None:
        """Start a node's process, again with what it has on disk."""
        folder = self.directory / str(port)
        folder.mkdir(exist_ok=True)
        command = ["redis-server", "--port", str(port), "--cluster-port", str(self._bus[port])]
        command += ["--bind", "127.0.0.1", "--dir", str(folder), "--logfile", f"{folder}/log"]
        command += ["--cluster-enabled", "yes", "--cluster-node-timeout", str(QUICK_MS)]
        command += ["--save", "", "--appendonly", "yes", "--repl-diskless-sync-delay", "0"]
        # By default Redis keeps its file waiting for up to two seconds while the disk is busy.
        command += ["--appendfsync", "no"]
        self._pids[port] = subprocess.Popen([*command, *self._options], stdout=subprocess.DEVNULL)
        until(lambda: self._answers(port), timeout_s=30, what=f"{port} answers")

    def join(self, port: int) -> None:
        """Make a node one of the cluster, as a primary without slots."""
        self._introduce([self.ports[0], port])
        until(self.is_well, timeout_s=60, what=f"{port} is one of the cluster")

    def _introduce(self, ports: list[int]) -> None:
        for port in ports[1:]:
            self.run(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, self._bus[port])

    def _share_slots(self) -> None:
        edges = [SLOTS * number // PRIMARIES for number in range(PRIMARIES + 1)]
        for port, first, end in zip(self.ports, edges, edges[1:], strict=False):
            self.run(port, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)

    def _attach_replicas(self) -> None:
        for primary, port in zip(self.ports, self.ports[PRIMARIES:], strict=False):
            until(lambda port=port, primary=primary: self._replicates(port, primary), 30)  # type: ignore[misc]

    def _replicates(self, port: int, primary: int) -> bool:
        with contextlib.suppress(redis.ResponseError):  # they have not met yet
            return bool(self.run(port, "CLUSTER", "REPLICATE", self.node(primary).node_id) == "OK")
        return False

    def _answers(self, port: int) -> bool:
        assert self._pids[port].poll() is None, f"{port} ended"
        try:
            return bool(self.run(port, "PING"))
        except redis.BusyLoadingError:
            return False
        except redis.ConnectionError:
            return False

    def is_well(self) -> bool:
        """Tell whether all nodes know each other, serve, and replicas have what there is."""
        for port in self.ports:
            role = self.run(port, "ROLE")
            info = str(self.run(port, "CLUSTER", "INFO"))
            if (
                "cluster_state:ok" not in info
                or any(node.flags & {"fail", "fail?", "handshake"} for node in self.nodes(port))
                or len(self.nodes(port)) != len(self.ports)
                or (role[0] == "slave" and role[3] != "connected")
            ):
                return False
        return True

    # Asking it

    @property
    def url(self) -> str:
        """As REDIS_URL says it; two of the nodes are enough to find all."""
        return f"cluster://127.0.0.1:{self.ports[1]},127.0.0.1:{self.ports[2]}"

    def url_of(self, user: str, password: str) -> str:
        return self.url.replace("://", f"://{user}:{password}@")

    def client(self, port: int) -> "redis.Redis":
        """A connection to one node, which follows nobody elsewhere."""
        return redis.Redis(port=port, decode_responses=True, protocol=2, socket_timeout=5)

    def run(self, port: int, *command: str | int) -> Any:
        """Run one command on one node."""
        with self.client(port) as client:
            return client.execute_command(*command)

    def nodes(self, port: int) -> tuple[Node, ...]:
        """Return what a node says of all nodes."""
        with self.client(port) as client:
            connection: Any = client.connection_pool.get_connection()
            connection.send_command("CLUSTER NODES")
            return parse(str(connection.read_response()), f"127.0.0.1:{port}")

    def node(self, port: int) -> Node:
        """Return what a node says of itself."""
        return next(node for node in self.nodes(port) if node.is_self)

    def alive(self) -> Iterator[int]:
        """Yield the nodes that run."""
        for port in self.ports:
            if state_of(self._pids[port].pid) not in {"", "Z", "T"}:
                yield port

    def owner(self, key: str) -> int:
        """Return the node that owns a key, by its own account."""
        return self.owner_of_slot(key_slot(key.encode()))

    def owner_of_slot(self, slot: int) -> int:
        """Return the node that owns a slot, by its own account; wait while nobody does."""

        def owner() -> int | None:
            for port in self.alive():
                with contextlib.suppress(redis.ConnectionError):
                    if any(first <= slot <= last for first, last in self.node(port).slots):
                        return port
            return None

        return until(owner, what=f"somebody owns {slot}")

    def replica_of(self, primary: int) -> int:
        """Return a node that replicates another one."""
        node_id = self.node(primary).node_id
        return until(
            lambda: next(
                (port for port in self.alive() if self.node(port).primary_id == node_id), None
            ),
            what=f"{primary} has a replica",
        )

    def do(self, *command: str | int) -> Any:
        """Run a command, whose first word after the name is its key, where the key belongs."""
        return self.run(self.owner(str(command[1])), *command)

    # Changing it

    def be_patient(self, node_timeout_ms: int) -> None:
        """Say how long a node may be silent before it is given up."""
        for port in self.alive():
            self.run(port, "CONFIG", "SET", "cluster-node-timeout", node_timeout_ms)

    def pid(self, port: int) -> int:
        return self._pids[port].pid

    def kill(self, port: int) -> None:
        kill(self.pid(port))
        self._pids[port].wait()

    def freeze(self, port: int) -> None:
        os.kill(self.pid(port), signal.SIGSTOP)
        until(lambda: state_of(self.pid(port)) == "T", what=f"{port} stops")

    def thaw(self, port: int) -> None:
        os.kill(self.pid(port), signal.SIGCONT)

    def take_over(self, replica: int) -> None:
        """Have a replica take over in order, and return as soon as it says that it has.

        Redis 7.0 forgets to forget its votes: a node that was elected within the last four node
        timeouts takes over without being elected, and steps back a moment later.
        """
        until(
            lambda: time.monotonic() - self._elected.get(replica, -math.inf) > 4.5 * QUICK_MS / 1000
        )
        self._elected[replica] = time.monotonic()
        self.be_patient(QUICK_MS)
        with self.client(replica) as client:
            client.execute_command("CLUSTER FAILOVER")
            until(lambda: client.role()[0] == "master", what=f"{replica} takes over")

    def is_primary(self, port: int) -> bool:
        try:
            return bool(self.run(port, "ROLE")[0] == "master")
        except redis.ConnectionError:
            return False

    def move_slot(self, slot: int, source: int, target: int) -> None:
        """Move a slot with its keys while it is in use, as `redis-cli --cluster reshard` does."""
        for _ in self.steps_of_a_move(slot, source, target):
            pass

    def steps_of_a_move(self, slot: int, source: int, target: int) -> Iterator[str]:
        """Move a slot step by step, and yield after each of them."""
        ids = {port: self.node(port).node_id for port in (source, target)}
        self.run(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        yield "imports"
        self.run(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        yield "migrates"
        while keys := self.run(source, "CLUSTER", "GETKEYSINSLOT", slot, 1):
            self.run(source, "MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *keys)
            yield f"moves {keys[0].rpartition('.')[2]}"
        self.run(target, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        yield "is taken"
        for port in [port for port in self.alive() if self.is_primary(port)]:
            self.run(port, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        yield "is given"

    def forget(self, port: int) -> None:
        """Take a node out that owns nothing."""
        node_id = self.node(port).node_id
        self.kill(port)
        self.ports.remove(port)
        for other in self.ports:
            self.run(other, "CLUSTER", "FORGET", node_id)

    def mend(self) -> None:
        """Bring everybody back, and calm."""
        for port in self.ports:
            if not is_alive(self.pid(port)):
                self.start(port)
            self.thaw(port)
        until(self.is_well, timeout_s=60, what="the cluster is well")
        self.be_patient(CALM_MS)

    # Ending it

    def stop(self) -> None:
        for process in self._pids.values():
            if is_alive(process.pid):
                process.kill()
            process.wait()
        shutil.rmtree(self.directory)

    def __exit__(self, *_: object) -> None:
        self.stop()
