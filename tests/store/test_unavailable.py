"""Whatever is not a certain answer is an unavailable store, and never a decision."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import StoreUnavailable
from app.line import Line
from app.store import Store
from tests.processes import until
from tests.service import Clock, client_fields
from tests.store.canned_redis import CannedRedis
from tests.store.conftest import Backend

QUESTIONS: dict[str, Callable[[Store], Any]] = {
    "ping": lambda store: store.ping(),
    "client": lambda store: store.learn("demo"),
    "revocation": lambda store: store.learn(jti="j"),
    "world": lambda store: store.learn(world=True),
    "routes": lambda store: store.learn(routes=True),
    "arm": lambda store: store.arm("j", 4_000_000_000),
    "revoke": lambda store: store.revoke("j", 4_000_000_000, "x"),
    "is unspent": lambda store: store.is_unspent("j"),
    "spend": lambda store: store.spend("j", "r"),
    "rate": lambda store: store.take("rate:demo", rate_per_s=5, wanted=1),
}
ASK = pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)


@pytest.fixture
def canned(tmp_path: Path) -> Iterator[CannedRedis]:
    server = CannedRedis(tmp_path / "redis.sock")
    yield server
    server.close()


StoreAt = Callable[[str, float], Store]


@pytest.fixture
def store_at() -> Iterator[StoreAt]:
    """Make a store on a line to a URL, with a timeout in seconds; hang up at the end."""
    lines = []

    def made(url: str, timeout_s: float) -> Store:
        lines.append(Line(url, timeout_s=timeout_s, pause_s=0))
        return Store(lines[-1], clock=Clock())

    yield made
    for line in lines:
        line.close()


@ASK
@pytest.mark.parametrize(
    "error",
    [
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
        "NOPERM User app has no permissions to run this command",
        "NOAUTH Authentication required.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "MOVED 1234 127.0.0.1:7001",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR unknown command",
        "NOSCRIPT No matching script. Please use EVAL.",
    ],
)
def test_error_reply_decides_nothing(
    canned: CannedRedis, store_at: StoreAt, ask: Callable[[Store], Any], error: str
) -> None:
    """Each question, each way in which Redis can refuse to answer."""
    canned.says(f"-{error}\r\n".encode())
    with pytest.raises(StoreUnavailable):
        ask(store_at(canned.url, 5))


@ASK
@pytest.mark.parametrize(
    "reply", [b"!!!\r\n", b"*-5\r\n", b":abc\r\n", b"$3\r\nabcdef\r\n", b"?\r\n"]
)
def test_reply_outside_the_protocol_decides_nothing(
    canned: CannedRedis, store_at: StoreAt, ask: Callable[[Store], Any], reply: bytes
) -> None:
    """Another server on that port, or a broken one."""
    canned.says(reply)
    with pytest.raises(StoreUnavailable):
        ask(store_at(canned.url, 0.1))


def is_answered(store: Store) -> bool:
    try:
        store.ping()
    except StoreUnavailable:
        return False
    return True


@ASK
def test_silence_decides_nothing_within_its_time(
    canned: CannedRedis, store_at: StoreAt, ask: Callable[[Store], Any]
) -> None:
    """A Redis that takes the question and never answers costs one timeout."""
    store = store_at(canned.url, 0.2)
    until(lambda: is_answered(store))
    canned.says(None)
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        ask(store)
    assert time.monotonic() - begun < 8


def test_login_that_nobody_answers_costs_half_a_timeout_more(
    canned: CannedRedis, store_at: StoreAt
) -> None:
    """A frozen Redis is connected to all the same: 150 ms and the half of it are within 250."""
    canned.reply = lambda _: None

    def took_s() -> float:
        begun = time.monotonic()
        assert not is_answered(store_at(canned.url, 1.0))
        return time.monotonic() - begun

    # A busy machine may add to each of them, and to none of them always.
    until(lambda: 1 <= took_s() < 1.8, 30)


@ASK
def test_refused_connection_decides_nothing(
    tmp_path: Path, store_at: StoreAt, ask: Callable[[Store], Any]
) -> None:
    """Nobody listens there, on a unix socket and on TCP."""
    for url in (f"unix://{tmp_path}/nowhere.sock", "redis://127.0.0.1:1"):
        with pytest.raises(StoreUnavailable):
            ask(store_at(url, 5))


@ASK
def test_connection_that_breaks_decides_nothing(
    canned: CannedRedis, store_at: StoreAt, ask: Callable[[Store], Any]
) -> None:
    """Hung up in the middle of an answer: half of it is not believed."""
    store = store_at(canned.url, 0.2)
    until(lambda: is_answered(store))
    canned.says(b"$100\r\nhalf")
    with pytest.raises(StoreUnavailable):
        ask(store)


@ASK
def test_flushed_scripts_are_loaded_again(backend: Backend, ask: Callable[[Store], Any]) -> None:
    """`SCRIPT FLUSH`, or a restart, costs a round trip and no answer."""
    ask(backend.store)
    backend.redis.script_flush()
    ask(backend.store)


def wrong_type(key: str) -> Callable[[Backend], Any]:
    return lambda backend: backend.redis.rpush(key, "a list")


def client(**fields: str) -> Callable[[Backend], Any]:
    mapping: Any = client_fields(**fields)
    return lambda backend: backend.redis.hset("client:demo", mapping=mapping)


def client_without(name: str) -> Callable[[Backend], Any]:
    mapping: Any = {key: value for key, value in client_fields().items() if key != name}
    return lambda backend: backend.redis.hset("client:demo", mapping=mapping)


GARBAGE: list[tuple[str, str, Callable[[Backend], Any]]] = [
    ("client of another type", "client", wrong_type("client:demo")),
    ("not-before of another type", "client", wrong_type("notbefore:demo")),
    ("global not-before of another type", "world", wrong_type("notbefore:*")),
    ("data set of another type", "world", wrong_type("dataset")),
    ("routes of another type", "routes", wrong_type("routes")),
    ("note of another type", "spend", wrong_type("spent:{ott:j}")),
    ("rate of another type", "rate", wrong_type("rate:demo")),
    ("rate state is a word", "rate", lambda backend: backend.redis.set("rate:demo", "soon")),
    ("client without status", "client", client_without("status")),
    ("client without scopes", "client", client_without("scopes")),
    ("client without secrets", "client", client_without("secrets")),
    ("secrets are no JSON", "client", client(secrets="[{")),
    ("secrets are no list", "client", client(secrets="7")),
    ("secrets are nested deep", "client", client(secrets="[" * 50_000)),
    ("secret has no salt", "client", client(secrets='[{"id":"1","hash":"00"}]')),
    ("lifetime is a word", "client", client(ttl_s="long")),
    ("rate is a word", "client", client(rate_per_s="many")),
    ("rate is zero", "client", client(rate_per_s="0")),
    ("rate is a fraction", "client", client(rate_per_s="0.5")),
]


@pytest.mark.parametrize(
    ("question", "spoil"),
    [one[1:] for one in GARBAGE],
    ids=[one[0] for one in GARBAGE],
)
def test_value_that_cannot_be_read_decides_nothing(
    backend: Backend, question: str, spoil: Callable[[Backend], Any]
) -> None:
    """Neither yes nor no, on either Redis."""
    spoil(backend)
    with pytest.raises(StoreUnavailable):
        QUESTIONS[question](backend.store)


def test_detail_for_the_log_is_not_for_the_caller(canned: CannedRedis, store_at: StoreAt) -> None:
    """What Redis said is kept apart from the text that goes out."""
    canned.says(b"-NOPERM User app has no permissions\r\n")
    with pytest.raises(StoreUnavailable) as raised:
        store_at(canned.url, 5).ping()
    assert "NOPERM" in raised.value.detail
    assert "NOPERM" not in str(raised.value)
