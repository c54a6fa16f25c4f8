"""What happens when no token can be had: what is tried again, how soon, and what callers see."""

import asyncio
import copy
import pickle
import traceback
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from portcullis_client import InvalidAnswer, OAuthError, TokenEndpointUnreachable, TokenError
from tests.processes import until
from tests.sdk.token_server import SECRET, Clock, TokenServer, oauth_error

DATE = "Sat, 01 Jan 2000 00:00:00 GMT"
SEVEN_LATER = "Sat, 01 Jan 2000 00:00:07 GMT"
BASIC = b64encode(f"demo:{quote(SECRET, safe='')}".encode()).decode()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(server: TokenServer, clock: Clock, status: int) -> None:
    """What may pass by itself is not the caller's to deal with."""
    server.trouble = [oauth_error(status), httpx.Response(status, text="<html>")]
    assert "token-1" == server.source(clock).token().access_token
    assert 3 == len(server.requests)


@pytest.mark.parametrize("trouble", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError])
def test_broken_connection_is_tried_again(
    server: TokenServer, clock: Clock, trouble: type[httpx.TransportError]
) -> None:
    """Minting twice does no harm: a token that nobody has seen is nobody's."""
    server.trouble = [trouble("broken")]
    assert "token-1" == server.source(clock).token().access_token


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, "invalid_client"),
        (400, "invalid_scope"),
        (400, "invalid_target"),
        (400, "unauthorized_client"),
        (413, "invalid_request"),
    ],
)
def test_refusal_is_told_at_once(
    server: TokenServer, clock: Clock, status: int, error: str
) -> None:
    """What will not pass by itself is raised as it was said."""
    server.trouble = [oauth_error(status, error)]
    with pytest.raises(OAuthError) as raised:
        server.source(clock).token()
    seen = raised.value
    assert (error, "because", status) == (seen.error, seen.description, seen.status)
    assert f"{status} {error}: because" == str(seen)
    assert ([], 1) == (clock.slept, len(server.requests))


@pytest.mark.parametrize(
    ("headers", "least_s"),
    [
        ({"Retry_After": "3"}, 3.0),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": SEVEN_LATER, "Date": DATE}, 7.0),
        ({"Retry_After": SEVEN_LATER}, 0.0),
        ({"Retry_After": DATE, "Date": SEVEN_LATER}, 0.0),
        ({"Retry_After": "soon"}, 0.0),
        ({"Retry_After": "-5"}, 0.0),
        ({"Retry_After": "9" * 5000}, None),
        ({"Retry_After": "11"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_server_is_left_alone_for_as_long_as_it_asks(
    server: TokenServer, clock: Clock, status: int, headers: dict[str, str], least_s: float | None
) -> None:
    """Seconds, or a date held against the server's own; None: more than the caller will wait."""
    server.trouble = [oauth_error(status, **headers)]
    source = server.source(clock, timeout_s=10)
    if least_s is None:
        with pytest.raises(OAuthError):
            source.token()
        assert [] == clock.slept
    else:
        source.token()
        assert least_s + 0.25 <= clock.slept[0] <= least_s + 0.5


def test_pauses_grow_and_differ(server: TokenServer, clock: Clock) -> None:
    """Each is up to twice the one before, and never the same for two clients."""
    server.trouble = [oauth_error(503)] * 1000
    with pytest.raises(OAuthError):
        server.source(clock, timeout_s=60).token()
    for number, slept_s in enumerate(clock.slept, 1):
        longest_s = min(0.25 * 2**number, 15)
        assert longest_s / 2 <= slept_s <= longest_s
    other = Clock()
    with pytest.raises(OAuthError):
        server.source(other, timeout_s=60).token()
    assert clock.slept[0] != other.slept[0]


def test_retries_end_in_time(server: TokenServer, clock: Clock) -> None:
    """No pause begins that would not end before `timeout_s` is over."""
    server.trouble = [oauth_error(503)] * 1000
    before = clock.now
    with pytest.raises(OAuthError):
        server.source(clock, timeout_s=5).token()
    assert clock.now - before < 5


@pytest.mark.parametrize("once", [False, True])
def test_failure_is_shared_until_the_pause_is_over(
    server: TokenServer, clock: Clock, once: bool
) -> None:
    """A thousand callers after a failure make no request; the first one after the pause does."""
    server.trouble = [oauth_error(401, "invalid_client"), oauth_error(401, "invalid_client")]
    source = server.source(clock, once=once)
    for _ in range(1000):
        with pytest.raises(OAuthError, match="invalid_client"):
            source.token()
    assert 1 == len(server.requests)
    clock.now += 0.5
    for _ in range(1000):
        with pytest.raises(OAuthError, match="invalid_client"):
            source.token()
    assert 2 == len(server.requests)
    clock.now += 1
    assert "token-1" == source.token().access_token


def test_waiting_callers_share_the_failure(server: TokenServer) -> None:
    """All are told the same, each by an error of its own."""
    server.trouble = [oauth_error(401, "invalid_client")]
    source = server.source()
    server.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(source.token) for _ in range(20)]
        until(lambda: server.requests, what="the request")
        server.gate.set()
        errors = [one.exception() for one in waiting]
    assert {"401 invalid_client: because"} == {str(error) for error in errors}
    assert (20, 1) == (len({id(error) for error in errors}), len(server.requests))


def test_one_time_mints_that_fail_together_count_once(server: TokenServer, clock: Clock) -> None:
    """A short trouble of many concurrent mints does not end in the longest pause."""
    server.trouble = [oauth_error(401, "invalid_client") for _ in range(20)]
    source = server.source(clock, once=True)
    server.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(source.token) for _ in range(20)]
        until(lambda: len(server.requests) == 20, what="the requests")
        server.gate.set()
        assert all(one.exception() for one in waiting)
    clock.now += 2
    assert "token-1" == source.token().access_token


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(server: TokenServer, status: int) -> None:
    """The client's secret goes to the URL that it was meant for, and nowhere else."""
    elsewhere = {"Location": "https://elsewhere.example/token"}
    server.trouble = [httpx.Response(status, headers=elsewhere, json={"error": "moved"})]
    with pytest.raises(InvalidAnswer, match="redirect"):
        server.source().token()
    assert ["auth.example"] == [request.url.host for request in server.requests]


GOOD = TokenServer().document(1)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.Response(200, json=[GOOD]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={**GOOD, "access_token": ""}),
        httpx.Response(200, json={**GOOD, "access_token": 7}),
        httpx.Response(200, json={**GOOD, "access_token": "a\r\nX-Evil: 1"}),
        httpx.Response(200, json={**GOOD, "token_type": "DPoP"}),
        *(
            httpx.Response(
                200, content=f'{{"access_token":"t","token_type":"Bearer","expires_in":{life}}}'
            )
            for life in ("null", "true", '"3600"', "0", "-1", "NaN", "Infinity", "1e999")
        ),
        httpx.Response(200, content=b" " * 70_000),
        httpx.Response(404, text="nothing here"),
        httpx.Response(400, json={"error": 7}),
    ],
)
def test_answer_that_makes_no_sense_is_an_error(
    server: TokenServer, answer: httpx.Response
) -> None:
    """Half an answer is none, and it is not asked for again."""
    server.trouble = [answer]
    with pytest.raises(InvalidAnswer):
        server.source().token()
    assert 1 == len(server.requests)


