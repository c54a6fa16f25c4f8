"""example-tls.conf, with a certificate made for the test and Python's own TLS client."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.nginx_harness import Caller, Gateway, gateway, make_certificate
from tests.e2e.recording_server import reply
from tests.processes import free_port

READ = "GET /orders/1 HTTP/1.1"


@dataclass
class Secure:
    """The gateway, and the CA file by which its certificate is believed."""

    front: Gateway
    port: int
    certificate: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def caller(self) -> Caller:
        return Caller(self.port, self.trust())


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    certificate, port = make_certificate(tmp_path), free_port()
    changed = {
        "/etc/nginx/tls/": f"{tmp_path}/",
        "listen 8443 ": f"listen 127.0.0.1:{port} ",
        "server 127.0.0.1:8000;": f"server unix:{tmp_path}/upstream.sock;",
    }
    with gateway(tmp_path, http="include example-tls.conf;", changed=changed) as front:
        yield Secure(front, port, certificate)


def test_protected_call_over_tls_says_so_to_the_upstream(secure: Secure) -> None:
    """An allowed call arrives with the identity and the scheme; the answer carries HSTS."""
    with secure.caller() as caller:
        answer = caller.call(READ, "Host: gateway.example", "Authorization: Bearer t")
    assert 200 == answer.status
    assert ["max-age=63072000"] == answer.all("Strict-Transport-Security")
    assert 1 == len(answer.all("X-Request-ID"))
    (received,) = secure.front.upstream.received
    assert "https" == received.one("X-Forwarded-Proto")
    assert "127.0.0.1" == received.one("X-Forwarded-For")
    assert "alice" == received.one("X-Auth-Client-Id")
    assert "gateway.example" == received.one("Host")


def test_refused_call_over_tls_gets_its_challenge(secure: Secure) -> None:
    """Refusals look the same as without TLS."""
    secure.front.app.answering = lambda _: reply(401, 'WWW-Authenticate: Bearer realm="orders"')
    with secure.caller() as caller:
        answer = caller.call(READ)
    assert (401, ['Bearer realm="orders"']) == (answer.status, answer.all("WWW-Authenticate"))


def test_endpoints_are_served_over_tls(secure: Secure) -> None:
    """The token endpoint is there, and knows the host that it was asked for."""
    secure.front.app.answering = lambda _: reply(200, body=b"{}")
    with secure.caller() as caller:
        assert 200 == caller.call("POST /token HTTP/1.1", "Host: gateway.example").status
    assert "gateway.example" == secure.front.app.received[0].one("Host")


def test_tls_below_1_2_is_refused(secure: Secure) -> None:
    """A client that knows only TLS 1.1 gets no connection."""
    context = secure.trust()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Caller(secure.port, context).call(READ)


def test_http_2_is_offered(secure: Secure) -> None:
    """A client that asks for HTTP/2 gets it."""
    context = secure.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", secure.port)) as plain,
        context.wrap_socket(plain, server_hostname="gateway.example") as peer,
    ):
        assert "h2" == peer.selected_alpn_protocol()


def test_plain_http_on_the_tls_port_is_refused(secure: Secure) -> None:
    """There is no redirect that would teach a client to send its secret in the clear."""
    with Caller(secure.port) as caller:
        assert 400 == caller.call("POST /token HTTP/1.1").status
    assert [] == secure.front.app.received
