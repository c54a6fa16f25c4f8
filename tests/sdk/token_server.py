"""A token endpoint in memory, and a clock that stands still until a test moves it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx

from portcullis_client import TokenSource

SECRET = "a secret/that+shows"
TOKEN_URL = "https://auth.example/token"


@dataclass
class Clock:
    """Seconds of a monotonic clock. Sleeping moves it, and is written down."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class TokenServer:
    """Mints `token-1`, `token-2` …; `trouble` holds what it answers first instead."""

    def __init__(self, life_s: float = 100) -> None:
        self.life_s = life_s
        self.trouble: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []
        self.minted = 0
        self.begin_in_child()

    def begin_in_child(self) -> None:
        """Begin with a gate and a lock of one's own: a thread of the parent may hold the others."""
        self.gate = threading.Event()
        """Closed, requests wait; it is open to begin with."""
        self.gate.set()
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            trouble = self.trouble.pop(0) if self.trouble else None
            self.minted += trouble is None
            minted = self.minted
        assert self.gate.wait(30)
        if isinstance(trouble, Exception):
            raise trouble
        return trouble or httpx.Response(200, json=self.document(minted))

    def document(self, number: int) -> dict[str, Any]:
        return {
            "access_token": f"token-{number}",
            "token_type": "Bearer",
            "expires_in": self.life_s,
            "scope": "a b",
        }

    def forms(self) -> Iterator[dict[str, list[str]]]:
        """What each request has sent."""
        return (parse_qs(request.content.decode()) for request in self.requests)

    def source(self, clock: Clock | None = None, **options: Any) -> TokenSource:
        """A source that asks here."""
        clock = clock or Clock()
        options = {"token_url": TOKEN_URL, "client_secret": SECRET, **options}
        return TokenSource(
            client_id="demo",
            transport=httpx.MockTransport(self),
            clock=clock,
            sleep=clock.sleep,
            **options,
        )


def oauth_error(
    status: int, error: str = "temporarily_unavailable", **headers: str
) -> httpx.Response:
    """An error as RFC 6749 §5.2 has it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    document = {"error": error, "error_description": "because"}
    return httpx.Response(status, json=document, headers=named)
