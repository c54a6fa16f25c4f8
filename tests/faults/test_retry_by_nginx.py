"""The app's answer gets lost on the way: nginx asks again, and once is still once."""

import re
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.relay import Drop, Relay, in_front_of, pass_on
from tests.stack import Stack
from tests.wire import Answer

_REQUEST_ID = re.compile(rb"X-Request-ID: ([0-9a-f]{32})\r\n", re.IGNORECASE)


@pytest.fixture
def relay(stack: Stack) -> Iterator[Relay]:
    """A relay between nginx and the app; nginx has no older connections."""
    with in_front_of(stack.run_dir / "app.sock") as found:
        stack.reload_nginx()
        yield found
    stack.reload_nginx()


def losing(count: int) -> Callable[[bytes], Iterable[bytes]]:
    """Lose the next `count` answers: the app has given them, and the connection ends."""
    left = [count]

    def spoil(data: bytes) -> Iterable[bytes]:
        left[0] -= 1
        if left[0] >= 0:
            raise Drop
        return pass_on(data)

    return spoil


def call(stack: Stack, relay: Relay, token: str, lost: int) -> tuple[Answer, list[bytes]]:
    """Make one call of which `lost` answers get lost; return the ids of the app's questions."""
    relay.requests.clear()
    relay.spoil = losing(lost)
    answer = stack.call("/demo/any", token)
    relay.spoil = pass_on
    return answer, _REQUEST_ID.findall(b"".join(relay.requests))


def test_lost_answer_about_a_one_time_token_is_asked_for_again(stack: Stack, relay: Relay) -> None:
    """Ten times: 200 for the one request, which asked twice under one id; then it is spent."""
    for _ in range(10):
        token = stack.mint(path="/ott")
        answer, asked = call(stack, relay, token, lost=1)
        assert 200 == answer.status
        assert [str(answer.header("X-Request-ID")).encode()] * 2 == asked
        assert 401 == stack.call("/demo/any", token).status


def test_answer_that_is_lost_twice_is_503_and_the_token_is_spent(
    stack: Stack, relay: Relay
) -> None:
    """nginx gives up after its second try; the client's own retry is another request."""
    token = stack.mint(path="/ott")
    answer, asked = call(stack, relay, token, lost=2)
    assert (503, "1") == (answer.status, answer.header("Retry-After"))
    assert 2 == len(asked)
    assert 401 == stack.call("/demo/any", token).status


def test_lost_refusal_is_asked_for_again(stack: Stack, relay: Relay) -> None:
    """A retry changes no refusal, and an ordinary token is not used up by it."""
    token = stack.mint()
    answer, _ = call(stack, relay, f"{token[:-6]}AAAAAA", lost=1)
    assert 401 == answer.status
    for _ in range(2):
        answer, asked = call(stack, relay, token, lost=1)
        assert (200, 2) == (answer.status, len(asked))


def test_half_an_answer_is_none(stack: Stack, relay: Relay) -> None:
    """A yes that breaks off in its headers lets nobody in; the second try may."""
    token = stack.mint()
    for size in (1, 9, 12, 20, 60):
        left = [2]

        def spoil(data: bytes, size: int = size, left: list[int] = left) -> Iterable[bytes]:
            left[0] -= 1
            yield data[:size] if left[0] >= 0 else data
            if left[0] >= 0:
                raise Drop

        relay.spoil = spoil
        assert 503 == stack.call("/demo/any", token).status, size
        relay.spoil = pass_on
        assert 200 == stack.call("/demo/any", token).status
