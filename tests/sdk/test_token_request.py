"""What is sent to the token endpoint, and where it may not be sent."""

import os
import threading
from base64 import b64decode

import pytest

from portcullis_client import TokenSource
from tests.processes import until
from tests.sdk.token_server import SECRET, Clock, TokenServer


def test_request_is_a_form_with_basic_credentials(server: TokenServer) -> None:
    """RFC 6749 §4.4.2 and §2.3.1: id and secret are form-encoded before Base64."""
    server.source().token()
    (request,), (form,) = server.requests, server.forms()
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    assert ("Basic", "demo:a%20secret%2Fthat%2Bshows") == (scheme, b64decode(encoded).decode())
    assert {"grant_type": ["client_credentials"]} == form
    assert "application/x-www-form-urlencoded" == request.headers["Content-Type"]


@pytest.mark.parametrize(
    ("resource", "sent"),
    [("https://a.example", ["https://a.example"]), (["urn:a", "urn:b"], ["urn:a", "urn:b"])],
)
def test_scope_and_resources_are_asked_for(
    server: TokenServer, resource: str | list[str], sent: list[str]
) -> None:
    """One resource or several (RFC 8707 §2)."""
    server.source(scope="a b", resource=resource).token()
    (form,) = server.forms()
    assert (["a b"], sent) == (form["scope"], form["resource"])


@pytest.mark.parametrize(
    ("token_url", "asked"),
    [
        ("https://auth.example/token", "/ott"),
        ("https://auth.example/auth/token", "/auth/ott"),
        ("https://auth.example/ott", "/ott"),
        ("https://auth.example/once", "/once"),
    ],
)
def test_one_time_tokens_come_from_their_own_endpoint(
    server: TokenServer, token_url: str, asked: str
) -> None:
    """/ott beside /token; any other path is taken as it is."""
    server.source(token_url=token_url, once=True).token()
    assert [asked] == [request.url.path for request in server.requests]


def test_secret_is_read_anew_for_each_request(server: TokenServer, clock: Clock) -> None:
    """A rotated secret needs no restart."""
    secrets = iter(["old", "new"])
    source = server.source(clock, client_secret=lambda: next(secrets))
    clock.now = source.token().expires_at
    source.token()
    sent = [request.headers["Authorization"].split()[1] for request in server.requests]
    assert ["demo:old", "demo:new"] == [b64decode(one).decode() for one in sent]


@pytest.mark.parametrize(
    "token_url",
    [
        "http://auth.example/token",
        "http://localhost.example/token",
        "http://127.0.0.1.example/token",
        "http://10.0.0.1/token",
        "https://user:secret@auth.example/token",
        "https://auth.example/token#part",
        "ftp://auth.example/token",
        "auth.example/token",
        "https:///token",
        "",
    ],
)
def test_url_that_would_leak_the_secret_is_refused(token_url: str) -> None:
    """Credentials travel over TLS, or stay on this machine."""
    with pytest.raises(ValueError, match="token_url"):
        TokenSource(token_url, "demo", SECRET)


@pytest.mark.parametrize(
    "token_url",
    [
        "http://localhost:8080/token",
        "http://127.0.0.1/token",
        "http://127.9.9.9/t",
        "http://[::1]/token",
    ],
)
def test_this_machine_may_be_asked_without_tls(server: TokenServer, token_url: str) -> None:
    """Nothing leaves it."""
    assert "token-1" == server.source(token_url=token_url).token().access_token


def test_plain_http_needs_to_be_asked_for(server: TokenServer) -> None:
    """`allow_http` is for a network that is safe by other means."""
    source = server.source(token_url="http://auth.internal/token", allow_http=True)
    assert "token-1" == source.token().access_token


def child_gets(server: TokenServer, source: TokenSource, expected: str) -> bool:
    """Tell whether a forked child gets this token; it leaves pytest to its parent."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        has_it = False
        try:
            server.begin_in_child()
            has_it = source.token().access_token == expected
        finally:
            os._exit(0 if has_it else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_forked_child_has_a_source_that_works(server: TokenServer, clock: Clock) -> None:
    """It begins anew with threads and connections of its own."""
    source = server.source(clock)
    source.token()
    clock.now += 1000
    assert child_gets(server, source, "token-2")


def test_child_forked_amid_a_request_asks_for_itself(server: TokenServer) -> None:
    """The parent's request does not exist in the child, nor does the thread that waits for it."""
    source = server.source()
    server.gate.clear()
    waiting = threading.Thread(target=source.token)
    waiting.start()
    until(lambda: server.minted, what="the request")
    has_it = child_gets(server, source, "token-2")
    server.gate.set()
    waiting.join()
    assert has_it
