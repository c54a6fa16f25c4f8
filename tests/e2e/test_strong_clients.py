"""Clients with keys and certificates, through a real nginx with TLS (RFC 7523, RFC 8705)."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from requests_oauth2client import (
    OAuth2Client,
    PrivateKeyJwt,
    PublicApp,
    UnknownTokenEndpointError,
)

from tests.e2e.nginx_harness import BEGINNING, USER, Caller, render, running
from tests.identities import (
    Identity,
    dn,
    identity,
    key_set,
    new_key,
    private_jwk,
    private_pem,
    public_jwk,
)
from tests.patience import be_patient
from tests.processes import free_port, until
from tests.stack import Stack
from tests.wire import ask, request
from tests.workers import ask_all, connections_to_workers, validate

READ = "GET /orders/1 HTTP/1.1"
CONFIG = BEGINNING + "include example-mtls.conf; }"
NAMES = dn(C="DE", O="Acme", CN="billing")
SERVER = identity(dn(CN="gateway"), dns=("gateway.example",), ips=("127.0.0.1",))
CA = identity(dn(CN="Clients CA"), is_ca=True)
SIGNED = identity(NAMES, by=CA)
LONELY, STRANGER = identity(dn(CN="lonely")), identity(dn(CN="lonely"))
KEY, JWK = new_key(), {"kid": "k1", "alg": "ES256"}


@dataclass
class Secure:
    """A gateway, and its second door: an nginx with TLS that asks for certificates."""

    stack: Stack
    port: int
    folder: Path
    jwks: http.server.HTTPServer

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def session(self, shown: Identity | None = None) -> requests.Session:
        """What `requests` has for it: `cert=`, and the server's certificate to believe."""
        session = requests.Session()
        session.trust_env = False  # or the machine's own authorities would take its place
        session.verify = str(self.folder / "gateway.crt")
        if shown:
            session.cert = shown.write(self.folder, shown.thumbprint)
        return session

    def caller(self, shown: Identity | None = None) -> Caller:
        """A connection on which the test says every byte."""
        context = ssl.create_default_context(cafile=str(self.folder / "gateway.crt"))
        if shown:
            context.load_cert_chain(*shown.write(self.folder, shown.thumbprint))
        return Caller(self.port, context)

    def mint(self, client_id: str, shown: Identity, path: str = "/token") -> str:
        """Mint with nothing but a certificate, as the library does it."""
        with self.session(shown) as session:
            client = OAuth2Client(self.url + path, auth=PublicApp(client_id), session=session)
            token = client.client_credentials(scope="orders:read").access_token
        self.stack.given.append(token)
        return token


