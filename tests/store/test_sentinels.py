"""Which Redis sentinels name, when it is believed, and how long they may take."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from app.errors import StoreUnavailable
from app.line import Line
from tests.processes import until
from tests.service import Clock
from tests.store.canned_redis import CannedRedis, Reply, willing
from tests.store.feed_harness import RedisServer

TIMEOUT_S = 3.0
SHUNNED_S = 1.0


def naming(port: int, epoch: int = 1) -> Callable[[list[str]], Reply]:
    """Answer as a sentinel that knows this port as the primary's."""

    def reply(command: list[str]) -> Reply:
        match command:
            case ["SENTINEL", "MASTER", *_]:
                return b"%%1\r\n+config-epoch\r\n+%d\r\n" % epoch
            case ["SENTINEL", *_]:
                return b"*2\r\n+127.0.0.1\r\n+%d\r\n" % port
        return willing(command)

    return reply


def silent(_: list[str]) -> Reply:
    return None


def knows_nobody(command: list[str]) -> Reply:
    if command[:2] == ["SENTINEL", "MASTER"]:
        return b"-ERR No such master with that name\r\n"
    return b"_\r\n" if command[0] == "SENTINEL" else willing(command)


@pytest.fixture(scope="module")
def servers() -> Iterator[list[RedisServer]]:
    with RedisServer() as one, RedisServer() as other:
        yield [one, other]


@pytest.fixture
def sentinels() -> Iterator[list[CannedRedis]]:
    found = [CannedRedis(None, silent) for _ in range(3)]
    yield found
    for one in found:
        one.close()


@pytest.fixture
def line(sentinels: list[CannedRedis]) -> Iterator[Line]:
    """Its heartbeat is short, so that it has to ask the sentinels all the time."""
    with closing(line_by(sentinels)) as line:
        yield line


