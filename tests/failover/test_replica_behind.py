"""The primary is lost with changes that no replica has: nothing that was dead lives again."""

from collections.abc import Iterator

import pytest

from tests.failover.model import Model, dataset_of
from tests.failover.sentinel_group import Node, SentinelGroup
from tests.stack import Stack, until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stack(group: SentinelGroup) -> Iterator[Stack]:
    """A gateway that waits for no replica: what it acknowledges may be lost."""
    with Stack(REDIS_URL=group.url) as stack:
        yield stack


def marks_of(primary: Node) -> object:
    return primary.ask("HGETALL", "tide:{dataset}")


def changes_that_nobody_copies(stack: Stack, group: SentinelGroup, primary: Node) -> dict[str, str]:
    """Make each kind of change at the primary alone; return the tokens that are dead by it."""
    cut = stack.client_create("cut-off", "demo:read")
    killed = stack.client_create("killed", "demo:read")
    replicas = [node for node in group.nodes if node is not primary]
    until(lambda: all(one.ask("EXISTS", "client:killed") for one in replicas), what="it is copied")
    tokens = {
        "revoked": stack.mint(),
        "typed": stack.mint(),
        "disabled": stack.mint(cut),
        "killed": stack.mint(killed),
    }
    unspent = [stack.mint(path="/ott") for _ in range(5)]
    with group.cut_off(primary):
        marks = marks_of(primary)
        stack.revoke(tokens["revoked"])
        stack.script("token", "revoke", tokens["typed"])
        # One whose answer comes too late is 503, and may be used up.
        spent = (one for one in unspent if stack.call("/demo/any", one).status == 200)
        tokens["spent"] = next(spent)
        stack.script("client", "disable", cut[0])
        stack.script("token", "revoke-client", killed[0])
        for name, token in tokens.items():
            assert 401 == status_of(stack, token), name
        until(lambda: marks_of(primary) != marks, what="a change is confirmed")
        primary.kill()
    return tokens


def test_failover_to_a_replica_that_was_behind_revives_nothing(
    stack: Stack, group: SentinelGroup
) -> None:
    """Whatever was revoked, spent or cut off stays dead; clients mint again, and are served."""
    old = group.settled()
    with Model(stack) as model:
        first = model.good
        dead = changes_that_nobody_copies(stack, group, old)
        model.wait_until_served()
    old.start()
    group.settled()
    assert [] == model.wrong
    assert 1 == model.tried["data sets ended"]
    assert dataset_of(first) != dataset_of(model.good)
    model.check_all()
    for name, token in dead.items():
        assert 401 == status_of(stack, token), name
    assert 401 == status_of(stack, first)
    assert 200 == status_of(stack, stack.mint())
    log = (stack.run_dir / "log" / "app.log").read_text()
    assert 1 <= log.count(f"Data set {dataset_of(first)} ends and ")


def status_of(stack: Stack, token: str) -> int:
    """Call until there is a decision."""

    def decided() -> int | None:
        status = stack.call("/demo/any", token).status
        return None if status == 503 else status

    return until(decided, what="it is decided")
