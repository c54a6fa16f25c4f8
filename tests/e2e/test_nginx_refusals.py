"""What the client of a protected location sees when the app refuses, or the location does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Caller, Gateway, gateway
from tests.e2e.recording_server import reply

CHALLENGE = 'Bearer realm="orders"'
NEEDS_SCOPE = f'{CHALLENGE}, error="insufficient_scope", scope="orders:read"'
NGINX_CHALLENGE = 'Bearer realm="portcullis", error="invalid_token"'

OWN_REFUSALS = """
    location /denied { include portcullis-protect.conf; deny all; proxy_pass http://behind; }
    location /closed { include portcullis-protect.conf; return 403; }
"""


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path, server=OWN_REFUSALS) as running:
        yield running


@pytest.mark.parametrize(
    ("said", "header", "status", "error", "challenge", "retry_after"),
    [
        (401, f"WWW-Authenticate: {CHALLENGE}", 401, "invalid_token", [CHALLENGE], []),
        (403, f"WWW-Authenticate: {NEEDS_SCOPE}", 403, "insufficient_scope", [NEEDS_SCOPE], []),
        (429, "Retry-After: 7", 429, "temporarily_unavailable", [], ["7"]),
        (503, "Retry-After: 3", 503, "temporarily_unavailable", [], ["3"]),
    ],
)
def test_refusal_keeps_its_status_and_headers(
    front: Gateway,
    said: int,
    header: str,
    status: int,
    error: str,
    challenge: list[str],
    retry_after: list[str],
) -> None:
    """The client gets the app's own status and header, once, with a JSON body around it."""
    front.app.answering = lambda _: reply(said, header, "X-Auth-Reason: expired")
    answer = front.call()
    assert status == answer.status
    assert error == json.loads(answer.body)["error"]
    assert ["application/json"] == answer.all("Content-Type")
    assert challenge == answer.all("WWW-Authenticate")
    assert retry_after == answer.all("Retry-After")
    assert ["no-store"] == answer.all("Cache-Control")
    assert [front.app.received[0].one("X-Request-ID")] == answer.all("X-Request-ID")
    assert [] == answer.all("X-Auth-Reason")
    assert [] == front.upstream.received


@pytest.mark.parametrize("said", [400, 413, 414, 431])
def test_refusal_by_the_apps_parser_is_about_the_token(front: Gateway, said: int) -> None:
    """What the app's HTTP parser refuses is a 401 with a challenge, not a 500."""
    front.app.answering = lambda _: reply(said, "Connection: close", body=b"<html>")
    answer = front.call()
    assert (401, [NGINX_CHALLENGE]) == (answer.status, answer.all("WWW-Authenticate"))
    assert "invalid_token" == json.loads(answer.body)["error"]


@pytest.mark.parametrize("said", [302, 404, 405, 418, 500, 502])
def test_answer_that_is_no_decision_is_undecided(front: Gateway, said: int) -> None:
    """Whatever else the app answers is a 503 to try again after a second."""
    front.app.answering = lambda _: reply(said, "Location: /elsewhere")
    answer = front.call()
    assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))


def test_too_long_answer_of_the_app_is_undecided(front: Gateway) -> None:
    """Headers that fit in no buffer are a 503; those of the longest scope list still fit."""
    front.app.answering = lambda _: reply(204, "X-Auth-Scope: " + "s" * 60_000)
    assert 503 == front.call().status
    front.app.answering = lambda _: reply(204, "X-Auth-Scope: " + "s" * 6_000)
    assert 200 == front.call().status


def test_refusals_keep_the_clients_connection(front: Gateway) -> None:
    """One client connection survives every kind of refusal, a POST with a body among them."""
    with Caller(front.port) as caller:
        for said in (401, 403, 429, 503, 400, 500):
            front.app.answering = lambda _, said=said: reply(said)  # type: ignore[misc]
            assert 400 < caller.call().status
            assert 400 < caller.call("POST /read HTTP/1.1", body=b"x" * 5_000).status
        assert [] == caller.call().all("WWW-Authenticate")[1:]


def test_refusal_of_head_has_headers_only(front: Gateway) -> None:
    """HEAD gets the status and challenge, and the connection goes on."""
    front.app.answering = lambda _: reply(401, f"WWW-Authenticate: {CHALLENGE}")
    with Caller(front.port) as caller:
        answer = caller.call("HEAD /read HTTP/1.1")
        assert (401, [CHALLENGE]) == (answer.status, answer.all("WWW-Authenticate"))
        assert 401 == caller.call().status


def test_refusal_below_a_file_name_is_still_json(front: Gateway) -> None:
    """The content type of the body does not depend on the path's ending."""
    front.app.answering = lambda _: reply(401)
    assert ["application/json"] == front.call("GET /read/page.html HTTP/1.1").all("Content-Type")


@pytest.mark.parametrize("path", ["/denied", "/closed"])
def test_refusal_by_the_location_is_a_plain_403(front: Gateway, path: str) -> None:
    """A `deny` or `return 403` of the user's own is not taken for an undecided call."""
    answer = front.call(f"GET {path} HTTP/1.1")
    assert (403, []) == (answer.status, answer.all("WWW-Authenticate"))
    assert [] == front.app.received


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_refusal_by_the_upstream_passes_untouched(front: Gateway, status: int) -> None:
    """The upstream's own error keeps its status, challenge and body."""
    front.upstream.answering = lambda _: reply(
        status, 'WWW-Authenticate: Basic realm="up"', body=b"u"
    )
    answer = front.call()
    assert (status, b"u") == (answer.status, answer.body)
    assert ['Basic realm="up"'] == answer.all("WWW-Authenticate")


def test_error_page_of_the_server_does_not_open_the_gate(tmp_path: Path) -> None:
    """An error_page that turns 403 into 200 cannot turn a refusal of the app into a yes."""
    server = """
        recursive_error_pages on;
        error_page 403 404 500 =200 /friendly;
        location = /friendly { return 200 friendly; }
    """
    with gateway(tmp_path, server=server) as front:
        for said in (401, 403, 404, 500):
            front.app.answering = lambda _, said=said: reply(said)  # type: ignore[misc]
            assert front.call().status in {401, 403, 503}
        assert [] == front.upstream.received


def test_old_and_odd_requests_are_judged_alike(front: Gateway) -> None:
    """HTTP/1.0, an absolute-form target and a pipelined request are refused as any other."""
    front.app.answering = lambda _: reply(401, f"WWW-Authenticate: {CHALLENGE}")
    assert 401 == front.call("GET /read HTTP/1.0").status
    assert 401 == front.call("GET http://gateway/read?q=1 HTTP/1.1").status
    assert 401 == front.call("GET //read/../read HTTP/1.1").status
    with Caller(front.port) as caller:
        caller.send(b"GET /read/1 HTTP/1.1\r\nHost: gateway\r\n\r\n" * 3)
        assert [401, 401, 401] == [caller.read().status for _ in range(3)]
    assert "/read" == front.app.received[1].one("X-Original-URI")
    assert "/read" == front.app.received[2].one("X-Original-URI")
