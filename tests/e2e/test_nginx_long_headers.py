"""What is longer than the app's HTTP parser takes never gets there: it would keep its memory."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply
from tests.stack import Stack
from tests.wire import Connection, request

LOCATIONS = """
    large_client_header_buffers 4 32k;
    location /called {
        set $portcullis_scope "@routes";
        include portcullis-protect.conf;
        proxy_pass http://behind;
    }
"""
LONG = "x" * 20_000
MOST = 8_000
LINE = "GET /called HTTP/1.1"
FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path, server=LOCATIONS) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "line", "header", "told"),
    [
        ("Authorization", LINE, f"Authorization: Bearer {LONG}", ["Bearer too-long"]),
        ("DPoP", LINE, f"DPoP: {LONG}", ["too-long"]),
        ("X-Original-Method", f"{'X' * 20_000} /called HTTP/1.1", "A: b", ["-"]),
        ("X-Original-URI", f"GET /called{LONG} HTTP/1.1", "A: b", []),
        ("X-Original-URL", f"GET /called{LONG} HTTP/1.1", "DPoP: proof", []),
        ("X-Original-URL", f"GET http://{LONG}/called HTTP/1.1", f"Host: {LONG}\r\nDPoP: p", []),
    ],
    ids=lambda value: str(value)[:24],
)
def test_question_about_a_call_is_short(
    front: Gateway, name: str, line: str, header: str, told: list[str]
) -> None:
    """What is over-long is not told, and the app says no to what it is told instead."""
    front.call(line, header)
    (asked,) = front.app.received
    assert told == asked.all(name)
    assert MOST >= max(len(value) for _, value in asked.headers)


def test_longest_values_pass_whole(front: Gateway) -> None:
    """The bound is exact."""
    token, path = f"Bearer {'x' * (MOST - 7)}", "/called" + "y" * (MOST - 7)
    front.call(f"GET {path} HTTP/1.1", f"Authorization: {token}")
    (asked,) = front.app.received
    assert [[token], [path]] == [asked.all(name) for name in ("Authorization", "X-Original-URI")]


@pytest.mark.parametrize("path", ["/token", "/introspect", "/.well-known/jwks.json", "/health"])
@pytest.mark.parametrize(
    "name", ["query", "Accept", "Authorization", "Content-Type", "DPoP", "Host"]
)
def test_long_request_to_an_endpoint_is_invalid(front: Gateway, path: str, name: str) -> None:
    """In the RFC's form, and by nginx itself."""
    front.app.answering = lambda _: reply(200, body=b"{}")
    line = f"POST {path}?{LONG} HTTP/1.1" if name == "query" else f"POST {path} HTTP/1.1"
    answer = front.call(line, f"{name}: {LONG}" if name != "query" else FORM, body=b"a=b")
    assert (400, "invalid_request") == (answer.status, json.loads(answer.body)["error"])
    assert ["no-store"] == answer.all("Cache-Control")
    assert [] == front.app.received


def resident_mib(stack: Stack) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in stack.workers())
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/demo/any", "Authorization"),
        ("/demo/any", "DPoP"),
        ("/demo/routed/" + "x" * 30_000, "A"),
        ("/token", "Accept"),
        ("/health?" + "x" * 30_000, "A"),
    ],
    ids=lambda value: value[:16],
)
def test_long_requests_cost_no_memory(stack: Stack, target: str, name: str) -> None:
    """Anybody can send them, without a token: 8 to 28 KB each were kept for good."""
    long = request("GET", target, [(name, "x" * 30_000)])

    def send(count: int) -> None:
        for _ in range(count):
            with Connection(stack.address) as connection:
                assert connection.ask(long).status in {400, 401, 405}

    send(50)
    before = resident_mib(stack)
    send(700)
    assert resident_mib(stack) - before < 4
