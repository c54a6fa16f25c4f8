"""The client library while the gateway cannot decide."""

import time

import httpx
import pytest

from portcullis_client import HttpxAuth, OAuthError, TokenError, TokenSource
from tests.stack import Stack, until


def test_source_recovers_by_itself_when_redis_is_back(stack: Stack) -> None:
    """503 from the token endpoint is waited out, told to all callers, and forgotten afterwards."""
    client_id, secret = stack.demo
    url = f"{stack.url}/demo/read"
    source = TokenSource(f"{stack.url}/token", client_id, secret, timeout_s=2.5)
    stack.kill("redis")
    began_at = time.monotonic()
    with httpx.Client(auth=HttpxAuth(source)) as client:
        refusal = until(lambda: _refusal(client, url), what="a refusal, and not a lack of time")
        assert ("temporarily_unavailable", 503) == (refusal.error, refusal.status)
        for _ in range(100):
            with pytest.raises(OAuthError, match="temporarily_unavailable"):
                source.token()
        stack.start()
        until(lambda: _status(client, url) == 200, timeout_s=30, what="a call gets through")
    until(lambda: _asked(stack) and _asked(stack)[-1] == 200, what="the log")
    assert len(_asked(stack)) <= time.monotonic() - began_at + 1, "at most once a second"


def _asked(stack: Stack) -> list[int]:
    """The statuses of all answers of the token endpoint."""
    return [entry["status"] for entry in stack.access_log(path="/token")]


def _refusal(client: httpx.Client, url: str) -> OAuthError | None:
    with pytest.raises(TokenError) as raised:
        client.get(url)
    return raised.value if isinstance(raised.value, OAuthError) else None


def _status(client: httpx.Client, url: str) -> int:
    try:
        return client.get(url).status_code
    except TokenError:
        return 0
