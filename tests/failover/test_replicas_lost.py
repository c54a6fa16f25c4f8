"""A gateway that needs a replica, when there is none: changes are made, and not acknowledged."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.failover.sentinel_group import SentinelGroup
from tests.processes import until
from tests.stack import ROOT, Stack
from tests.wire import Answer, ask, request


@contextmanager
def replicas_frozen(group: SentinelGroup) -> Iterator[None]:
    primary = group.settled()
    replicas = [node for node in group.nodes if node is not primary]
    try:
        for node in replicas:
            node.freeze()
        yield
    finally:
        for node in replicas:
            node.thaw()
        group.settled()


def revoke(stack: Stack, token: str) -> Answer:
    return stack.asked_by(stack.demo, "/revoke", token=token)


def test_revocation_without_replicas_is_made_and_not_acknowledged(
    stack: Stack, group: SentinelGroup
) -> None:
    """503 with Retry-After, in words; refused all the same; counted, and in the trail."""
    token = stack.mint()
    with replicas_frozen(group):
        before = not_replicated(stack)
        answer = until(lambda: is_done(revoke(stack, token)), what="it is made")
        assert (503, "1") == (answer.status, answer.header("Retry-After"))
        assert 401 == status_of(stack, token)
        assert before < not_replicated(stack)
        until(lambda: revocations_in_the_trail(stack), what="the trail has it")
    until(lambda: revoke(stack, token).status == 200, what="it is acknowledged at last")


def is_done(answer: Answer) -> Answer | None:
    """Return the answer that says so; a busy machine may say before that it could not be done."""
    said = "it is done, but may yet be lost" in answer.json()["error_description"]
    return answer if said else None


def not_replicated(stack: Stack) -> float:
    metrics = ask(stack.ops_address, request("GET", "/metrics")).body.decode()
    (line,) = re.findall(r"^portcullis_changes_not_replicated_total .*", metrics, re.MULTILINE)
    return float(str(line).split(" ")[1])


def status_of(stack: Stack, token: str) -> int:
    """Call until there is a decision."""
    return until(lambda: stack.call("/demo/read", token).status % 503, what="it is decided")


def revocations_in_the_trail(stack: Stack) -> int:
    done = stack.script("audit", "--event", "revoke", "--json")
    return len(json.loads(done.stdout))


def test_script_without_replicas_says_so_and_ends_in_1(stack: Stack, group: SentinelGroup) -> None:
    """It reads REPLICAS_TO_ACK where the gateway does; good calls go on meanwhile."""
    token, other = stack.mint(), stack.mint()
    with replicas_frozen(group):
        done = subprocess.run(
            [ROOT / "scripts" / "token", "revoke", token],
            env=stack.environ(REPLICAS_TO_ACK=""), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (1, 1) == (done.returncode, done.stderr.count("\n")), done
        assert "done, but it may yet be lost with the primary" in done.stderr
        assert 401 == status_of(stack, token)
        assert 200 == status_of(stack, other)
