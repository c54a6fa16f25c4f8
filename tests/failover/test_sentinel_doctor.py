"""What scripts/doctor says of a REDIS_URL that begins with sentinel://."""

from collections.abc import Iterator

import pytest
from doctor import redis_replicas, sentinels

from tests.failover.sentinel_group import SERVICE, SentinelGroup
from tests.processes import until
from tests.stack import free_port


def problems(url: str) -> list[str]:
    return [f"{one.place}: {one.problem}" for one in sentinels.find(url)]


@pytest.fixture
def whole(group: SentinelGroup, monkeypatch: pytest.MonkeyPatch) -> Iterator[SentinelGroup]:
    monkeypatch.delenv("REPLICAS_TO_ACK", raising=False)
    monkeypatch.setenv("RUN_DIR", "/nowhere")
    group.settled()
    yield group
    group.settled()


def test_group_that_is_whole_is_no_finding(
    whole: SentinelGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three sentinels that agree, two replicas in step, each node with an append-only file."""
    assert [] == problems(whole.url)
    monkeypatch.setenv("REPLICAS_TO_ACK", "2")
    assert [] == problems(whole.url)


def test_more_replicas_to_wait_for_than_there_are_is_found(
    whole: SentinelGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No revocation would ever be acknowledged."""
    monkeypatch.setenv("REPLICAS_TO_ACK", "3")
    (found,) = problems(whole.url)
    assert "REPLICAS_TO_ACK is 3 and 2 replicas are in step" in found


def test_primary_that_wants_more_replicas_than_there_are_is_found(whole: SentinelGroup) -> None:
    """min-replicas-to-write refuses every change."""
    primary = whole.settled()
    primary.ask("CONFIG", "SET", "min-replicas-to-write", "3")
    try:
        (found,) = problems(whole.url)
    finally:
        primary.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    assert "min-replicas-to-write is 3 and 2 replicas are in step" in found


def test_replica_that_would_lose_what_it_has_is_found(whole: SentinelGroup) -> None:
    """It may be the primary tomorrow."""
    primary = whole.settled()
    replica = next(node for node in whole.nodes if node is not primary)
    replica.ask("CONFIG", "SET", "appendonly", "no")
    try:
        (found,) = problems(whole.url)
    finally:
        replica.ask("CONFIG", "SET", "appendonly", "yes")
    assert found.startswith(f"Redis at 127.0.0.1:{replica.port}: appendonly is off")


def test_sentinel_that_does_not_answer_is_found(whole: SentinelGroup) -> None:
    """By its own address; the others are believed."""
    port = free_port()
    (found,) = problems(whole.url.replace("@127", f"@127.0.0.1:{port},127", 1))
    assert found.startswith(f"sentinel at 127.0.0.1:{port}: cannot be asked: ")


def test_too_few_sentinels_to_replace_a_primary_is_found(whole: SentinelGroup) -> None:
    """Two of three are down: the one that is left can only look on."""
    gone = whole.sentinels[1:]
    try:
        for one in gone:
            one.kill()
        until(lambda: "NOQUORUM" in " ".join(problems(whole.url)), 30, "it is noticed")
        found = problems(whole.url)
    finally:
        for one in gone:
            one.start()
    assert 3 == len(found), found
    assert "there is no quorum, so nobody replaces a primary that fails" in found[2]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"/{SERVICE}", "/nobody", "cannot be asked: it knows no nobody"),
        ("watch:ful", "hush", "cannot be asked: WRONGPASS"),
    ],
)
def test_nobody_who_names_a_primary_is_found(
    whole: SentinelGroup, old: str, new: str, said: str
) -> None:
    """Each sentinel says why; no password is shown."""
    *each, last = problems(whole.url.replace(old, new))
    assert ["sentinel at"] * 3 == [one[:11] for one in each]
    assert all(said in one for one in each)
    assert "no sentinel names a primary for" in last
    assert "hush" not in " ".join((*each, last))


def test_url_that_cannot_be_read_is_found() -> None:
    """In the words of the app, and without its password."""
    (found,) = problems("sentinel://:hush@127.0.0.1:1")
    assert "REDIS_URL: cannot be used: it must be sentinel://" in found
    assert "hush" not in found


LINE = "ip=10.0.0.2,port=6379,state={},offset={},lag={}"


@pytest.mark.parametrize(
    ("state", "offset", "lag_s", "said"),
    [
        ("online", 5_000_000, 0, ""),
        ("online", 4_000_000, 10, ""),
        ("wait_bgsave", 0, 0, "is not in step yet (wait_bgsave)"),
        ("online", 5_000_000, 11, "has been silent for 11 s"),
        ("online", 3_999_999, 0, "is 1,000,001 bytes behind"),
    ],
)
def test_replica_counts_while_it_is_in_step(state: str, offset: int, lag_s: int, said: str) -> None:
    """As its primary tells of it in INFO."""
    info = {"master_repl_offset": "5000000", "slave0": LINE.format(state, offset, lag_s)}
    (replica,) = redis_replicas.replicas_of(info)
    assert ("10.0.0.2:6379", said) == (replica.address, replica.lag())


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ("role:master\r\nmaster_repl_offset:0\r\n", "it has no replica"),
        ("role:slave\r\n", "it is a replica, which takes no changes"),
        (
            f"role:master\r\nmaster_repl_offset:9\r\nslave0:{LINE.format('online', 9, 60)}\r\n",
            "its replica 10.0.0.2:6379 has been silent for 60 s",
        ),
    ],
)
def test_group_that_nobody_could_take_over_is_found(
    info: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in one finding."""
    answers = {"INFO": info, "CONFIG": ["min-replicas-to-write", "0"]}
    monkeypatch.setattr(redis_replicas, "ask", lambda _url, word, *_: answers[word])
    monkeypatch.delenv("REPLICAS_TO_ACK", raising=False)
    monkeypatch.setenv("RUN_DIR", "/nowhere")
    (found,) = redis_replicas.find("redis://u:hush@a:1", is_watched=True)
    assert "Redis at a:1" == found.place
    assert found.problem.startswith(said)
