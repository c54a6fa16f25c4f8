"""Tokens on the requests of a requests.Session. Needs `portcullis-client[requests]`."""

from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from portcullis_client.challenge import says_invalid_token
from portcullis_client.source import TokenSource
from portcullis_client.token import Token


class RequestsAuth(AuthBase):
    """Sends a token with each request, and once more with a new one when it was refused.

    A body that cannot be rewound is sent only once: its 401 is the answer, and the next request
    has a new token.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """As requests wants it."""
        token = self._source.token()
        request.headers["Authorization"] = _header(token)
        if not self._source.once:  # see HttpxAuth
            request.register_hook("response", partial(self._answered, token))
        return request

    def _answered(self, token: Token, response: requests.Response, **how: Any) -> requests.Response:
        if not _is_refusal(response, token):
            return response
        again = response.request.copy()
        if not self._source.discard(token) or not _rewound(again):
            return response
        response.content  # noqa: B018  read to its end, so that the connection can be used again
        response.close()
        again.headers["Authorization"] = _header(self._source.token())
        repeated = response.connection.send(again, **how)
        repeated.history.append(response)
        repeated.request = again
        return repeated


def _header(token: Token) -> str:
    return f"Bearer {token.access_token}"


def _is_refusal(response: requests.Response, token: Token) -> bool:
    """Tell whether it was this token that was refused; see HttpxAuth."""
    return (
        response.status_code == requests.codes.unauthorized
        and response.request.headers.get("Authorization") == _header(token)
        and says_invalid_token([response.headers.get("WWW-Authenticate", "")])
    )


def _rewound(request: requests.PreparedRequest) -> bool:
    """Tell whether the body can be sent again, and make it ready for that."""
    if isinstance(request.body, str | bytes | None):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
