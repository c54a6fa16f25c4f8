"""One token for all callers, and when the next one is asked for."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from portcullis_client import TokenEndpointUnreachable, TokenSource
from portcullis_client.token import read_answer
from tests.processes import until
from tests.sdk.token_server import SECRET, TOKEN_URL, Clock, TokenServer, oauth_error

LIFE_S = 100
EARLIEST_S = 20
"""A fifth of the life."""


def test_token_is_asked_for_once(server: TokenServer) -> None:
    """The second caller gets what the first one got."""
    source = server.source()
    assert ["token-1", "token-1"] == [source.token().access_token for _ in range(2)]
    assert 1 == server.minted


def test_token_before_its_renewal_is_kept(server: TokenServer, clock: Clock) -> None:
    """Until a fifth of the life is left, nothing is asked."""
    source = server.source(clock)
    source.token()
    clock.now += LIFE_S - EARLIEST_S - 0.001
    assert ("token-1", 1) == (source.token().access_token, len(server.requests))


def test_token_near_its_end_is_renewed_behind_the_caller(server: TokenServer, clock: Clock) -> None:
    """While the next token is on its way, nobody waits: the old one is still good."""
    source = server.source(clock)
    clock.now = source.token().renew_at
    server.gate.clear()
    assert ["token-1", "token-1"] == [source.token().access_token for _ in range(2)]
    server.gate.set()
    until(lambda: source.token().access_token == "token-2", what="the next token")
    assert 2 == len(server.requests)


def test_token_at_its_end_is_not_handed_out(server: TokenServer, clock: Clock) -> None:
    """`expires_at` itself is too late."""
    source = server.source(clock)
    clock.now = source.token().expires_at
    assert "token-2" == source.token().access_token


@pytest.mark.parametrize("life_s", [0.5, 1, 10, 100, 3600, 86400])
def test_renewal_times_are_spread_within_bounds(life_s: float) -> None:
    """A tenth to a fifth of the life before the end, 150 to 300 s for a long one."""
    document = {**TokenServer(life_s).document(1)}
    body = httpx.Response(200, json=document)
    early = {
        token.expires_at - token.renew_at
        for token in (read_answer(body, body.content, 0.0) for _ in range(50))
    }
    longest_s = min(life_s / 5, 300)
    assert longest_s / 2 <= min(early) + 1e-6
    assert max(early) - 1e-6 <= longest_s
    assert len(early) > 40


def test_life_counts_from_before_the_request(clock: Clock) -> None:
    """A slow answer does not make a token live longer here than at the server."""

    def answer(_: httpx.Request) -> httpx.Response:
        clock.now += 3
        return httpx.Response(200, json=TokenServer(LIFE_S).document(1))

    transport = httpx.MockTransport(answer)
    source = TokenSource(TOKEN_URL, "demo", SECRET, transport=transport, clock=clock)
    asked_at = clock.now
    assert asked_at + LIFE_S == source.token().expires_at


def test_failed_renewal_leaves_the_good_token(server: TokenServer, clock: Clock) -> None:
    """As long as the old token is good, trouble at the token endpoint is nobody's trouble."""
    source = server.source(clock)
    token = source.token()
    clock.now = token.renew_at
    server.trouble = [oauth_error(401, "invalid_client")]
    assert "token-1" == source.token().access_token
    until(lambda: len(server.requests) == 2, what="the renewal")
    assert ["token-1"] * 20 == [source.token().access_token for _ in range(20)]
    assert 2 == len(server.requests)

    def is_renewed() -> bool:
        clock.now += 0.005  # well before the end of the old one, however often this is asked
        return source.token().access_token == "token-2"

    until(is_renewed, what="the next renewal")
    assert clock.now < token.expires_at


def test_many_threads_share_one_request(server: TokenServer) -> None:
    """However many wait, one request is made."""
    source = server.source()
    server.gate.clear()
    with ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(source.token) for _ in range(50)]
        until(lambda: len(server.requests) == 1, what="the request")
        server.gate.set()
        assert {"token-1"} == {one.result().access_token for one in waiting}
    assert 1 == len(server.requests)


def test_threads_and_tasks_share_one_request(server: TokenServer) -> None:
    """A task waits for a thread's request and the other way round, in any number of loops."""
    source = server.source()
    server.gate.clear()

    async def many() -> set[str]:
        found = await asyncio.gather(*(source.token_async() for _ in range(100)))
        return {one.access_token for one in found}

    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(asyncio.run, many()) for _ in range(5)]
        threads = [pool.submit(source.token) for _ in range(20)]
        until(lambda: len(server.requests) == 1, what="the request")
        server.gate.set()
        assert {"token-1"} == {one.result().access_token for one in threads}
        assert [{"token-1"}] * 5 == [one.result() for one in waiting]
    assert 1 == len(server.requests)


