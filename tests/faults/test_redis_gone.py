"""Redis dies or freezes under load: refused in bounded time, and back without a restart."""

import time
from collections.abc import Callable

import pytest

from tests.faults.watch import BOUND_S, Watch, assert_in_time
from tests.stack import Stack, until


@pytest.fixture(scope="module")
def stack(shipped: Stack) -> Stack:
    return shipped


def kill(stack: Stack) -> None:
    stack.kill("redis")


def freeze(stack: Stack) -> None:
    stack.freeze("redis")


@pytest.mark.parametrize(
    ("fault", "mend"),
    [(kill, Stack.start), (freeze, lambda stack: stack.thaw("redis"))],
    ids=["killed", "frozen"],
)
def test_redis_gone_under_load_refuses_in_time_and_recovers_alone(
    stack: Stack, fault: Callable[[Stack], None], mend: Callable[[Stack], object]
) -> None:
    """503 with Retry-After for as long as it lasts; then the good token is good again."""
    with Watch(stack) as watch:
        watch.wait_for("good", 200)
        fault(stack)
        # A worker's memory is good for one heartbeat without Redis, not longer.
        time.sleep(2 * BOUND_S)
        gone_at = time.monotonic()
        until(lambda: sum(seen[1] >= gone_at for seen in watch.seen) > 400, what="400 refusals")
        back_at = time.monotonic()
        mend(stack)
        watch.wait_for("good", 200)
        watch.wait_for("dead", 401)
    during = watch.between(gone_at, back_at)
    assert {503} == {answer.status for *_, answer in during}
    assert {"1"} == {answer.header("Retry-After") for *_, answer in during}
    assert {"temporarily_unavailable"} == {answer.json()["error"] for *_, answer in during}
    assert_in_time(during)
    assert 200 not in watch.statuses("dead", 0)


@pytest.mark.parametrize("fault", [kill, freeze])
def test_what_redis_must_record_is_503_without_it(
    stack: Stack, fault: Callable[[Stack], None]
) -> None:
    """No mint, one-time mint, revocation or introspection pretends; a token stays good after."""
    token, revoked = stack.mint(), stack.mint()
    fault(stack)
    for path, fields in (
        ("/token", {"grant_type": "client_credentials"}),
        ("/ott", {"grant_type": "client_credentials"}),
        ("/revoke", {"token": revoked}),  # a frozen Redis may yet do what it was told
        ("/introspect", {"token": token}),
    ):
        until(lambda p=path, f=fields: stack.asked_by(stack.demo, p, **f).status == 503)  # type: ignore[misc]
    if fault is freeze:
        stack.thaw("redis")
    stack.start()
    until(lambda: stack.call("/demo/any", token).status == 200, what="the token is good")
