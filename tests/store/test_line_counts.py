"""What a line counts of itself."""

from collections import Counter
from pathlib import Path

import pytest

import redis
from app.errors import StoreUnavailable
from app.line import Line
from tests.service import Clock


def test_round_trips_connections_and_losses_are_counted(redis_socket: Path) -> None:
    """Each question once, whatever it consists of; a lost connection and the new one."""
    counted: Counter[str] = Counter()
    line = Line(f"unix://{redis_socket}", timeout_s=5, count=lambda name: counted.update([name]))
    for _ in range(3):
        line.ask(("PING",), ("PING",))
    with redis.Redis(unix_socket_path=str(redis_socket)) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    line.ask(("PING",))
    line.close()
    expected = {"redis_round_trips": 4, "redis_connections": 2, "redis_connections_lost": 1}
    assert expected == counted


def test_question_without_an_answer_is_counted(tmp_path: Path) -> None:
    """Once; those that are not even sent, because that one failed a moment ago, are not."""
    counted: Counter[str] = Counter()
    line = Line(
        f"unix://{tmp_path}/no",
        timeout_s=5,
        count=lambda name: counted.update([name]),
        monotonic=Clock(),
    )
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            line.ask(("PING",))
    assert {"redis_failures": 1} == counted
