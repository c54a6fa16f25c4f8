"""requests.Session with tokens."""

import io
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from portcullis_client import OAuthError, TokenSource
from portcullis_client.requests_auth import RequestsAuth
from tests.sdk.protected_service import CHALLENGE, ProtectedService
from tests.sdk.token_server import TokenServer, oauth_error

URL = "https://orders.example/orders"


class InMemory(HTTPAdapter):
    """Takes a session's requests to a service in memory."""

    def __init__(self, service: Any) -> None:
        super().__init__()
        self.service = service

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body: Any = request.body or b""
        content = body if isinstance(body, str | bytes) else b"".join(body)
        assert request.method
        assert request.url
        headers = {name: str(value) for name, value in request.headers.items()}
        answer = self.service(
            httpx.Request(request.method, request.url, headers=headers, content=content)
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(answer.headers)
        response.raw = io.BytesIO(answer.content)
        response.url, response.request, response.connection = request.url, request, self
        return response


@pytest.fixture
def service() -> ProtectedService:
    return ProtectedService()


def session(source: TokenSource, service: Any) -> requests.Session:
    made = requests.Session()
    made.mount("https://", InMemory(service))
    made.auth = RequestsAuth(source)
    return made


def test_request_bears_the_token(server: TokenServer, service: ProtectedService) -> None:
    """As a bearer (RFC 6750 §2.1)."""
    assert {"token": "token-1"} == session(server.source(), service).post(URL).json()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data": b"body"},
        {"data": {"a": "b"}},
        {"json": {"a": 1}},
        {"data": io.BytesIO(b"body")},
    ],
    ids=["none", "bytes", "form", "json", "file"],
)
def test_refused_token_is_replaced_and_the_request_repeated(
    server: TokenServer, service: ProtectedService, options: dict[str, Any]
) -> None:
    """The caller sees the answer to the second request, which has the same body."""
    service.refused = {"token-1"}
    answer = session(server.source(), service).post(URL, **options)
    assert (200, {"token": "token-2"}) == (answer.status_code, answer.json())
    assert [401] == [one.status_code for one in answer.history]
    assert ["token-1", "token-2"] == service.tokens
    assert service.seen[0][1] == service.seen[1][1]


def test_second_refusal_is_the_answer(server: TokenServer, service: ProtectedService) -> None:
    """Once more, not more."""
    service.refuses_all = True
    answer = session(server.source(), service).post(URL)
    assert (401, 2) == (answer.status_code, len(service.seen))


@pytest.mark.parametrize(
    "challenge", ['Bearer realm="portcullis"', 'Bearer error="insufficient_scope"', "Basic", ""]
)
def test_401_for_another_reason_is_the_answer(
    server: TokenServer, service: ProtectedService, challenge: str
) -> None:
    """Another token would not help, and this one is still good."""
    service.refuses_all, service.challenge = True, challenge
    source = server.source()
    answer = session(source, service).post(URL)
    assert (401, 1) == (answer.status_code, len(service.seen))
    assert "token-1" == source.token().access_token


def test_streamed_body_is_sent_once(server: TokenServer, service: ProtectedService) -> None:
    """It is gone after the first time; but the next request has a new token."""
    service.refused = {"token-1"}
    calling = session(server.source(), service)
    answer = calling.post(URL, data=iter([b"bo", b"dy"]))
    assert (401, [("token-1", b"body")]) == (answer.status_code, service.seen)
    assert 200 == calling.post(URL).status_code


def test_one_time_token_is_for_one_request(server: TokenServer, service: ProtectedService) -> None:
    """Each request has one of its own, and a refused one is not repeated: it may have been done."""
    calling = session(server.source(once=True), service)
    service.refused = {"token-3"}
    assert [200, 200, 401] == [calling.post(URL).status_code for _ in range(3)]
    assert ["token-1", "token-2", "token-3"] == service.tokens


def test_token_that_cannot_be_had_is_an_error(
    server: TokenServer, service: ProtectedService
) -> None:
    """And nothing is sent to the service."""
    server.trouble = [oauth_error(401, "invalid_client")]
    with pytest.raises(OAuthError, match="invalid_client"):
        session(server.source(), service).post(URL)
    assert [] == service.seen


def test_host_that_was_sent_no_token_cannot_refuse_one(server: TokenServer) -> None:
    """A redirect to another host leaves the token behind, so its 401 says nothing about it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == URL:
            return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})
        assert "Authorization" not in request.headers
        return httpx.Response(401, headers={"WWW-Authenticate": CHALLENGE})

    source = server.source()
    assert 401 == session(source, answer).get(URL).status_code
    assert ("token-1", 1) == (source.token().access_token, server.minted)
