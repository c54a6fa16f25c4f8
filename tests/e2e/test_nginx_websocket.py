"""example-websocket.conf, between a real WebSocket client and a real WebSocket server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.e2e.nginx_harness import Gateway, gateway
from tests.e2e.recording_server import reply
from tests.processes import free_port

CHALLENGE = 'Bearer realm="orders"'


@dataclass
class Live:
    front: Gateway
    port: int
    handshakes: list[Headers] = field(default_factory=list)

    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live?x=1"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    handshakes: list[Headers] = []

    def echo(peer: ServerConnection) -> None:
        assert peer.request is not None
        handshakes.append(peer.request.headers)
        for message in peer:
            peer.send(message)

    port = free_port()
    with serve(echo, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        upstream_port = server.socket.getsockname()[1]
        changed = {
            "127.0.0.1:8001": f"127.0.0.1:{upstream_port}",
            "127.0.0.1:8082": f"127.0.0.1:{port}",
        }
        with gateway(tmp_path, http="include example-websocket.conf;", changed=changed) as front:
            yield Live(front, port, handshakes)
        server.shutdown()
        thread.join()


def test_messages_flow_with_a_token(live: Live) -> None:
    """A handshake with a token opens a connection that echoes, large messages too."""
    forged = {"Authorization": "Bearer t", "X-Auth-Client-Id": "forged"}
    with connect(live.url(), additional_headers=forged) as client:
        for message in ("hello", "x" * 500_000):
            client.send(message)
            assert message == client.recv(timeout=10)
    (handshake,) = live.handshakes
    assert ["alice"] == handshake.get_all("X-Auth-Client-Id")
    assert [] == handshake.get_all("Authorization")
    (asked,) = live.front.app.received
    assert "Bearer t" == asked.one("Authorization")
    assert {"upgrade", "sec-websocket-key"}.isdisjoint(asked.names())


def test_handshake_without_a_token_is_refused_with_a_challenge(live: Live) -> None:
    """No token: 401 and one challenge, and the service never hears of it."""
    live.front.app.answering = lambda _: reply(401, f"WWW-Authenticate: {CHALLENGE}")
    with pytest.raises(InvalidStatus) as caught, connect(live.url()):
        pass
    response = caught.value.response
    assert (401, [CHALLENGE]) == (
        response.status_code,
        response.headers.get_all("WWW-Authenticate"),
    )
    assert [] == live.handshakes
