"""The public endpoints: what the app gets of a request, and what nginx says by itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Answer, Caller, Gateway, gateway
from tests.e2e.recording_server import reply

FORMS = ["/token", "/ott", "/revoke", "/introspect"]
DOCUMENTS = ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/health"]
FORM = "Content-Type: application/x-www-form-urlencoded"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as running:
        running.app.answering = lambda _: reply(200, "X-Auth-Reason: ok", body=b"{}")
        yield running


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["error"]


@pytest.mark.parametrize("path", FORMS)
def test_form_reaches_the_app_with_what_it_needs_only(front: Gateway, path: str) -> None:
    """The app gets the form, who sent it and from where; nothing else that the client made up."""
    sent = [FORM, "Authorization: Basic eDp5", "Accept: */*", f"traceparent: {TRACEPARENT}"]
    forged = ["X-Request-ID: 1", "X-Real-IP: 6.6.6.6", "X-Forwarded-For: 6.6.6.6", "Cookie: a=b"]
    answer = front.call(f"POST {path} HTTP/1.1", *sent, *forged, "Range: bytes=0-1", body=b"a=b")
    (received,) = front.app.received
    assert f"POST {path} HTTP/1.1" == received.line
    assert b"a=b" == received.body
    assert [
        ("Accept", "*/*"),
        ("Authorization", "Basic eDp5"),
        ("Content-Length", "3"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Host", "gateway"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Request-ID", received.one("X-Request-ID")),
        ("X-Request-Start", received.one("X-Request-Start")),
        ("traceparent", TRACEPARENT),
    ] == sorted(received.headers)
    assert [received.one("X-Request-ID")] == answer.all("X-Request-ID")
    assert [] == answer.all("X-Auth-Reason")


@pytest.mark.parametrize("path", DOCUMENTS)
def test_document_comes_from_the_app(front: Gateway, path: str) -> None:
    """The documents are the app's own; a body that comes with the question stays outside."""
    answer = front.call(f"GET {path} HTTP/1.1", "Authorization: Bearer t", body=b"ignored")
    assert (200, b"{}") == (answer.status, answer.body)
    (received,) = front.app.received
    assert (f"GET {path} HTTP/1.1", b"") == (received.line, received.body)
    assert ["host", "x-real-ip", "x-request-id"] == received.names()


@pytest.mark.parametrize("status", [400, 401, 405, 415, 429, 500, 503])
def test_error_of_the_app_passes_untouched(front: Gateway, status: int) -> None:
    """Errors are the app's business: its status, headers and body arrive as they are."""
    front.app.answering = lambda _: reply(status, "Retry-After: 9", body=b'{"error":"own"}')
    answer = front.call("PUT /token HTTP/1.1")
    assert (status, "own") == error_of(answer)
    assert ["9"] == answer.all("Retry-After")


@pytest.mark.parametrize(
    ("paths", "allowed"), [(FORMS, "OPTIONS, POST"), (DOCUMENTS, "GET, HEAD, OPTIONS")]
)
def test_method_unknown_to_the_apps_parser_is_not_allowed(
    front: Gateway, paths: list[str], allowed: str
) -> None:
    """The app would answer a bare 400 without saying what it wants, and hang up."""
    for path in paths:
        answer = front.call(f"QUERY {path} HTTP/1.1", FORM, body=b"a=b")
        assert (405, "invalid_request") == error_of(answer)
        assert [allowed] == answer.all("Allow")
    assert [] == front.app.received


def test_body_of_16_kib_passes_and_one_byte_more_does_not(front: Gateway) -> None:
    """The bound is exact, and past it the answer is the RFC's invalid_request with 413."""
    assert 200 == front.call("POST /token HTTP/1.1", FORM, body=b"x" * 16_384).status
    answer = front.call("POST /token HTTP/1.1", FORM, body=b"x" * 16_385)
    assert (413, "invalid_request") == error_of(answer)
    assert ["no-store"] == answer.all("Cache-Control")
    assert ["no-cache"] == answer.all("Pragma")
    assert 1 == len(front.app.received)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_body_that_a_document_does_not_need_is_bounded(front: Gateway, path: str) -> None:
    """Anybody could have megabytes of it written to the disk before the answer."""
    answer = front.call(f"POST {path} HTTP/1.1", FORM, body=b"x" * 16_385)
    assert (413, "invalid_request") == error_of(answer)
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Caller(front.port) as caller:
        caller.send(head.encode() + chunk * 5 + b"0\r\n\r\n")
        assert (413, "invalid_request") == error_of(caller.read())
    assert [] == front.app.received