class _Keys(http.server.BaseHTTPRequestHandler):
    """A client's own place for its keys."""

    def do_GET(self) -> None:
        body = key_set(public_jwk(KEY, **JWK)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder, port = tmp_path_factory.mktemp("mtls"), free_port()
    SERVER.write(folder, "gateway")
    CA.write(folder, "clients-ca")
    jwks = http.server.HTTPServer(("127.0.0.1", 0), _Keys)
    serving = threading.Thread(target=jwks.serve_forever, daemon=True)
    serving.start()
    url = f"https://127.0.0.1:{port}"
    origin = f"http://127.0.0.1:{jwks.server_port}"
    with Stack(MTLS_URL=url, JWKS_ORIGINS=origin) as stack, nginx(stack, folder, port):
        register(stack, folder, f"{origin}/keys.json")
        yield Secure(stack, port, folder, jwks)
    jwks.shutdown()
    jwks.server_close()
    serving.join(10)


def nginx(stack: Stack, folder: Path, port: int) -> AbstractContextManager[Any]:
    changed = {
        "/run/portcullis": str(stack.run_dir),
        "/etc/nginx/tls/": f"{folder}/",
        "listen 8444 ": f"listen 127.0.0.1:{port} ",
        "server 127.0.0.1:8000;": f"server unix:{stack.run_dir}/demo.sock;",
    }
    target = render(folder, port, free_port(), changed) / "test.conf"
    target.write_text(CONFIG.replace("<user>", USER).replace("<run>", str(folder)))
    be_patient(target.parent)
    return running(target, port)


def register(stack: Stack, folder: Path, jwks_uri: str) -> None:
    """Clients as ops make them, one of each kind."""
    (folder / "keys.json").write_text(key_set(public_jwk(KEY, **JWK)))
    certificate, _ = LONELY.write(folder, "lonely")
    kinds = {
        "keyed": ("private_key_jwt", "--jwks", str(folder / "keys.json")),
        "remote": ("private_key_jwt", "--jwks-uri", jwks_uri),
        "billing": ("tls_client_auth", "--tls-subject-dn", "CN=billing,O=Acme,C=DE"),
        "lonely": ("self_signed_tls_client_auth", "--certificate", certificate),
    }
    for client_id, (method, *keys) in kinds.items():
        bound = ["--certificate-bound", "true"] if method.endswith("tls_client_auth") else []
        words = [client_id, "--scopes", "orders:read", "--auth-method", method, *keys, *bound]
        stack.script("client", "create", *words)


# A third-party client: requests-oauth2client


@pytest.mark.parametrize(("client_id", "shown"), [("billing", SIGNED), ("lonely", LONELY)])
def test_client_with_a_certificate_mints_and_calls(
    secure: Secure, client_id: str, shown: Identity
) -> None:
    """The upstream learns who it is, and nothing of certificates; revoking works the same way."""
    token = secure.mint(client_id, shown)
    bearer = {"Authorization": f"Bearer {token}"}
    with secure.session(shown) as session:
        answer = session.get(f"{secure.url}/orders/1", headers=bearer)
        assert 200 == answer.status_code, answer.text
        received = answer.json()["headers"]
        assert client_id == received["x-auth-client-id"]
        assert not [name for name in received if "ssl" in name]
        client = OAuth2Client(
            f"{secure.url}/token",
            auth=PublicApp(client_id),
            session=session,
            introspection_endpoint=f"{secure.url}/introspect",
            revocation_endpoint=f"{secure.url}/revoke",
        )
        told = client.introspect_token(token)
        assert {"x5t#S256": shown.thumbprint} == told["cnf"]
        assert client.revoke_access_token(token)
        assert 401 == session.get(f"{secure.url}/orders/1", headers=bearer).status_code


def test_client_with_a_key_mints_and_calls(secure: Secure) -> None:
    """By either door: its key never travels, so it needs no certificate."""
    for base in (secure.stack.url, secure.url):
        with secure.session() as session:
            auth = PrivateKeyJwt(
                "keyed", {**JWK, **private_jwk(KEY)}, aud=f"{secure.stack.url}/token"
            )
            client = OAuth2Client(f"{base}/token", auth=auth, session=session, testing=True)
            token = client.client_credentials(scope="orders:read").access_token
            headers = {"Authorization": f"Bearer {token}"}
            assert 200 == session.get(f"{secure.url}/orders/1", headers=headers).status_code


def test_keys_of_a_client_are_fetched_from_its_own_place(secure: Secure) -> None:
    """Nobody waits for them: until a worker has them, it says 503, try again."""
    auth = PrivateKeyJwt("remote", {**JWK, **private_jwk(KEY)})
    client = OAuth2Client(f"{secure.stack.url}/token", auth=auth, testing=True)

    def minted() -> bool:
        with suppress(UnknownTokenEndpointError):
            return bool(client.client_credentials().access_token)
        return False

    until(minted, what="keys are fetched")


def test_assertion_works_once_over_all_workers(secure: Secure) -> None:
    """Each of 8 connections shows the same one at once: one token comes of it."""
    now = int(time.time())
    claims = {"iss": "keyed", "sub": "keyed", "aud": secure.stack.url, "exp": now + 60}
    pem = private_pem(KEY)
    signed = jwt.encode({**claims, "jti": "once"}, pem, "ES256", headers={"kid": "k1"})
    sent = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
    }
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: secure.stack.form("/token", sent), range(8)))
    assert [200] + [401] * 7 == sorted(answer.status for answer in answers)