def test_event_loop_runs_on_while_a_token_is_minted(server: TokenServer) -> None:
    """Other tasks are served meanwhile; here one of them lets the answer through."""
    source = server.source()
    server.gate.clear()

    async def scene() -> str:
        waiting = asyncio.create_task(source.token_async())
        while not server.requests:
            await asyncio.sleep(0.001)
        server.gate.set()
        return (await waiting).access_token

    assert "token-1" == asyncio.run(scene())


def test_cancelled_task_leaves_the_others_their_request(server: TokenServer) -> None:
    """Whoever asked first may go away: the request is nobody's own."""
    source = server.source()
    server.gate.clear()

    async def scene() -> str:
        first = asyncio.create_task(source.token_async())
        second = asyncio.create_task(source.token_async())
        while not server.requests:
            await asyncio.sleep(0.001)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        server.gate.set()
        return (await second).access_token

    assert ("token-1", 1) == (asyncio.run(scene()), len(server.requests))


def test_closed_event_loop_leaves_the_next_one_its_token(server: TokenServer) -> None:
    """A loop that ends while it waits does no harm to the one after it."""
    source = server.source()
    server.gate.clear()
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(source.token_async(), 0.05))
    server.gate.set()
    assert "token-1" == asyncio.run(source.token_async()).access_token


@pytest.mark.parametrize("how", ["thread", "task"])
def test_caller_waits_no_longer_than_it_was_told(server: TokenServer, how: str) -> None:
    """`timeout_s` bounds each caller, whatever the server does."""
    source = server.source(timeout_s=0.05)
    server.gate.clear()
    with pytest.raises(TokenEndpointUnreachable, match="no token in time"):
        source.token() if how == "thread" else asyncio.run(source.token_async())
    server.gate.set()


def test_request_that_never_ends_is_given_up(server: TokenServer, clock: Clock) -> None:
    """After twice the time that it may take, the next caller makes another one."""
    stuck = threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        is_first = not server.requests
        found = server(request)
        assert not is_first or stuck.wait(30)
        return found

    transport = httpx.MockTransport(answer)
    source = TokenSource(TOKEN_URL, "demo", SECRET, transport=transport, clock=clock, timeout_s=10)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(source.token)
        until(lambda: server.minted, what="the request")
        clock.now += 20
        assert "token-2" == source.token().access_token
        stuck.set()
        assert isinstance(first.exception(), TokenEndpointUnreachable)


def test_discarded_token_is_replaced_once(server: TokenServer) -> None:
    """A caller that comes late with the same refused token gets the one that took its place."""
    source = server.source()
    refused = source.token()
    assert source.discard(refused)
    assert "token-2" == source.token().access_token
    assert source.discard(refused)
    assert "token-2" == source.token().access_token
    assert 2 == server.minted


def test_service_that_refuses_every_token_costs_few_mints(
    server: TokenServer, clock: Clock
) -> None:
    """Ten replacements at once, then one every five seconds."""
    source = server.source(clock)
    for _ in range(100):
        source.discard(source.token())
    assert 11 == server.minted
    clock.now += 5
    for _ in range(100):
        source.discard(source.token())
    assert 12 == server.minted


def test_closed_source_may_be_used_again(server: TokenServer, clock: Clock) -> None:
    """Closing gives back threads and connections, and keeps the token."""
    source = server.source(clock)
    clock.now = source.token().expires_at
    source.close()
    assert "token-2" == source.token().access_token


def test_wall_clock_is_never_read(server: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is wrong, or jumps, changes nothing."""
    clock = Clock()
    source = server.source(clock)
    for wrong in (-60.0, 60.0, 1e9, -1e9):
        monkeypatch.setattr("time.time", lambda wrong=wrong: 1.7e9 + wrong)
        assert "token-1" == source.token().access_token
    clock.now += LIFE_S
    assert "token-2" == source.token().access_token


def test_threads_under_random_weather_never_see_a_dead_token(server: TokenServer) -> None:
    """Whatever the order of callers, discards and time: who gets a token gets a living one."""
    clock, dice = Clock(), random.Random(1)
    source = server.source(clock, timeout_s=1e6)
    stale: list[str] = []

    def live(seed: int) -> None:
        luck = random.Random(seed)
        for _ in range(200):
            clock.now += luck.random()  # by callers alone: no mint lasts longer than a token
            before = clock.now
            token = source.token()
            if token.expires_at <= before:
                stale.append(token.access_token)
            if luck.random() < 0.02:
                source.discard(token)

    threads = [threading.Thread(target=live, args=(dice.random(),)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [] == stale
    assert server.minted > 5
