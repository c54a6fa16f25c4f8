"""Access tokens for services that call through Portcullis, or any client credentials server.

    client = httpx.Client(auth=HttpxAuth(TokenSource(token_url, client_id, client_secret)))

`portcullis_client.requests_auth.RequestsAuth` is the same for requests.
"""

from portcullis_client.errors import (
    InvalidAnswer,
    OAuthError,
    TokenEndpointUnreachable,
    TokenError,
)
from portcullis_client.httpx_auth import HttpxAuth
from portcullis_client.source import TokenSource
from portcullis_client.token import Token

__all__ = [
    "HttpxAuth",
    "InvalidAnswer",
    "OAuthError",
    "Token",
    "TokenEndpointUnreachable",
    "TokenError",
    "TokenSource",
]
