"""One primary, two replicas and three sentinels, as real processes in a folder of their own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from tests.processes import is_alive, state_of, until
from tests.stack import free_port

SERVICE = "gate"
PASSWORD, SENTINEL_PASSWORD = "p@ss/word%", "watch:ful"
QUOTED = "p%40ss%2Fword%25"
DOWN_AFTER_MS = 3000
"""Longer than a busy machine stands still: nobody is to be replaced who was only slow."""


class Node:
    """A redis-server or a sentinel. With a `certificate` it talks by TLS alone."""

    def __init__(self, directory: Path, *options: str, certificate: Path | None = None) -> None:
        self.directory = directory
        self.certificate = certificate
        self.port = free_port()
        self.options = options
        directory.mkdir()

    def start(self, *more: str) -> "Node":
        command = ["redis-server", *self.options, *more]
        if self.certificate is None:
            command += ["--port", str(self.port)]
        else:
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-replication", "yes"]
            command += ["--tls-auth-clients", "no", "--tls-key-file", f"{self.certificate}.key"]
            command += ["--tls-ca-cert-file", str(self.certificate)]
            command += ["--tls-cert-file", str(self.certificate)]
        command += ["--bind", "127.0.0.1", "--dir", str(self.directory)]
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self, password: str = PASSWORD) -> "redis.Redis":
        tls: Any = {"ssl": True, "ssl_ca_certs": str(self.certificate)} if self.certificate else {}
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=password,
            decode_responses=True,
            protocol=2,
            socket_timeout=10,
            **tls,
        )

    def ask(self, *command: str, password: str = PASSWORD) -> Any:
        """Run a command, over a connection of its own; None when there is no answer."""
        with contextlib.suppress(redis.RedisError), self.client(password) as client:
            return client.execute_command(*command)
        return None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: state_of(self.pid) == "T", what="it stops")

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def make_certificate(directory: Path) -> Path:
    """Make a certificate for this machine, which is its own authority."""
    path = directory / "certificate"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-subj", "/CN=gate"]
    command += [
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    command += ["-days", "2", "-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


class SentinelGroup:
    """`primary` is who was it at the beginning; `named` who the sentinels say it is now."""

    def __init__(self, *options: str, has_tls: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self._certificate = make_certificate(self.directory) if has_tls else None
        login = ("--requirepass", PASSWORD, "--masterauth", PASSWORD)
        # Written at once, if not synced: by default Redis waits while the disk is busy.
        shared = (*login, "--appendonly", "yes", "--appendfsync", "no", "--save", "", *options)
        shared = (*shared, "--repl-diskless-sync-delay", "0", "--maxmemory", "64mb")
        self.nodes = [
            Node(self.directory / f"redis-{n}", *shared, certificate=self._certificate)
            for n in range(3)
        ]
        self.primary, *self.replicas = self.nodes
        self.sentinels: list[Node] = []

    def start(self) -> "SentinelGroup":
        self.primary.start()
        for replica in self.replicas:
            replica.start("--replicaof", "127.0.0.1", str(self.primary.port))
        until(self.is_replicating, 60, "replicas are up")
        self.sentinels = [self._sentinel(number) for number in range(3)]
        until(lambda: all(map(self._knows_all, self.sentinels)), 60, "sentinels know each other")
        return self

    def _sentinel(self, number: int) -> Node:
        directory = self.directory / f"sentinel-{number}"
        words = str(directory / "sentinel.conf"), "--sentinel"
        node = Node(directory, *words, certificate=self._certificate)
        watched = {
            "monitor": f"127.0.0.1 {self.primary.port} 2",
            "auth-pass": PASSWORD,
            "down-after-milliseconds": str(DOWN_AFTER_MS),
            "failover-timeout": "3000",
            "parallel-syncs": "2",
        }
        lines = [f"sentinel {name} {SERVICE} {value}" for name, value in watched.items()]
        lines += [f"requirepass {SENTINEL_PASSWORD}", f"sentinel sentinel-pass {SENTINEL_PASSWORD}"]
        (directory / "sentinel.conf").write_text("\n".join(lines) + "\n")
        return node.start()

    def is_replicating(self) -> bool:
        """Tell whether both replicas have all that the primary has."""
        role = self.primary.ask("ROLE")
        return bool(role) and [one[2] for one in role[2]] == [str(role[1])] * 2

    def _knows_all(self, sentinel: Node) -> bool:
        flat = sentinel.ask("SENTINEL", "MASTER", SERVICE, password=SENTINEL_PASSWORD) or []
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        return [found.get(name) for name in ("num-slaves", "num-other-sentinels")] == ["2", "2"]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        query = f"sentinel_password={SENTINEL_PASSWORD}"
        if self._certificate is None:
            return f"sentinel://:{QUOTED}@{hosts}/{SERVICE}?{query}"
        query += f"&ssl_ca_certs={self._certificate}"
        return f"sentinels://:{QUOTED}@{hosts}/{SERVICE}?{query}"

    def named(self) -> set[int]:
        """Return the ports that the sentinels give as the primary's."""
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        answers = [one.ask(*question, password=SENTINEL_PASSWORD) for one in self.sentinels]
        return {int(port) for _, port in filter(None, answers)}

    def settled(self) -> Node:
        """Return the primary, as soon as all sentinels name it and both replicas follow it."""
        with self.hurried():
            node = until(self._followed_by_both, 60, "all agree, and both replicas follow")
            until(lambda: all(map(self._knows_all, self.sentinels)), 60, "sentinels know all")
        return node

    def _followed_by_both(self) -> Node | None:
        """Return who is named by all and followed; a moment after a failover nobody may be."""
        named = self.named()
        node = self.node_at(named.pop()) if len(named) == 1 else None
        role = node.ask("ROLE") if node else None
        is_followed = role and role[0] == "master" and len(role[2]) == 2
        return node if is_followed else None

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """Have the sentinels put things in order within a second instead of ten."""
        self._pace(info_ms=500, publish_ms=250)
        try:
            yield
        finally:
            self._pace(info_ms=10_000, publish_ms=2_000)

    def _pace(self, info_ms: int, publish_ms: int) -> None:
        words = ("INFO-PERIOD", str(info_ms), "PUBLISH-PERIOD", str(publish_ms))
        for one in self.sentinels:
            one.ask("SENTINEL", "DEBUG", *words, password=SENTINEL_PASSWORD)

    @contextlib.contextmanager
    def cut_off(self, primary: Node) -> Iterator[None]:
        """Let no replica copy anything from the primary any more."""
        replicas = [node for node in self.nodes if node is not primary]
        for replica in replicas:
            replica.ask("CONFIG", "SET", "masterauth", "wrong")
        primary.ask("CLIENT", "KILL", "TYPE", "replica")
        until(lambda: (primary.ask("ROLE") or [0, 0, [0]])[2] == [], what="nobody follows")
        try:
            yield
        finally:
            for replica in replicas:
                replica.ask("CONFIG", "SET", "masterauth", PASSWORD)

    def node_at(self, port: int) -> Node:
        return next(node for node in self.nodes if node.port == port)

    def stop(self) -> None:
        for node in [*self.sentinels, *self.nodes]:
            if is_alive(node.pid):
                node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "SentinelGroup":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
