"""Between nginx and the app: connections kept, broken, frozen or gone, for the auth subrequest."""

import socket
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Caller, Gateway, gateway
from tests.e2e.recording_server import RecordingServer, reply

ROOM_S = 8
"""A second, and room for a machine that has others to serve; nginx by itself would wait for 60."""


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as running:
        yield running


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[Gateway]:
    """With the times that ship."""
    with gateway(tmp_path, is_patient=False) as running:
        yield running


def test_connections_to_the_app_are_kept(front: Gateway) -> None:
    """Hundreds of calls over 20 client connections, refused ones too, open few towards the app."""
    statuses = [204, 401, 403, 429, 503]
    front.app.answering = lambda _: reply(statuses[len(front.app.received) % 5])
    callers = [Caller(front.port) for _ in range(20)]
    request = b"GET /read HTTP/1.1\r\nHost: gateway\r\n\r\n"
    for _ in range(20):
        for caller in callers:
            caller.send(request)
        for caller in callers:
            caller.read()
    for caller in callers:
        caller.__exit__()
    assert 400 == len(front.app.received)
    assert front.app.connections <= 20


def test_broken_connection_is_tried_once_more_as_the_same_request(front: Gateway) -> None:
    """When the app's connection dies under a question, it is asked again with the same id."""
    front.app.answering = lambda _: b"" if len(front.app.received) == 1 else reply(204)
    assert 200 == front.call("GET /read HTTP/1.1").status
    first, second = front.app.received
    assert first.connection != second.connection
    assert first.one("X-Request-ID") == second.one("X-Request-ID")


def test_status_after_a_second_try_is_the_last_one(front: Gateway) -> None:
    """A refusal that came at the second try keeps its status, though nginx lists both."""
    front.app.answering = lambda _: b"" if len(front.app.received) == 1 else reply(401)
    assert 401 == front.call("GET /read HTTP/1.1").status
    assert "502, 401" == front.logged()[0]["auth_status"]


def test_app_that_hangs_is_undecided_in_bounded_time(shipped: Gateway) -> None:
    """A frozen app costs a caller about a second, then a 503, and no second try."""
    shipped.app.answering = shipped.app.hang
    answer = shipped.call("GET /read HTTP/1.1")
    assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))
    assert 1 == len(shipped.app.received)
    assert 0.9 < shipped.logged()[0]["request_time_s"] < ROOM_S


def test_app_that_is_gone_is_undecided_until_it_is_back(shipped: Gateway) -> None:
    """A dead app is a 503 at once; when it is back the very next call is judged again."""
    shipped.app.close()
    for _ in range(5):
        answer = shipped.call("GET /read HTTP/1.1")
        assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))
    (shipped.run_dir / "app.sock").unlink()
    assert 503 == shipped.call("GET /read HTTP/1.1").status
    # The quicker half of them: a wait would be in each, and a busy machine is not.
    assert statistics.median(each["request_time_s"] for each in shipped.logged(6)) < 0.3
    back = RecordingServer(shipped.run_dir / "app.sock", lambda _: reply(204))
    assert 200 == shipped.call("GET /read HTTP/1.1").status
    back.close()


def test_app_that_does_not_accept_is_undecided_in_bounded_time(shipped: Gateway) -> None:
    """A socket whose queue is full is a 503, not a wait."""
    shipped.app.close()
    path = shipped.run_dir / "app.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            assert 503 == shipped.call("GET /read HTTP/1.1").status
    assert shipped.logged()[0]["request_time_s"] < ROOM_S
