"""The client library against a running gateway."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import requests

from portcullis_client import HttpxAuth, OAuthError, TokenSource
from portcullis_client.requests_auth import RequestsAuth
from tests.stack import Credentials, Stack, until

CALLERS = 1000


def source_of(stack: Stack, client: Credentials | None = None, **options: Any) -> TokenSource:
    client_id, secret = client or stack.demo
    return TokenSource(f"{stack.url}/token", client_id, secret, **options)


def minted(stack: Stack, kind: str = "tokens") -> int:
    """Return how many tokens the gateway has handed out, to all clients."""
    text = httpx.get(f"{stack.ops_url}/metrics", timeout=60).text
    line = rf"^portcullis_{kind}_minted_total(?:{{.*}})? (\d+)"
    return sum(int(count) for count in re.findall(line, text, re.MULTILINE))


@contextmanager
def mints(stack: Stack, expected: int, kind: str = "tokens") -> Iterator[None]:
    """Fail unless this many tokens are minted within."""
    before = minted(stack, kind)
    yield
    assert expected == minted(stack, kind) - before


def by_threads(count: int, act: Callable[[], Any]) -> list[Any]:
    """Let as many threads do something at the same moment."""
    together = threading.Barrier(count)

    def run() -> Any:
        together.wait(60)
        return act()

    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(run) for _ in range(count)]]


async def tokens(source: TokenSource, count: int) -> set[str]:
    """Ask for a token in as many tasks at once."""
    found = await asyncio.gather(*(source.token_async() for _ in range(count)))
    return {one.access_token for one in found}


async def gets(stack: Stack, source: TokenSource, count: int) -> Counter[int]:
    """Call a protected route from as many tasks; return how often each status came.

    On a busy machine it may be 503: then the task asks again.
    """
    seen = Counter[int]()

    async def get() -> None:
        while True:
            status = (await client.get(f"{stack.url}/demo/read")).status_code
            seen[status] += 1
            if status != 503:
                return

    async with httpx.AsyncClient(auth=HttpxAuth(source), timeout=60) as client:
        await asyncio.gather(*(get() for _ in range(count)))
    return seen


def test_thousand_threads_mint_once(stack: Stack) -> None:
    """All of them begin at the same moment, with no token."""
    source = source_of(stack)
    with mints(stack, 1):
        assert 1 == len({one.access_token for one in by_threads(CALLERS, source.token)})


def test_thousand_tasks_mint_once(stack: Stack) -> None:
    """In one event loop."""
    source = source_of(stack)
    with mints(stack, 1):
        assert 1 == len(asyncio.run(tokens(source, CALLERS)))


def test_threads_and_event_loops_mint_once(stack: Stack) -> None:
    """Mixed: threads, and loops in threads of their own."""
    source = source_of(stack)
    with mints(stack, 1), ThreadPoolExecutor(105) as pool:
        loops = [pool.submit(asyncio.run, tokens(source, 180)) for _ in range(5)]
        threads = [pool.submit(source.token) for _ in range(100)]
        found = {one.result().access_token for one in threads}
        assert [found] * 5 == [one.result() for one in loops]


def test_concurrent_calls_with_a_revoked_token_mint_one_more(stack: Stack) -> None:
    """A hundred are refused at once; the next token is for all of them."""
    source = source_of(stack)
    stack.revoke(source.token().access_token)
    with mints(stack, 1):
        assert 100 == asyncio.run(gets(stack, source, 100))[200]


def test_revoked_token_heals_by_itself(stack: Stack) -> None:
    """Whichever way it is called, the caller sees nothing of it."""
    source = source_of(stack)
    url = f"{stack.url}/demo/write"
    with httpx.Client(auth=HttpxAuth(source)) as client, requests.Session() as session:
        session.auth = RequestsAuth(source)
        for post in (client.post, session.post, lambda _: asyncio.run(_post(source, url))):
            stack.revoke(source.token().access_token)
            with mints(stack, 1):
                assert 200 == post(url).status_code


async def _post(source: TokenSource, url: str) -> httpx.Response:
    async with httpx.AsyncClient(auth=HttpxAuth(source)) as client:
        return await client.post(url, json={"amount": 1})


def test_scope_that_is_missing_is_not_a_reason_to_mint(stack: Stack) -> None:
    """403 is the answer: another token would have the same scope."""
    source = source_of(stack, scope="demo:read")
    with mints(stack, 1), httpx.Client(auth=HttpxAuth(source)) as client:
        assert [403] * 3 == [client.post(f"{stack.url}/demo/write").status_code for _ in range(3)]


def test_rotated_secret_is_taken_up_without_a_restart(stack: Stack) -> None:
    """Old and new work side by side for the grace time; then the function returns the new one."""
    client_id, old = stack.client_create("sdk-rotated", "demo:read")
    secret = [old]
    source = TokenSource(f"{stack.url}/token", client_id, lambda: secret[0])
    first = source.token()
    rotated = stack.script("client", "rotate", client_id, "--grace-s", "0", "--json").stdout
    stack.script("token", "revoke-client", client_id)
    source.discard(first)
    with pytest.raises(OAuthError, match="invalid_client"):
        source.token()
    secret[0] = str(httpx.Response(200, text=rotated).json()["client_secret"])
    source.close()  # and with it the pause after the failure
    with httpx.Client(auth=HttpxAuth(source)) as client:
        assert 200 == client.get(f"{stack.url}/demo/read").status_code
    stack.script("client", "delete", client_id, "--yes")


def test_clock_a_minute_off_does_no_harm(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock jumps a minute back and forth; tokens of eight seconds are renewed."""
    client = stack.client_create("sdk-clock", "demo:read", ttl_s="8")
    real, jumps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + (60 if next(jumps) % 2 else -60))
    source, statuses, seen = source_of(stack, client), set(), set()
    with httpx.Client(auth=HttpxAuth(source)) as caller:

        def call() -> bool:
            statuses.add(caller.get(f"{stack.url}/demo/read").status_code)
            seen.add(source.token().access_token)
            return len(seen) == 2

        before = minted(stack)
        until(call, timeout_s=60, what="the token is renewed")
    assert ({200}, 2) == (statuses, minted(stack) - before)
    stack.script("client", "delete", client[0], "--yes")


def test_one_time_tokens_are_each_for_one_request(stack: Stack) -> None:
    """A hundred tasks in ten threads: each request has a token of its own, and each works."""

    def in_a_loop() -> Counter[int]:
        return asyncio.run(gets(stack, source, 10))

    before = minted(stack, "one_time_tokens")
    with source_of(stack, once=True) as source:
        seen = sum(by_threads(10, in_a_loop), Counter[int]())
    assert 100 == seen[200]
    assert seen.total() == minted(stack, "one_time_tokens") - before


def test_one_time_token_for_requests(stack: Stack) -> None:
    """The other library."""
    with (
        mints(stack, 3, "one_time_tokens"),
        requests.Session() as session,
        source_of(stack, once=True) as source,
    ):
        session.auth = RequestsAuth(source)
        assert [200] * 3 == [session.get(f"{stack.url}/demo/any").status_code for _ in range(3)]


def test_wrong_secret_is_a_typed_error(stack: Stack) -> None:
    """As the gateway says it."""
    with pytest.raises(OAuthError) as raised:
        source_of(stack, ("nobody", "wrong")).token()
    assert ("invalid_client", 401) == (raised.value.error, raised.value.status)