# Whoever has stolen a bound token, or pretends to be a client


def test_stolen_token_is_worth_nothing(secure: Secure) -> None:
    """Without the certificate, with another one, over the plain listener: 401 invalid_token."""
    token = secure.mint("billing", SIGNED)
    for shown in (None, STRANGER, LONELY, SIGNED):
        with secure.caller(shown) as caller:
            answer = caller.call(READ, f"Authorization: Bearer {token}")
        assert (200 if shown is SIGNED else 401) == answer.status
        challenge = "".join(answer.all("WWW-Authenticate"))
        assert (shown is SIGNED) or 'error="invalid_token"' in challenge
    assert 401 == secure.stack.call("/demo/read", token).status
    (logged,) = until(lambda: secure.stack.access_log(path="/demo/read"), what="it is logged")
    assert "wrong_proof" == logged["reason"]


ALIASES = (
    *("X-SSL-Client-Cert", "X_SSL_Client_Cert", "X.SSL.Client.Cert", "x-ssl-client_cert"),
    *("X-SSL-Client-Cert ", "HTTP_X_SSL_CLIENT_CERT", "SSL_CLIENT_CERT"),
)


@pytest.mark.parametrize("alias", ALIASES)
def test_certificate_cannot_be_forged_from_outside(secure: Secure, alias: str) -> None:
    """A certificate is public: sending it proves nothing, under whatever name."""
    token = secure.mint("billing", SIGNED)
    forged = [f"{alias}: {SIGNED.header}", f"{alias.replace('Cert', 'Verify')}: SUCCESS"]
    calls = (READ, "GET /demo/any HTTP/1.1")
    for caller, line in zip((secure.caller(), Caller(secure.stack.http_port)), calls, strict=True):
        with caller:
            assert caller.call(line, f"Authorization: Bearer {token}", *forged).status in {400, 401}
    form = b"grant_type=client_credentials&client_id="
    media = "Content-Type: application/x-www-form-urlencoded"
    for client_id, shown in ((b"billing", SIGNED), (b"lonely", LONELY)):
        lies = [f"{alias}: {shown.header}", f"{alias.replace('Cert', 'Verify')}: SUCCESS"]
        for caller in (secure.caller(STRANGER), secure.caller(), Caller(secure.stack.http_port)):
            with caller:
                answer = caller.call("POST /token HTTP/1.1", media, *lies, body=form + client_id)
            assert answer.status in {400, 401}


@pytest.mark.parametrize("alias", ALIASES[:4])
def test_other_gateways_cannot_pass_a_certificate_on(secure: Secure, alias: str) -> None:
    """On the ops listener it may be their client who says so."""
    token = secure.mint("billing", SIGNED)
    headers = [(alias, SIGNED.header), ("Authorization", f"Bearer {token}")]
    answer = ask(secure.stack.ops_address, request("GET", "/validate", headers))
    assert (401, "wrong_proof") == (answer.status, answer.header("X-Auth-Reason"))


@pytest.mark.parametrize("authority", ["Clients CA", "Another CA"])
def test_impostor_of_another_authority_is_nobody(secure: Secure, authority: str) -> None:
    """The same name, signed by another authority, even one that has the same name."""
    impostor = identity(NAMES, by=identity(dn(CN=authority), is_ca=True))
    with secure.session(impostor) as session:
        fields = {"grant_type": "client_credentials", "client_id": "billing"}
        # What claims to be the authority's and is not, nginx refuses by itself.
        assert session.post(f"{secure.url}/token", fields).status_code in {400, 401}


def test_every_worker_checks_the_binding(secure: Secure) -> None:
    """Warm and cold, asked past nginx as nginx asks."""
    token = secure.mint("lonely", LONELY)
    with connections_to_workers(secure.stack) as connections:
        for _ in range(2):
            for shown, expected in ((LONELY, 204), (STRANGER, 401), (None, 401)):
                more = {"X_SSL_Client_Cert": shown.header} if shown else {}
                asked = validate(token, "orders:read", **more)
                found = [answer.status for answer in ask_all(connections, asked)]
                assert [expected] * len(connections) == found
