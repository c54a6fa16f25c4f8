"""Which Redis there is to look at: the one of REDIS_URL, or all that its sentinels know."""

from __future__ import annotations

from collections.abc import Iterator

from app.sentinel_url import SCHEMES, SentinelUrl

from . import redis_durability, redis_replicas
from .finding import Finding
from .redis_peer import FAILURES, RedisError, ask, pairs, place_of


def find(redis_url: str) -> Iterator[Finding]:
    """Look at Redis, wherever REDIS_URL leads; of a cluster, at each node that it names."""
    if redis_url.startswith("cluster://"):
        who, at, nodes = redis_url.removeprefix("cluster://").rpartition("@")
        for one in nodes.rstrip("/").split(","):
            yield from redis_durability.find(f"redis://{who}{at}{one}")
        return
    if not redis_url.startswith(SCHEMES):
        yield from redis_durability.find(redis_url)
        yield from redis_replicas.find(redis_url, is_watched=False)
        return
    try:
        named = SentinelUrl.parse(redis_url)
    except ValueError as error:
        yield Finding("REDIS_URL", 0, f"cannot be used: it {error}", "see README, Configuration")
        return
    answers: list[tuple[int, str, str]] = []
    for sentinel in named.sentinels:
        yield from _asked(sentinel, named.service, answers)
    if not answers:
        problem = f"no sentinel names a primary for {named.service}: all is answered with 503"
        yield Finding("REDIS_URL", 0, problem, "start the sentinels, or correct the service's name")
        return
    _, primary, sentinel = max(answers)
    yield from _agreement(answers)
    yield from _quorum(sentinel, named.service)
    yield from _group(named, primary)


def _asked(sentinel: str, service: str, answers: list[tuple[int, str, str]]) -> Iterator[Finding]:
    """Note the epoch and the address that a sentinel knows."""
    place = f"sentinel at {place_of(sentinel)}"
    try:
        address = ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        if address is None:
            raise RedisError(f"it knows no {service}")
        state = pairs(ask(sentinel, "SENTINEL", "MASTER", service))
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        answers.append((int(state["config-epoch"]), f"{host}:{address[1]}", sentinel))
    except (*FAILURES, LookupError) as error:
        remedy = "start it, correct its password or the service's name, or take it out of REDIS_URL"
        yield Finding(place, 0, f"cannot be asked: {error}", remedy)
        return
    if "o_down" in state.get("flags", "") or "s_down" in state.get("flags", ""):
        problem = f"it holds the primary, {host}:{address[1]}, to be down"
        yield Finding(place, 0, problem, "wait for the failover, and look again")


def _agreement(answers: list[tuple[int, str, str]]) -> Iterator[Finding]:
    found = {address for _, address, _ in answers}
    if len(found) > 1:
        problem = f"the sentinels name several primaries: {', '.join(sorted(found))}"
        remedy = "wait for the failover to end; if it lasts, SENTINEL RESET on the one that lags"
        yield Finding("REDIS_URL", 0, problem, remedy)


def _quorum(sentinel: str, service: str) -> Iterator[Finding]:
    try:
        ask(sentinel, "SENTINEL", "CKQUORUM", service)
    except FAILURES as error:
        place = f"sentinel at {place_of(sentinel)}"
        problem = f"there is no quorum, so nobody replaces a primary that fails: {error}"
        yield Finding(place, 0, problem, "start the other sentinels; see SENTINEL CKQUORUM")


def _group(named: SentinelUrl, primary: str) -> Iterator[Finding]:
    """Look at the primary and, since each may be the next one, at its replicas."""
    url = named.redis_at(primary)
    yield from redis_durability.find(url)
    yield from redis_replicas.find(url, is_watched=True)
    try:
        replicas = redis_replicas.replicas_of(redis_replicas.info_of(url))
    except FAILURES:
        return
    for one in replicas:
        yield from redis_durability.find(named.redis_at(one.address))
