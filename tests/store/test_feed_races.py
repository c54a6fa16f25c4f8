"""A token is verified while something about it changes: it is never left warm as good."""

import threading
from collections.abc import Sequence

import pytest

from tests.store.feed_harness import NOW, FeedWorker, RedisServer, jti_of, token_of
from tests.store.scripted_redis import CLIENT, ScriptedRedis, push, usual

TOKEN = token_of("a")
CHANGES = {
    f"revoked:{jti_of('a')}": ("EXISTS", b":1\r\n", "revoked"),
    "client:demo": ("HGETALL", CLIENT.replace(b"+active", b"+disabled"), "client_disabled"),
    "notbefore:demo": ("GET notbefore:demo", b"+%d\r\n" % NOW, "revoked"),
    "notbefore:*": ("GET notbefore:*", b"+%d\r\n" % NOW, "revoked"),
    "dataset": ("HGET", b"+ffffffff\r\n", "revoked"),
}
QUESTIONS = ("HGETALL", "GET notbefore:demo", "GET notbefore:*", "HGET", "EXISTS")


class ChangingRedis(ScriptedRedis):
    """Announces a change with one of its answers, which are of the time before; later ones tell."""

    def __init__(self, key: str, place: int, *, is_before: bool) -> None:
        super().__init__(self._answer)
        self._key, self._place, self._is_before = key, place, is_before
        self._given = 0

    def _answer(self, command: Sequence[str]) -> bytes:
        name = " ".join(command)
        if not name.startswith(QUESTIONS):
            return usual(command)
        place, self._given = self._given, self._given + 1
        if place == self._place:
            parts = (push(self._key), usual(command))
            return b"".join(parts if self._is_before else reversed(parts))
        question, changed, _ = CHANGES[self._key]
        return changed if place >= len(QUESTIONS) and name.startswith(question) else usual(command)


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("place", range(len(QUESTIONS)), ids=QUESTIONS)
@pytest.mark.parametrize("key", CHANGES)
def test_change_announced_beside_any_answer_counts_for_the_next_look(
    key: str, place: int, is_before: bool
) -> None:
    """Wherever it stands among the answers of one round trip."""
    with (
        ChangingRedis(key, place, is_before=is_before) as redis,
        FeedWorker(f"unix://{redis.path}") as worker,
    ):
        assert "ok" == worker.reason(TOKEN)
        assert [CHANGES[key][2]] * 3 == [worker.reason(TOKEN) for _ in range(3)]


@pytest.mark.parametrize("key", CHANGES)
def test_change_announced_a_moment_after_the_answers_counts_for_the_next_look(key: str) -> None:
    """It waits in the socket."""
    with (
        ChangingRedis(key, -1, is_before=True) as redis,
        FeedWorker(f"unix://{redis.path}") as worker,
    ):
        assert ["ok"] * 3 == [worker.reason(TOKEN) for _ in range(3)]
        redis.say(push(key))
        assert [CHANGES[key][2]] * 3 == [worker.reason(TOKEN) for _ in range(3)]


def test_change_announced_while_the_data_set_begins_counts_for_the_next_look() -> None:
    """A new data set costs a second round trip, in which things can change as well."""

    def answer(command: Sequence[str]) -> bytes:
        if command[0] == "HGET":
            return b"_\r\n"
        if command[0] == "EVALSHA":
            return push(f"revoked:{jti_of('a')}") + b"+" + jti_of("").rstrip(".").encode() + b"\r\n"
        return usual(command)

    with ScriptedRedis(answer) as redis, FeedWorker(f"unix://{redis.path}") as worker:
        assert "ok" == worker.reason(TOKEN)
        redis.answer = lambda command: b":1\r\n" if command[0] == "EXISTS" else usual(command)
        assert "revoked" == worker.reason(TOKEN)


def test_token_first_seen_while_it_is_revoked_is_refused_from_then_on(server: RedisServer) -> None:
    """Two workers verify it at the very time; once the revoker is told, both refuse it."""
    rounds = 3_000
    barrier = threading.Barrier(3, timeout=30)
    told = threading.Barrier(3, timeout=30)
    accepted: list[int] = []

    def verify() -> None:
        with FeedWorker(server.unix_url) as worker:
            worker.warm(token_of("first"))
            for number in range(rounds):
                barrier.wait()
                worker.reason(token_of(number))
                told.wait()
                if worker.reason(token_of(number)) != "revoked":
                    accepted.append(number)

    threads = [threading.Thread(target=verify) for _ in range(2)]
    for thread in threads:
        thread.start()
    with server.client() as client:
        for number in range(rounds):
            barrier.wait()
            client.set(f"revoked:{jti_of(number)}", "x")
            told.wait()
    for thread in threads:
        thread.join()
    assert [] == accepted
