"""Between nginx and the app: connections kept, broken, frozen or gone, for the auth subrequest."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Caller, Gateway, gateway
from tests.e2e.recording_server import RecordingServer, reply


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path) as running:
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


def test_app_that_hangs_is_undecided_in_bounded_time(front: Gateway) -> None:
    """A frozen app costs a caller about a second, then a 503, and no second try."""
    front.app.answering = front.app.hang
    answer = front.call("GET /read HTTP/1.1")
    assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))
    assert 1 == len(front.app.received)
    assert 0.9 < front.logged()[0]["request_time_s"] < 1.3


def test_app_that_is_gone_is_undecided_until_it_is_back(front: Gateway) -> None:
    """A dead app is a 503 at once; when it is back the very next call is judged again."""
    front.app.close()
    for _ in range(5):
        answer = front.call("GET /read HTTP/1.1")
        assert (503, ["1"]) == (answer.status, answer.all("Retry-After"))
    (front.run_dir / "app.sock").unlink()
    assert 503 == front.call("GET /read HTTP/1.1").status
    assert max(each["request_time_s"] for each in front.logged(6)) < 0.3
    back = RecordingServer(front.run_dir / "app.sock", lambda _: reply(204))
    assert 200 == front.call("GET /read HTTP/1.1").status
    back.close()


def test_app_that_does_not_accept_is_undecided_in_bounded_time(front: Gateway) -> None:
    """A socket whose queue is full is a 503, not a wait."""
    front.app.close()
    path = front.run_dir / "app.sock"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            assert 503 == front.call("GET /read HTTP/1.1").status
    assert front.logged()[0]["request_time_s"] < 1.3
