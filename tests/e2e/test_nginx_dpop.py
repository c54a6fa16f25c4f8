"""What nginx tells the app of a call with a DPoP proof, and its caller of nonces (RFC 9449)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply

SERVER = """
    large_client_header_buffers 4 32k;
    location /own/ {
        include portcullis-protect.conf;
        proxy_pass http://behind;
        add_header X-Own 1;
    }
    location /shown/ {
        set $portcullis_pass_token 1;
        include portcullis-protect.conf;
        proxy_pass http://behind;
    }
"""
PROOF = "DPoP: proof"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("dpop"), server=SERVER) as running:
        yield running


@pytest.fixture
def front(running: Gateway) -> Gateway:
    running.app.received.clear()
    running.upstream.received.clear()
    return running


@pytest.mark.parametrize(
    ("line", "host", "url"),
    [
        ("GET /read HTTP/1.1", "gateway", "http://gateway/read"),
        ("GET /read HTTP/1.1", "Gateway:8443", "http://Gateway:8443/read"),
        ("GET /read HTTP/1.1", "[::1]:80", "http://[::1]:80/read"),
        ("GET /read?a=1&b=/x HTTP/1.1", "gateway", "http://gateway/read"),
        ("GET /x/../read/%7e%2F//y HTTP/1.1", "gateway", "http://gateway/x/../read/%7e%2F//y"),
        ("GET http://gateway/read HTTP/1.1", "gateway", "http://gateway/read"),
        (f"GET /read?{'x' * 20_000} HTTP/1.1", "gateway", "http://gateway/read"),
    ],
    ids=lambda value: value[:40],
)
def test_app_is_told_the_url_as_the_client_has_sent_it(
    front: Gateway, line: str, host: str, url: str
) -> None:
    """Neither decoded nor normalised, which is the app's business; and never the query."""
    front.call(line, f"Host: {host}", PROOF, "X-Original-URL: http://evil.example/")
    (asked,) = front.app.received
    assert [["proof"], [url]] == [asked.all(name) for name in ("DPoP", "X-Original-URL")]


def test_request_line_and_host_that_differ_name_no_origin(front: Gateway) -> None:
    """nginx goes by the one and others may by the other: no proof can be for both."""
    front.call("GET http://gateway/read HTTP/1.1", "Host: other", PROOF)
    assert ["/read"] == front.app.received[0].all("X-Original-URL")


def test_call_without_a_proof_is_asked_about_as_ever(front: Gateway) -> None:
    """No header more, whatever the client says."""
    front.call("GET /read HTTP/1.1", "X-Original-URL: http://evil.example/")
    assert not {"dpop", "x-original-url"} & {name.lower() for name in front.app.received[0].names()}


def test_origin_can_be_said_where_tls_ends_before_nginx(tmp_path: Path) -> None:
    """One line in server { }, for all locations."""
    line = 'set $portcullis_origin "https://api.example";'
    with gateway(tmp_path, server=line) as front:
        front.call("GET /read?x HTTP/1.1", PROOF)
        assert ["https://api.example/read"] == front.app.received[0].all("X-Original-URL")


def test_proof_stays_with_the_gateway_unless_the_token_is_shown(front: Gateway) -> None:
    """Two of them do not get past it either."""
    front.call("GET /own/ HTTP/1.1", PROOF, "DPoP: another")
    front.call("GET /shown/ HTTP/1.1", PROOF, "Authorization: DPoP t")
    assert [[], ["proof"]] == [one.all("DPoP") for one in front.upstream.received]


def test_mint_takes_its_proof_along(front: Gateway) -> None:
    """And what the app answers to it."""
    front.app.answering = lambda _: reply(400, "DPoP-Nonce: n1", body=b"{}")
    try:
        answer = front.call("POST /token HTTP/1.1", PROOF, body=b"x")
    finally:
        del front.app.answering
    assert ["proof"] == front.app.received[0].all("DPoP")
    assert (400, ["n1"]) == (answer.status, answer.all("DPoP-Nonce"))


@pytest.mark.parametrize("error", ["use_dpop_nonce", "invalid_dpop_proof", "invalid_token"])
def test_refusal_says_the_same_in_challenge_and_body(tmp_path: Path, error: str) -> None:
    """With the nonce beside it, once."""
    challenge = f'DPoP realm="orders", error="{error}", algs="ES256"'
    headers = (f"WWW-Authenticate: {challenge}", "DPoP-Nonce: n1", "X-Auth-Reason: wrong_proof")
    with gateway(tmp_path) as front:
        front.app.answering = lambda _: reply(401, *headers)
        answer = front.call("GET /read HTTP/1.1", PROOF)
    assert (401, [challenge], ["n1"]) == (
        answer.status,
        answer.all("WWW-Authenticate"),
        answer.all("DPoP-Nonce"),
    )
    assert f'"error":"{error}"' in answer.body.decode()


def test_allowed_call_brings_the_next_nonce(tmp_path: Path) -> None:
    """Where the location adds no headers of its own, which nginx does not add to."""
    with gateway(tmp_path, server=SERVER) as front:
        front.app.answering = lambda _: reply(204, "X-Auth-Reason: ok", "DPoP-Nonce: n2")
        assert ["n2"] == front.call().all("DPoP-Nonce")
        assert [] == front.call("GET /own/ HTTP/1.1").all("DPoP-Nonce")
