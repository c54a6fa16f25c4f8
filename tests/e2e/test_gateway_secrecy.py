"""Nothing that is written anywhere holds a token or a secret: logs, audit, Redis, folder.

Here after trouble that is made for it. Every other gateway of the tests is searched when it ends.
"""

import json
import urllib.parse

import pytest

from tests.e2e.test_gateway import GRANT, basic
from tests.leaks import leaks, needles
from tests.stack import Stack, until
from tests.wire import Connection, ask, form, request

WRITTEN = {
    "app.log": b'"reason": "invalid_client"',
    "access.json": b'"reason":"no_token"',
    "nginx-error.log": b"error",
    "redis.log": b"eady to accept connections",
}
"""What each log holds when it was written to at all: a search in empty files finds nothing."""


def trouble(stack: Stack, token: str, secret: str) -> None:
    """Send a token and a secret everywhere they do not belong, in ways that get logged."""
    for sent in (
        request("GET", f"/demo/read?access_token={token}"),
        request("GET", f"/demo/routed/else?token={token}", token=token),
        request("GET", f"/nothing?client_secret={secret}", token=token),
        request("GET", "/demo/read", {"Referer": f"https://shop.example/?token={token}"}),
        request("GET", "/demo/read", {"User-Agent": token, "Cookie": f"t={token}"}, token=token),
        request("GET", "/demo/read", {"X-Request-ID": token, "X-Auth-Jti": token}, token=token),
        request("GET", "/demo/read", {"traceparent": token, "tracestate": f"t={token}"}, token="x"),
        request("GET", "/demo/read", {"traceparent": f"00-{token}-{secret}-01"}, token=token),
        request("GET", "/demo/read", {"Authorization": f"Basic {token}"}),
        request("GET", "/demo/read", {"Authorization": f"Bearer {token} {secret}"}),
        request("GET", "/demo/read", token=token * 40),
        request("GET", "/demo/read", token=f"{token}\x00"),
        request("BREW", "/demo/read", token=token),
        form(f"/token?client_secret={secret}", GRANT),
        form("/token", {**GRANT, "client_id": secret, "client_secret": secret}),
        form("/token", {**GRANT, "scope": secret}, basic(*stack.demo)),
        form("/token", {**GRANT, "grant_type": secret}, basic(*stack.demo)),
        form("/token", {**GRANT, "resource": secret}, basic(*stack.demo)),
        form("/token", {**GRANT, "padding": secret * 1_000}, basic(*stack.demo)),
        form("/token", f"{secret}&{secret}"),
        request("POST", "/token", {"Content-Type": secret}, secret.encode()),
        request("POST", "/token", {"Content-Type": "application/json"}, b'{"client_secret":"'),
        form("/revoke", {"token": token}, {"Authorization": f"Basic {secret}"}),
        form("/introspect", {"token": token, "token_type_hint": secret}, basic(*stack.demo)),
    ):
        ask(stack.address, sent)
    ask(stack.ops_address, form("/explain", {"token": token, "method": "GET", "path": "/x"}))
    ask(stack.ops_address, request("GET", f"/validate?token={token}", token=token))


def interrupted(stack: Stack, token: str, secret: str) -> None:
    """Hang up in the middle of requests, so that nginx has something to complain about."""
    client_id = stack.demo[0]
    body = urllib.parse.urlencode({**GRANT, "client_id": client_id, "client_secret": secret})
    for data in (form("/token", body)[:-5], request("GET", "/demo/read", token=token)):
        with Connection(stack.address) as connection:
            connection.send(data)


def test_nothing_written_holds_a_token_or_a_secret(stack: Stack) -> None:
    """After all tests before it, and after trouble: the folder with Redis's file, and the audit."""
    client = stack.client_create("secrecy", "demo:read")
    token, once = stack.mint(client), stack.mint(client, "/ott")
    rotated = json.loads(stack.script("client", "rotate", "secrecy", "--json").stdout)
    stack.given += [rotated["client_secret"], stack.demo[1]]
    for sent in (token, once):
        stack.script("token", "why", sent, "GET", "/demo/routed/read", "--json")
        assert 200 == stack.call("/demo/read", sent).status
        trouble(stack, sent, client[1])
        interrupted(stack, sent, client[1])
    stack.revoke(token, client)
    stack.script("client", "delete", "secrecy", "--yes")
    last = stack.call("/demo/any", token).header("X-Request-ID") or ""
    until(lambda: stack.access_log(request_id=last), what="the log is written")
    assert {} == leaks(stack.run_dir, stack.given)
    for stream in ("audit", "refusals"):
        written = repr(stack.redis.xrange(stream)).encode()
        assert written != b"[]"
        assert not {one for one in needles(stack.given) if one in written}
    for log, kind in WRITTEN.items():
        assert kind in (stack.run_dir / "log" / log).read_bytes(), log


def test_search_finds_what_is_there(stack: Stack) -> None:
    """The search itself works: for what was given out, and for any other token."""
    planted = stack.run_dir / "log" / "planted.log"
    given = stack.mint()
    foreign = f"{given.rpartition('.')[0]}.{'x' * 86}"
    for text in (f"token={given}", f"sig={given.rpartition('.')[2]}\n", f'"{foreign}"'):
        planted.write_text(text)
        assert {"log/planted.log"} == set(leaks(stack.run_dir, stack.given)), text
    planted.unlink()


def test_gateway_that_has_leaked_fails_the_tests_that_used_it(stack: Stack) -> None:
    """At its end, whatever they were about."""
    broken = Stack()
    (broken.run_dir / "log").mkdir()
    (broken.run_dir / "log" / "app.log").write_text(f"minted {stack.mint()}")
    with pytest.raises(AssertionError, match=r"log/app\.log"):
        broken.__exit__(None)
    assert not broken.run_dir.exists()
