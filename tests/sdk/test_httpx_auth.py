"""httpx.Client and httpx.AsyncClient with tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from portcullis_client import HttpxAuth, OAuthError, TokenSource
from tests.sdk.protected_service import ProtectedService
from tests.sdk.token_server import TokenServer, oauth_error

URL = "https://orders.example/orders"
Post = Callable[..., httpx.Response]


@pytest.fixture
def service() -> ProtectedService:
    return ProtectedService()


@pytest.fixture(params=["sync", "async"])
def post(request: pytest.FixtureRequest, service: ProtectedService) -> Callable[..., Any]:
    """`post(source, **options)` by one kind of client, then the other."""

    def sync(source: TokenSource, **options: Any) -> httpx.Response:
        transport = httpx.MockTransport(service)
        with httpx.Client(auth=HttpxAuth(source), transport=transport) as client:
            return client.post(URL, **options)

    async def asynchronous(source: TokenSource, **options: Any) -> httpx.Response:
        transport = httpx.MockTransport(service.answer)
        async with httpx.AsyncClient(auth=HttpxAuth(source), transport=transport) as client:
            return await client.post(URL, **options)

    if request.param == "sync":
        return sync
    return lambda source, **options: asyncio.run(asynchronous(source, **options))


def test_request_bears_the_token(post: Post, server: TokenServer) -> None:
    """As a bearer (RFC 6750 §2.1)."""
    assert {"token": "token-1"} == post(server.source()).json()


@pytest.mark.parametrize(
    "options",
    [{}, {"content": b"body"}, {"data": {"a": "b"}}, {"json": {"a": 1}}],
    ids=["none", "bytes", "form", "json"],
)
def test_refused_token_is_replaced_and_the_request_repeated(
    post: Post, server: TokenServer, service: ProtectedService, options: dict[str, Any]
) -> None:
    """The caller sees the answer to the second request, which has the same body."""
    service.refused = {"token-1"}
    answer = post(server.source(), **options)
    assert (200, {"token": "token-2"}) == (answer.status_code, answer.json())
    assert ["token-1", "token-2"] == service.tokens
    assert service.seen[0][1] == service.seen[1][1]


def test_second_refusal_is_the_answer(
    post: Post, server: TokenServer, service: ProtectedService
) -> None:
    """Once more, not more."""
    service.refuses_all = True
    assert (401, 2) == (post(server.source()).status_code, len(service.seen))


@pytest.mark.parametrize(
    "challenge", ['Bearer realm="portcullis"', 'Bearer error="insufficient_scope"', "Basic", ""]
)
def test_401_for_another_reason_is_the_answer(
    post: Post, server: TokenServer, service: ProtectedService, challenge: str
) -> None:
    """Another token would not help, and this one is still good."""
    service.refuses_all, service.challenge = True, challenge
    source = server.source()
    assert (401, 1) == (post(source).status_code, len(service.seen))
    assert "token-1" == source.token().access_token


def test_streamed_body_is_sent_once(
    post: Post, server: TokenServer, service: ProtectedService, request: pytest.FixtureRequest
) -> None:
    """It is gone after the first time; but the next request has a new token."""
    service.refused = {"token-1"}
    is_async = "async" in request.node.callspec.id
    source = server.source()
    body = _chunks_async() if is_async else _chunks()
    assert (401, [("token-1", b"body")]) == (
        post(source, content=body).status_code,
        service.seen,
    )
    assert 200 == post(source).status_code


def _chunks() -> Iterator[bytes]:
    yield from (b"bo", b"dy")


async def _chunks_async() -> AsyncIterator[bytes]:
    for chunk in _chunks():
        yield chunk


def test_one_time_token_is_for_one_request(
    post: Post, server: TokenServer, service: ProtectedService
) -> None:
    """Each request has one of its own, and a refused one is not repeated: it may have been done."""
    source = server.source(once=True)
    service.refused = {"token-3"}
    assert [200, 200, 401] == [post(source).status_code for _ in range(3)]
    assert ["token-1", "token-2", "token-3"] == service.tokens


def test_token_that_cannot_be_had_is_an_error(
    post: Post, server: TokenServer, service: ProtectedService
) -> None:
    """And nothing is sent to the service."""
    server.trouble = [oauth_error(401, "invalid_client")]
    with pytest.raises(OAuthError, match="invalid_client"):
        post(server.source())
    assert [] == service.seen


@pytest.mark.parametrize("location", ["https://elsewhere.example/", "http://orders.example/"])
def test_host_that_was_sent_no_token_cannot_refuse_one(server: TokenServer, location: str) -> None:
    """A redirect to another host leaves the token behind, so its 401 says nothing about it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == URL:
            return httpx.Response(302, headers={"Location": location})
        assert "Authorization" not in request.headers
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})

    source = server.source()
    transport = httpx.MockTransport(answer)
    with httpx.Client(auth=HttpxAuth(source), transport=transport, follow_redirects=True) as client:
        assert 401 == client.get(URL).status_code
    assert ("token-1", 1) == (source.token().access_token, server.minted)
