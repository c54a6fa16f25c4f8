"""What is added to a line of the log, and how many lines there are of one kind."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.logs import MOST_A_SECOND, FewOfEach, RequestFields, current
from tests.service import Clock

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def record(message: str = "x", name: str = "portcullis.line") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, (), None)


def added(made: logging.LogRecord) -> dict[str, Any]:
    """What the filter adds to a record."""
    before = set(vars(made))
    assert RequestFields().filter(made)
    return {name: value for name, value in vars(made).items() if name not in before}


@pytest.fixture(autouse=True)
def nothing_is_asked() -> Iterator[None]:
    yield
    current.environ = None


def test_line_of_a_request_has_its_id_and_its_trace() -> None:
    """Whoever writes it: the line to Redis knows of no request."""
    current.environ = {"HTTP_X_REQUEST_ID": "r-1", "HTTP_TRACEPARENT": TRACEPARENT}
    assert {"request_id": "r-1", "trace_id": TRACE_ID} == added(record())


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTP_X_REQUEST_ID": "a b", "HTTP_TRACEPARENT": "00-1-2-01"},
        {"HTTP_X_REQUEST_ID": "r" * 129, "HTTP_TRACEPARENT": f"{TRACEPARENT}-x"},
        {"HTTP_X_REQUEST_ID": '"}', "HTTP_TRACEPARENT": TRACEPARENT.replace("00-", "ff-")},
        {"HTTP_TRACEPARENT": f"00-{'0' * 32}-b7ad6b7169203331-01"},
        {"HTTP_TRACEPARENT": f"00-{TRACE_ID}-{'0' * 16}-01"},
    ],
)
def test_what_is_no_id_is_left_out(environ: dict[str, str]) -> None:
    """Nobody writes into the log what he likes."""
    current.environ = environ
    assert {} == added(record())


def test_line_of_another_thread_belongs_to_no_request() -> None:
    """The journal writes what other requests have left to it."""
    current.environ = {"HTTP_X_REQUEST_ID": "r-1"}
    made: list[logging.LogRecord] = []
    thread = threading.Thread(target=lambda: made.append(record()))
    thread.start()
    thread.join()
    assert {} == added(made[0])


def test_flood_of_one_message_is_cut_and_counted() -> None:
    """Whatever was put into it; other messages and other loggers are not held back by it."""
    clock = Clock()
    few = FewOfEach(clock)
    flood = [few.filter(record("refused: %s")) for _ in range(100)]
    assert [True] * MOST_A_SECOND + [False] * (100 - MOST_A_SECOND) == flood
    assert few.filter(record("another"))
    assert few.filter(record("refused: %s", "another"))
    clock.now += 1
    first, second = record("refused: %s"), record("refused: %s")
    assert (True, True) == (few.filter(first), few.filter(second))
    assert 100 - MOST_A_SECOND == vars(first)["more"]
    assert "more" not in vars(second)