def test_chunked_body_over_16_kib_is_refused_too(front: Gateway) -> None:
    """A body that does not say its length is counted while it is read."""
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    head = f"POST /token HTTP/1.1\r\nHost: gateway\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Caller(front.port) as caller:
        caller.send(head.encode() + chunk * 5 + b"0\r\n\r\n")
        assert (413, "invalid_request") == error_of(caller.read())
    with Caller(front.port) as caller:
        caller.send(head.encode() + chunk + b"0\r\n\r\n")
        assert 200 == caller.read().status
    assert 0x1000 == len(front.app.received[0].body)


@pytest.mark.parametrize("path", FORMS + DOCUMENTS)
def test_dead_app_is_temporarily_unavailable(front: Gateway, path: str) -> None:
    """With the app gone every endpoint says so, in JSON, and when to come again."""
    front.app.close()
    answer = front.call(f"POST {path} HTTP/1.1", FORM, body=b"a=b")
    assert (503, "temporarily_unavailable") == error_of(answer)
    assert (["1"], ["no-store"]) == (answer.all("Retry-After"), answer.all("Cache-Control"))


@pytest.mark.parametrize("path", FORMS)
def test_post_whose_worker_went_away_is_tried_once_more(front: Gateway, path: str) -> None:
    """Each of them may happen twice without harm, so a restarting worker costs nobody an answer."""
    front.app.answering = lambda _: b"" if len(front.app.received) == 1 else reply(200)
    assert 200 == front.call(f"POST {path} HTTP/1.1", FORM, body=b"a=b").status
    first, second = front.app.received
    assert (b"a=b", first.one("X-Request-ID")) == (second.body, second.one("X-Request-ID"))


def test_post_is_not_tried_a_third_time(front: Gateway) -> None:
    """An app that always hangs up is unavailable."""
    front.app.answering = lambda _: b""
    assert 503 == front.call("POST /token HTTP/1.1", FORM, body=b"a=b").status
    assert 2 == len(front.app.received)


def test_get_that_reached_the_app_is_tried_again(front: Gateway) -> None:
    """Reading the keys twice harms nobody."""
    front.app.answering = lambda _: b"" if len(front.app.received) == 1 else reply(200)
    assert 200 == front.call("GET /.well-known/jwks.json HTTP/1.1").status


def test_connections_to_the_app_are_kept(front: Gateway) -> None:
    """Calls one after another share one connection towards the app."""
    for path in FORMS * 5:
        assert 200 == front.call(f"POST {path} HTTP/1.1", FORM, body=b"a=b").status
    assert front.app.connections <= 2


def test_too_many_calls_from_one_address_are_told_to_wait(tmp_path: Path) -> None:
    """Past the burst it is 429 with Retry-After and JSON, for each endpoint by itself."""
    with gateway(
        tmp_path, changed={"rate=3000r/s": "rate=1r/m", "burst=3000": "burst=1000"}
    ) as front:
        front.app.answering = lambda _: reply(200)
        statuses = []
        for _ in range(2):
            with Caller(front.port) as caller:
                statuses += [caller.call("POST /token HTTP/1.1").status for _ in range(500)]
        assert {200} == set(statuses)
        assert 200 == front.call("POST /token HTTP/1.1").status
        answer = front.call("POST /token HTTP/1.1")
        assert (429, "temporarily_unavailable") == error_of(answer)
        assert (["1"], ["no-store"]) == (answer.all("Retry-After"), answer.all("Cache-Control"))
        assert 200 == front.call("POST /revoke HTTP/1.1").status
