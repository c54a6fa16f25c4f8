"""The access log: one JSON document a request, and no secret in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply

SECRET = "s3cr3t-t0k3n"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as running:
        yield running


def test_allowed_call_is_logged_with_who_and_how_long(front: Gateway) -> None:
    """A line tells the caller, the decision and what each part of it took."""
    front.call("POST /read/x HTTP/1.1", f"traceparent: 00-{TRACE_ID}-b7ad6b7169203331-01")
    (logged,) = front.logged()
    assert {
        "trace_id": TRACE_ID,
        "remote_addr": "127.0.0.1",
        "protocol": "HTTP/1.1",
        "method": "POST",
        "host": "gateway",
        "path": "/read/x",
        "status": 200,
        "auth_status": "204",
        "reason": "ok",
        "client_id": "alice",
        "jti": "0011aabb.j1",
        "stale_s": "",
        "upstream_status": "200",
    }.items() <= logged.items()
    assert front.app.received[0].one("X-Request-ID") == logged["request_id"]
    # Seconds, not milliseconds, however busy the machine is.
    assert 0 <= float(logged["auth_time_s"]) < 60
    assert 0 <= float(logged["upstream_time_s"]) < 60
    assert 0 <= logged["request_time_s"] < 60
    assert logged["time"].startswith("20")
    assert logged["bytes_sent"] > 0


def test_refused_call_is_logged_with_the_reason(front: Gateway) -> None:
    """The reason that the client never sees is in the log."""
    front.app.answering = lambda _: reply(401, "X-Auth-Reason: expired")
    front.call()
    (logged,) = front.logged()
    assert (401, "401", "expired") == (logged["status"], logged["auth_status"], logged["reason"])


def test_call_that_was_allowed_without_redis_is_logged_as_such(front: Gateway) -> None:
    """With how old that was, in seconds, by which it was allowed."""
    front.app.answering = lambda _: reply(204, "X-Auth-Reason: ok", "X-Auth-Stale: 1.234")
    front.call()
    assert ("ok", "1.234") == tuple(front.logged()[0][name] for name in ("reason", "stale_s"))


def test_unprotected_call_is_logged_without_a_decision(front: Gateway) -> None:
    """A path that nobody protects leaves the decision's fields empty."""
    front.call("GET /nothing HTTP/1.1")
    (logged,) = front.logged()
    assert (404, "", "", "") == tuple(
        logged[name] for name in ("status", "auth_status", "reason", "client_id")
    )


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/caf%C3%A9/\u20ac\U0001f511%F4%8F%BF%BF", "/caf\u00e9/\u20ac\U0001f511\U0010ffff"),
        ('/"a"\\%0A%7F', '/"a"\\\n\x7f'),
        ("/" + "a" * 7_000, "/" + "a" * 7_000),
        *((f"/a%{broken}", "(not UTF-8)") for broken in ("FF", "C3", "C0%80", "ED%A0%80")),
        *((f"/a%{broken}/b", "(not UTF-8)") for broken in ("E2%82", "F4%90%80%80", "80")),
    ],
    ids=lambda value: value[:20].encode("ascii", "replace").decode(),
)
def test_path_is_logged_as_text_and_never_breaks_its_line(
    front: Gateway, path: str, logged: str
) -> None:
    """Every line is JSON in UTF-8, whatever bytes somebody has sent; the name of the host too."""
    sent = path.encode().decode("latin-1")
    front.call(f"GET {sent} HTTP/1.1")
    front.call(f"GET {sent} HTTP/1.1", "Host: gateway\xff")
    assert [("gateway", logged), ("(not ASCII)", logged)] == [
        (line["host"], line["path"]) for line in front.logged(2)
    ]


def test_secrets_are_in_no_log(front: Gateway) -> None:
    """Neither log holds a token or secret, wherever in the request it stood."""
    headers = [f"Authorization: Bearer {SECRET}", f"Cookie: {SECRET}", f"X-Foo: {SECRET}"]
    front.call(f"GET /read?access_token={SECRET} HTTP/1.1", *headers)
    front.call(f"POST /token?client_secret={SECRET} HTTP/1.1", *headers, body=SECRET.encode())
    front.app.answering = lambda _: reply(401)
    front.call(f"GET /read?access_token={SECRET} HTTP/1.1", *headers)
    assert 3 == len(front.logged(3))
    for log in (front.run_dir / "log").iterdir():
        assert SECRET not in log.read_text()


def test_odd_bytes_do_not_break_a_line(front: Gateway) -> None:
    """Quotes, line breaks and control characters in path or headers stay inside their field."""
    front.call('GET /read/%22%0a%7f"x HTTP/1.1', 'traceparent: "}{"')
    (logged,) = front.logged()
    assert ('/read/"\n\x7f"x', "") == (logged["path"], logged["trace_id"])
