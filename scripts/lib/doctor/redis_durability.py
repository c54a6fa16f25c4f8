"""What Redis would do to revocations: lose them, evict them, or run out of room."""

from __future__ import annotations

from collections.abc import Iterator

from .finding import Finding
from .places import setting
from .redis_peer import FAILURES, RedisError, ask, pairs, place_of

ASKED = ("appendonly", "maxmemory-policy", "maxmemory", "io-threads")


def url() -> str:
    """Where Redis is, as scripts/client finds it; "" when nothing says so."""
    found = setting("REDIS_URL") or _of_socket(setting("REDIS_SOCKET"))
    found = found or setting("REDIS_URL", "demo.env")
    return found or _of_socket(setting("REDIS_SOCKET", "demo.env"))


def _of_socket(path: str) -> str:
    return f"unix://{path}" if path else ""


def find(redis_url: str) -> Iterator[Finding]:
    place = f"Redis at {place_of(redis_url)}"
    try:
        config = _config(redis_url)
    except FAILURES as error:
        yield Finding(
            place,
            0,
            f"cannot be asked for its configuration: {error}",
            "start it, or set REDIS_URL to a user that may run CONFIG GET (ops, in users.acl)",
        )
        return
    for is_wrong, problem, remedy in _judged(config):
        if is_wrong:
            yield Finding(place, 0, problem, remedy)


def _judged(config: dict[str, str]) -> list[tuple[bool, str, str]]:
    """Each setting that revocations depend on: is it wrong, what that means, the remedy."""
    return [
        (
            config["appendonly"] != "yes",
            "appendonly is off: after a restart revocations and clients are gone",
            "CONFIG SET appendonly yes, and the same in redis.conf",
        ),
        (
            config["maxmemory-policy"] != "noeviction",
            f"maxmemory-policy is {config['maxmemory-policy']}: "
            "with little room left it forgets revocations",
            "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
        ),
        (
            config["maxmemory"] == "0",
            "maxmemory is not set: it grows until the machine kills it",
            "CONFIG SET maxmemory 512mb, or what the machine can spare, and the same in redis.conf",
        ),
        (
            config.get("io-threads", "1") != "1",
            f"io-threads is {config.get('io-threads')}: a revocation may be acknowledged before "
            "the workers have been told of it",
            "io-threads 1 in redis.conf, and a restart",
        ),
    ]


def _config(redis_url: str) -> dict[str, str]:
    found = pairs(ask(redis_url, "CONFIG", "GET", *ASKED))
    if len(found) != len(ASKED):
        raise RedisError("an answer that is no configuration")
    return found
