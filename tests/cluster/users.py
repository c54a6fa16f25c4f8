"""The users of users.acl on each node of a cluster, with a password that we know."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.redis_cluster import RedisCluster

TEMPLATE = Path(__file__).resolve().parents[2] / "redis" / "users.acl"
PASSWORD = "secret"
NAMES = ("app", "ops", "dashboard", "admin")


def rules(user: str) -> list[str]:
    """Return the words of a user's rule."""
    text = "\n".join(line for line in TEMPLATE.read_text().splitlines() if line[:1] != "#")
    rule = next(one for one in text.split("\nuser ") if one.startswith(f"{user} on"))
    return [f">{PASSWORD}" if word.startswith("#") else word for word in rule.split()]


@contextmanager
def known_to(cluster: RedisCluster) -> Iterator[None]:
    """Have the cluster know the users; in the end it has denied none of them anything."""
    for port in cluster.ports:
        for name in NAMES:
            cluster.run(port, "ACL", "SETUSER", *rules(name))
        cluster.run(port, "ACL", "LOG", "RESET")
    yield
    denied = {port: cluster.run(port, "ACL", "LOG") for port in cluster.ports}
    for port in cluster.ports:
        cluster.run(port, "ACL", "DELUSER", *NAMES)
    assert {port: [] for port in cluster.ports} == denied