def line_by(
    sentinels: list[CannedRedis],
    timeout_s: float = TIMEOUT_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> Line:
    hosts = ",".join(one.url.removeprefix("redis://") for one in sentinels)
    return Line(
        f"sentinel://{hosts}/gate",
        timeout_s=timeout_s,
        heartbeat_s=0.02,
        pause_s=0.02,
        monotonic=monotonic,
    )


def port_asked(line: Line) -> int:
    """Return which Redis answers; 0 when none does."""
    try:
        return int(line.ask(("CONFIG", "GET", "port"))[0]["port"])
    except StoreUnavailable:
        return 0


def wait_a_heartbeat() -> None:
    now = time.monotonic()
    until(lambda: time.monotonic() > now + 0.03)


def test_sentinel_that_knows_of_the_latest_failover_is_believed(
    servers: list[RedisServer], sentinels: list[CannedRedis], line: Line
) -> None:
    """One against two, wherever it stands in the URL; and again when another knows better."""
    one, other = servers
    for newest in range(3):
        for number, sentinel in enumerate(sentinels):
            is_newest = number == newest
            sentinel.reply = naming(one.port if is_newest else other.port, 3 if is_newest else 2)
        wait_a_heartbeat()
        until(lambda: port_asked(line) == one.port)
        wait_a_heartbeat()
        assert one.port == port_asked(line)
        line.close()


def test_line_to_a_primary_that_was_replaced_is_given_up(
    servers: list[RedisServer], sentinels: list[CannedRedis], line: Line
) -> None:
    """It answers, and says that it is the primary; the sentinels know better."""
    one, other = servers
    for sentinel in sentinels:
        sentinel.reply = naming(one.port)
    assert one.port == port_asked(line)
    assert line.is_current()
    sentinels[2].reply = naming(other.port, epoch=2)
    wait_a_heartbeat()
    assert not line.is_current()
    until(lambda: port_asked(line) == other.port)


def test_replica_is_not_believed(
    servers: list[RedisServer], sentinels: list[CannedRedis], line: Line
) -> None:
    """Whoever the sentinels name has to say itself that it is the primary."""
    one, _ = servers
    for sentinel in sentinels:
        sentinel.reply = naming(one.port)
    assert one.port == port_asked(line)
    with one.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            wait_a_heartbeat()
            assert not line.is_current()
            with pytest.raises(StoreUnavailable, match="try again"):
                line.ask(("PING",))
        finally:
            client.replicaof("NO", "ONE")
    until(lambda: port_asked(line) == one.port)


def test_answer_of_a_replica_that_it_takes_no_changes_ends_the_line(
    servers: list[RedisServer],
) -> None:
    """Without sentinels too: whatever leads there may lead to another one the next time."""
    with closing(Line(servers[0].tcp_url, timeout_s=5)) as line, servers[0].client() as client:
        line.ask(("PING",))
        assert line.is_current()
        client.replicaof("127.0.0.1", "1")
        try:
            (reply,) = line.ask(("SET", "revoked:a", "x"))
            assert "READONLY" in str(reply)
            assert not line.is_current()
        finally:
            client.replicaof("NO", "ONE")


@pytest.mark.parametrize("silence", [silent, knows_nobody])
def test_one_sentinel_that_answers_is_enough(
    servers: list[RedisServer],
    sentinels: list[CannedRedis],
    silence: Callable[[list[str]], Reply],
) -> None:
    """Those that do not answer are asked again later, and until then cost no request anything."""
    clock = Clock(100.0)

    def reply(command: list[str]) -> Reply:
        if silence is silent:
            clock.now += TIMEOUT_S / 3
        return silence(command)

    def logins() -> list[int]:
        return [sum(command[0] == "HELLO" for command in one.asked) for one in sentinels[:2]]

    for sentinel in sentinels[:2]:
        sentinel.reply = reply
    sentinels[2].reply = naming(servers[0].port)
    with closing(line_by(sentinels, monotonic=clock)) as line:

        def is_answered() -> bool:
            clock.now += 0.03
            return port_asked(line) == servers[0].port

        until(is_answered)
        clock.now += SHUNNED_S
        assert is_answered()
        before = logins()
        assert [True] * 12 == [is_answered() for _ in range(12)]
        assert before == logins()
        clock.now += SHUNNED_S
        assert is_answered()
        assert [count + 1 for count in before] == logins()


def test_no_sentinel_is_no_answer_within_the_bound(line: Line) -> None:
    """Three that are silent take half of the time together, not a third each."""

    def took_s() -> float:
        until_s = time.monotonic() + 0.25
        until(lambda: time.monotonic() > until_s, what="none is shunned any more")
        began = time.monotonic()
        assert 0 == port_asked(line)
        return time.monotonic() - began

    # A busy machine may add to each of them, and to none of them always.
    until(lambda: TIMEOUT_S / 3 < took_s() < TIMEOUT_S * 0.8, 30)


def test_sentinels_that_are_gone_stop_nobody_who_is_busy(
    servers: list[RedisServer], sentinels: list[CannedRedis]
) -> None:
    """Within half a second of silence nobody can have been replaced; after it, nobody knows."""
    for sentinel in sentinels:
        sentinel.reply = naming(servers[0].port)
    clock = Clock(100.0)
    with closing(line_by(sentinels, monotonic=clock)) as line:
        assert servers[0].port == port_asked(line)
        for sentinel in sentinels:
            sentinel.close()
        for _ in range(30):
            clock.now += 0.03
            assert ["PONG"] == line.ask(("PING",))
        clock.now += 0.6
        assert not line.is_current()
        assert 0 == port_asked(line)


def test_sentinels_that_answer_late_vouch_from_when_they_were_asked(
    servers: list[RedisServer], sentinels: list[CannedRedis]
) -> None:
    """What they knew then is what they told."""
    clock = Clock(100.0)
    name = naming(servers[0].port)

    def late(command: list[str]) -> Reply:
        clock.now += 0.01
        return name(command)

    sentinels[0].reply = late
    with closing(line_by(sentinels[:1], monotonic=clock)) as line:
        assert servers[0].port == port_asked(line)
        asked = len(sentinels[0].asked)
        assert ["PONG"] == line.ask(("PING",))
        assert asked < len(sentinels[0].asked)
