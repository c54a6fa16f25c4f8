"""Tokens on the requests of an httpx.Client or httpx.AsyncClient."""

from collections.abc import AsyncGenerator, Generator

import httpx

from portcullis_client.challenge import says_invalid_token
from portcullis_client.source import TokenSource
from portcullis_client.token import Token


class HttpxAuth(httpx.Auth):
    """Sends a token with each request, and once more with a new one when it was refused.

    A body that is streamed is sent only once: its 401 is the answer, and the next request has a
    new token.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """As httpx wants it."""
        token, is_repeatable = self._source.token(), _is_repeatable(request)
        response = yield _bearing(token, request)
        if self._is_refusal(response, token) and self._source.discard(token) and is_repeatable:
            yield _bearing(self._source.token(), request)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """As httpx wants it."""
        token, is_repeatable = await self._source.token_async(), _is_repeatable(request)
        response = yield _bearing(token, request)
        if self._is_refusal(response, token) and self._source.discard(token) and is_repeatable:
            yield _bearing(await self._source.token_async(), request)

    def _is_refusal(self, response: httpx.Response, token: Token) -> bool:
        """Tell whether it was this token that was refused.

        Not so for a one-time token: the request may have been carried out, and its answer lost. Nor
        when a redirect led to another host, which was sent none.
        """
        return (
            response.status_code == httpx.codes.UNAUTHORIZED
            and not self._source.once
            and response.request.headers.get("Authorization") == _header(token)
            and says_invalid_token(response.headers.get_list("WWW-Authenticate"))
        )


def _header(token: Token) -> str:
    return f"Bearer {token.access_token}"


def _bearing(token: Token, request: httpx.Request) -> httpx.Request:
    request.headers["Authorization"] = _header(token)
    return request


def _is_repeatable(request: httpx.Request) -> bool:
    """Asked before it is sent: afterwards a stream may be in memory, or may be gone."""
    return isinstance(request.stream, httpx.ByteStream)
