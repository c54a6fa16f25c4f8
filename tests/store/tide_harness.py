"""A gateway's workers on a Redis whose data can be exchanged for an older copy."""

import re
import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from app.line import Line
from app.tide import Tide
from app.tide_file import TideFile
from tests.processes import until
from tests.service import DATASET
from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of, token_of

DEAD, GOOD = token_of("dead"), token_of("good")


class Gateway:
    """Workers that share one tide file. `confirm` does what their journal's thread does."""

    def __init__(self, server: RedisServer, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self._stack = ExitStack()
        self.tides: list[Tide] = []

    def worker(self) -> FeedWorker:
        tide = Tide(TideFile(self.directory))
        self.tides.append(tide)
        return self._stack.enter_context(FeedWorker(self.server.unix_url, tide=tide))

    def confirm(self) -> None:
        for tide in self.tides:
            line = Line(self.server.unix_url, timeout_s=5, watched=(), tide=tide)
            with closing(line):
                line.confirm_changes()
                assert not tide.is_dirty()

    def close(self) -> None:
        self._stack.close()


def revoke(worker: FeedWorker, name: str = "dead") -> None:
    worker.store.revoke(jti_of(name), NOW + 3600, "x")


def copy_of(server: RedisServer, name: str = "older.rdb") -> Path:
    """Have Redis write its file, and keep a copy."""
    with server.client() as client:
        client.save()
    return Path(shutil.copy(server.directory / "dump.rdb", server.directory / name))


def put_back(server: RedisServer, copy: Path) -> None:
    server.kill()
    shutil.copy(copy, server.directory / "dump.rdb")
    server.start()


def dataset_id(server: RedisServer) -> str:
    with server.client() as client:
        return str(client.hget("dataset", "id"))


def decided(worker: FeedWorker, token: str) -> str:
    """Return the first answer that is not 503: a line may be found broken at any question."""
    answers = iter(lambda: worker.reason(token), "")
    return until(lambda: next(answers).replace("store_unavailable", ""), 20)


def assert_begun_anew(server: RedisServer, *workers: FeedWorker) -> None:
    """All tokens from before are dead, in every worker; the next data set is in force."""
    for worker in workers:
        assert ["revoked"] * 2 == [decided(worker, token) for token in (DEAD, GOOD)]
    begun = dataset_id(server)
    assert re.fullmatch("[0-9a-f]{8}", begun)
    assert DATASET != begun
    fresh = f"Bearer {begun}.fresh demo"
    assert {"ok"} == {worker.reason(fresh) for worker in workers}


def assert_same_as_before(server: RedisServer, *workers: FeedWorker) -> None:
    for worker in workers:
        assert ["ok", "revoked"] == [decided(worker, token) for token in (GOOD, DEAD)]
    assert DATASET == dataset_id(server)


def flush(client: Any, command: str = "FLUSHALL") -> None:
    """Empty Redis, which answers before it announces that; whatever it says next comes after."""
    client.execute_command(command)
    client.ping()


def follow(primary: RedisServer, replica: RedisServer) -> None:
    with replica.client() as client:
        client.replicaof("127.0.0.1", str(primary.port))
        until(lambda: client.info("replication")["master_link_status"] == "up", 30)
        until(lambda: client.hget("dataset", "id") == DATASET)


def swap(primary: RedisServer, replica: RedisServer) -> None:
    """Kill the primary and let the replica be found at its address."""
    primary.kill()
    primary.path.unlink(missing_ok=True)
    primary.path.symlink_to(replica.path)
