"""The app's log on a running gateway: a line for each kind of refusal, none for what goes well."""

import json
from typing import Any

from tests.e2e.test_gateway import GRANT, basic
from tests.stack import Stack, until
from tests.wire import Answer, pipeline, request

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
FLOOD = 2_000


def lines(stack: Stack, start: int = 0) -> list[dict[str, Any]]:
    """The app's log from that byte on."""
    text = (stack.run_dir / "log" / "app.log").read_bytes()[start:].decode()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def size(stack: Stack) -> int:
    return (stack.run_dir / "log" / "app.log").stat().st_size


def line_of(stack: Stack, answer: Answer) -> dict[str, Any]:
    """The one line about a request, without what every line has."""
    request_id = answer.header("X-Request-ID")
    (found,) = (one for one in lines(stack) if one.get("request_id") == request_id)
    assert ("INFO", "portcullis.refusals") == (found["level"], found["logger"])
    common = ("level", "logger", "pid", "time", "message", "request_id")
    return {name: value for name, value in found.items() if name not in common}


def test_refused_call_is_logged_with_reason_client_route_and_trace(stack: Stack) -> None:
    """Under the id that its client and its upstream have seen, and nginx's log too."""
    answer = stack.call(
        "/demo/write?token=secret", stack.mint(scope="demo:read"), "POST", TRACEPARENT
    )
    assert 403 == answer.status
    assert {
        "reason": "missing_scope",
        "client_id": "demo",
        "method": "POST",
        "route": "/demo/write",
        "needed": "demo:write",
        "trace_id": TRACE_ID,
    } == line_of(stack, answer)
    request_id = answer.header("X-Request-ID") or ""
    (logged,) = until(lambda: stack.access_log(request_id=request_id))
    assert ("missing_scope", TRACE_ID) == (logged["reason"], logged["trace_id"])


def test_refused_mint_is_logged_with_its_client(stack: Stack) -> None:
    """The secret was the client's, the scope was not."""
    answer = stack.form("/token", {**GRANT, "scope": "admin"}, [*basic(*stack.demo).items()])
    expected = {"reason": "invalid_scope", "client_id": "demo", "method": "POST", "route": "/token"}
    assert expected == line_of(stack, answer)


def test_what_goes_well_leaves_the_log_as_it_was(stack: Stack) -> None:
    """Mints, calls, introspections and revocations by the hundred."""
    stack.mint()
    before = size(stack)
    for _ in range(20):
        token, once = stack.mint(), stack.mint(path="/ott")
        assert [200] * 6 == [stack.call("/demo/read", sent).status for sent in [token] * 5 + [once]]
        stack.asked_by(stack.demo, "/introspect", token=token)
        stack.revoke(token)
    # On a busy machine Redis may be late once; that is no line about what goes well.
    assert [] == [one for one in lines(stack, before) if one["logger"] != "portcullis.line"]


def test_flood_of_refusals_is_sampled_and_each_is_counted(stack: Stack) -> None:
    """A few lines a second from each worker; together they tell of every single one."""
    before = size(stack)
    answers = pipeline(stack.address, [request("GET", "/demo/read", token="a.b.c")] * FLOOD, 50)
    assert {401} == {answer.status for answer in answers}

    def told() -> int:
        found = [one for one in lines(stack, before) if one.get("reason") == "malformed"]
        return sum("request_id" in one for one in found) + sum(
            int(one.get("more", 0)) for one in found
        )

    until(lambda: told() == FLOOD, what="the rest is told when the flood has ended")
    assert len(lines(stack, before)) < FLOOD / 5


def test_line_about_redis_names_the_request_that_met_it(stack: Stack) -> None:
    """Not only what went wrong, but for whom."""
    token = stack.mint()
    stack.redis.rename("routes", "kept")
    stack.redis.set("routes", "not a hash")
    try:
        answer = stack.call("/demo/routed/read", token)
    finally:
        stack.redis.rename("kept", "routes")
    assert 503 == answer.status
    request_id = answer.header("X-Request-ID")
    found = {one["logger"] for one in lines(stack) if one.get("request_id") == request_id}
    assert {"portcullis.store", "portcullis.refusals"} == found
