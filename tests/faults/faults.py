"""Ways to hurt a running gateway, each as a context: inside it hurts, afterwards it has ended."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import redis
from tests.relay import in_front_of
from tests.stack import Stack, until

Hurt = Callable[[Stack], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`loses_data`: what was minted before is dead afterwards."""

    name: str
    hurt: Hurt
    loses_data: bool = False


@contextmanager
def redis_killed(stack: Stack) -> Iterator[None]:
    stack.kill("redis")
    yield
    stack.start()


@contextmanager
def redis_frozen(stack: Stack) -> Iterator[None]:
    stack.freeze("redis")
    yield
    stack.thaw("redis")


@contextmanager
def redis_paused(stack: Stack) -> Iterator[None]:
    """Redis takes questions and answers them half a second later: nothing could end it sooner."""
    with stack.redis as client:
        client.execute_command("CLIENT", "PAUSE", 500, "ALL")
        yield
        client.ping()


@contextmanager
def redis_full(stack: Stack) -> Iterator[None]:
    """No room for writes: Redis refuses them and goes on reading."""
    with stack.redis as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", before)


@contextmanager
def disk_full(stack: Stack) -> Iterator[None]:
    """The file system that all of it writes to, which the test has made a small one."""
    filler = stack.run_dir / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with worker_killed(stack):
        yield
    filler.unlink()
    with stack.redis as client:
        until(lambda: _writes(client), 30, what="redis writes again")


def _writes(client: "redis.Redis") -> bool:
    try:
        return bool(client.set("ott:none", "1", ex=1))
    except redis.ResponseError:
        return False


@contextmanager
def emptied(stack: Stack) -> Iterator[None]:
    """All is gone; who runs it brings clients and routes back by hand."""
    with stack.redis as client:
        kept = {key: client.hgetall(key) for key in [*client.scan_iter("client:*"), "routes"]}
        client.flushall()
        for key, fields in kept.items():
            client.hset(key, mapping=fields)
    yield


@contextmanager
def slow(stack: Stack) -> Iterator[None]:
    """Each answer of Redis comes later than the gateway waits."""

    def late(data: bytes) -> Iterable[bytes]:
        time.sleep(0.3)  # the fault itself
        return (data,)

    with between(stack, late):
        yield


@contextmanager
def garbled(stack: Stack) -> Iterator[None]:
    """Answers of Redis come cut, or with something in front of them."""
    turn = iter(range(10**9))

    def spoilt(data: bytes) -> Iterable[bytes]:
        return (b"?!\r\n" + data,) if next(turn) % 2 else (data[: len(data) // 2], b"\r\n")

    with between(stack, spoilt):
        yield


@contextmanager
def between(stack: Stack, spoil: Callable[[bytes], Iterable[bytes]]) -> Iterator[None]:
    """Put a relay between the app and Redis, for the connections that are made from now on."""
    with in_front_of(stack.run_dir / "redis.sock", spoil) as relay:
        with redis.Redis(unix_socket_path=relay.target, protocol=2) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL")
        yield


@contextmanager
def worker_killed(stack: Stack) -> Iterator[None]:
    before = stack.workers()
    os.kill(before[0], signal.SIGKILL)
    yield
    until(lambda: len(stack.workers()) == len(before), what="a worker takes its place")


@contextmanager
def worker_frozen(stack: Stack) -> Iterator[None]:
    worker = stack.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    yield
    os.kill(worker, signal.SIGCONT)


@contextmanager
def app_reloaded(stack: Stack) -> Iterator[None]:
    before = stack.workers()
    os.kill(stack.pid("app"), signal.SIGHUP)
    yield
    until(lambda: not set(before) & set(stack.workers()), 30, what="old workers end")


FAULTS = (
    Fault("redis killed", redis_killed),
    Fault("redis frozen", redis_frozen),
    Fault("redis paused", redis_paused),
    Fault("redis out of memory", redis_full),
    Fault("disk full", disk_full),
    Fault("redis emptied", emptied, loses_data=True),
    Fault("redis slow", slow),
    Fault("redis garbled", garbled),
    Fault("worker killed", worker_killed),
    Fault("worker frozen", worker_frozen),
    Fault("app reloaded", app_reloaded),
)