def test_dripping_answer_ends_in_time(server: TokenServer, clock: Clock) -> None:
    """A body that comes byte by byte cannot hold a request for longer than it may take."""

    def drip() -> Any:
        while True:
            clock.now += 1
            yield b" "

    server.trouble = [httpx.Response(200, stream=Stream(drip())) for _ in range(3)]
    before = clock.now
    with pytest.raises(TokenEndpointUnreachable):
        server.source(clock, timeout_s=10).token()
    assert clock.now - before <= 12


class Stream(httpx.SyncByteStream):
    """A body that comes as a generator has it."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks

    def __iter__(self) -> Any:
        return self.chunks


@pytest.mark.parametrize(
    "trouble",
    [
        oauth_error(401, "invalid_client"),
        httpx.Response(200, text="<html>"),
        httpx.Response(302),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
@pytest.mark.parametrize("once", [False, True])
def test_no_error_shows_the_secret(
    server: TokenServer, trouble: httpx.Response | Exception, once: bool
) -> None:
    """Neither its text, nor its traceback with the variables of each frame, nor what it holds."""
    server.trouble = [trouble] * 2
    source = server.source(once=once, timeout_s=0.001)
    with pytest.raises(TokenError) as raised:
        source.token()
    frames = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    shown = "".join(frames.format()) + repr(raised.value) + repr(vars(raised.value)) + repr(source)
    for secret in (SECRET, quote(SECRET, safe=""), BASIC):
        assert secret not in shown
    assert raised.value.__context__ is None or isinstance(raised.value.__context__, TokenError)


def test_token_does_not_show_itself(server: TokenServer) -> None:
    """What prints a token's record does not print the token."""
    assert "token-1" not in repr(server.source().token())


@pytest.mark.parametrize(
    "error",
    [
        OAuthError("invalid_scope", "no", 400, 1.5),
        InvalidAnswer("what?", 502, None),
        TokenEndpointUnreachable("away"),
    ],
)
def test_error_survives_copy_and_pickle(error: TokenError) -> None:
    """Errors cross processes, as in a pool of workers."""
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(error), str(error), vars(error)) == (type(twin), str(twin), vars(twin))


def test_unreadable_secret_is_a_token_error(server: TokenServer) -> None:
    """A function that fails to find the secret fails the request, and names its own error only."""

    def missing() -> str:
        raise FileNotFoundError("/etc/the-secret")

    with pytest.raises(TokenError, match=r"client_secret\(\) raised FileNotFoundError$") as raised:
        server.source(client_secret=missing).token()
    assert isinstance(raised.value.__cause__, FileNotFoundError)


def test_task_sees_the_same_errors(server: TokenServer) -> None:
    """asyncio or not."""
    server.trouble = [oauth_error(400, "invalid_scope")]
    with pytest.raises(OAuthError, match="invalid_scope"):
        asyncio.run(server.source().token_async())
