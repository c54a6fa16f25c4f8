"""Redis comes back with an older copy of its data: nothing that was dead lives again."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.stack import Stack, until


class Copy:
    """Redis' files as they were at one moment. The way back is under a Redis that does not run."""

    def __init__(self, stack: Stack) -> None:
        self._live, self._kept = stack.run_dir / "redis", stack.run_dir / "redis.older"
        shutil.rmtree(self._kept, ignore_errors=True)
        stack.redis.save()  # no rewrite of the log runs, so its files are whole
        shutil.copytree(self._live, self._kept)

    def put_back(self) -> None:
        shutil.rmtree(self._live)
        shutil.copytree(self._kept, self._live)


@contextmanager
def redis_killed(stack: Stack) -> Iterator[None]:
    """The gateway goes on without it."""
    stack.kill("redis")
    yield
    stack.start()


@contextmanager
def all_stopped(stack: Stack) -> Iterator[None]:
    stack.script("down")
    yield
    stack.start()


def dataset_id(stack: Stack) -> str:
    return str(stack.redis.hget("dataset", "id"))


def marks_of(stack: Stack) -> object:
    return stack.redis.hgetall("tide:{dataset}")


def spend(stack: Stack) -> str:
    once = stack.mint(path="/ott")
    assert 200 == stack.call("/demo/any", once).status
    return once


@pytest.mark.parametrize("meanwhile", [redis_killed, all_stopped])
def test_older_files_put_back_revive_nothing(
    stack: Stack, meanwhile: Callable[..., object]
) -> None:
    """Revoked, spent, or of a client that was cut off: refused; clients mint again at once."""
    revoked, alive, once = stack.mint(), stack.mint(), stack.mint(path="/ott")
    typed = stack.mint()
    copy, before = Copy(stack), dataset_id(stack)
    marks = marks_of(stack)
    assert 200 == stack.call("/demo/any", once).status
    stack.revoke(revoked)
    stack.script("token", "revoke", typed)  # redis-cli, and no request that hears of it
    # Before that, a worker makes good by itself what it has seen, and no data set has to end.
    until(lambda: marks_of(stack) != marks, what="a change is confirmed")
    with meanwhile(stack):  # type: ignore[attr-defined]
        copy.put_back()
    until(lambda: dataset_id(stack) != before and stack.call("/demo/any", alive).status == 401)
    assert {401} == {stack.call("/demo/any", token).status for token in (revoked, typed, once)}
    fresh = stack.mint()
    assert 200 == stack.call("/demo/any", fresh).status
    assert 1 <= (stack.run_dir / "log" / "app.log").read_text().count(f"{before} ends and ")
    spend(stack)


def test_newest_files_keep_every_token_as_it_was(stack: Stack) -> None:
    """A restart in the midst of revocations and one-time tokens ends no data set."""
    alive, before = stack.mint(), dataset_id(stack)
    dead = [stack.mint() for _ in range(5)]
    for token in dead:
        stack.revoke(token)
    dead += [spend(stack) for _ in range(5)]
    with redis_killed(stack):
        pass
    until(lambda: stack.call("/demo/any", alive).status == 200, what="the good token is good")
    assert {401} == {stack.call("/demo/any", token).status for token in dead}
    assert before == dataset_id(stack)
