"""Logging in: users, databases, TLS, and a Redis or a proxy that announces nothing."""

import datetime
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.errors import StoreUnavailable
from app.line import Line
from tests.stack import free_port
from tests.store.feed_harness import FeedWorker, RedisServer, jti_of, token_of
from tests.store.scripted_redis import ScriptedRedis, usual

TOKEN = token_of("a")
USERS = (
    ("app", "on", ">s:e/c@r%t", "~*", "&*", "+@all"),
    ("mute", "on", ">secret", "~*", "&*", "+@all", "-client|tracking"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        with server.client() as client:
            for user in USERS:
                client.execute_command("ACL", "SETUSER", *user)
        yield server


def test_user_and_password_of_the_url_log_in(server: RedisServer) -> None:
    """Percent-encoded, as URLs have them, over the unix socket and over TCP."""
    user = "app:s%3Ae%2Fc%40r%25t"
    for url in (
        f"unix://{user}@{server.path}",
        f"redis://{user}@127.0.0.1:{server.port}/0",
        f"redis://127.0.0.1:{server.port}?username=app&password=s:e/c@r%25t",
    ):
        with closing(Line(url, timeout_s=5)) as line:
            assert ["PONG", "app"] == line.ask(("PING",), ("ACL", "WHOAMI"))
            assert (True, "ok") == (line.is_current(), line.feed())


def why_not(line: Line) -> str:
    """Return why a line gets no answer."""
    with pytest.raises(StoreUnavailable) as raised:
        line.ask(("PING",))
    return raised.value.detail


@pytest.mark.parametrize("user", ["app:wrong", "nobody:secret"])
def test_wrong_password_is_no_answer(server: RedisServer, user: str) -> None:
    """Nothing may be assumed of a Redis that does not let us in."""
    with closing(Line(f"unix://{user}@{server.path}", timeout_s=5)) as line:
        assert "WRONGPASS" in why_not(line)
        assert not line.is_current()


def test_database_of_the_url_is_the_one_that_is_asked(server: RedisServer) -> None:
    """By path or by query; a database that there is not is no answer."""
    for url in (f"{server.tcp_url}/3", f"{server.unix_url}?db=3"):
        with closing(Line(url, timeout_s=5)) as line:
            assert "db=3" in str(line.ask(("CLIENT", "INFO"))[0])
            assert line.is_current()
    with closing(Line(f"{server.tcp_url}/99", timeout_s=5)) as line:
        assert "out of range" in why_not(line)


def test_user_without_leave_to_track_asks_every_time(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Slower and just as safe; the log and /health/ready say so."""
    server.fill()
    with server.client() as client, FeedWorker(f"unix://mute:secret@{server.path}") as worker:
        assert_asks_every_time(worker)
        client.set(f"revoked:{jti_of('a')}", "x")
        assert "revoked" == worker.reason(TOKEN)
    assert "redis announces no changes, so it is asked: NOPERM" in caplog.text


def assert_asks_every_time(worker: FeedWorker) -> None:
    assert ["ok"] * 3 == [worker.reason(TOKEN) for _ in range(3)]
    assert not worker.is_warm(TOKEN)
    assert "asking every time" == worker.line.feed()


class OldProxy(ScriptedRedis):
    """Knows RESP2 alone, in which a map is a flat list; wants a password if it has one."""

    def __init__(self, refusal: bytes = b"-ERR unknown command 'HELLO'\r\n") -> None:
        super().__init__(self._answer)
        self._refusal = refusal

    def _answer(self, command: Sequence[str]) -> bytes:
        match command:
            case ["HELLO", *_]:
                return self._refusal
            case ["CLIENT", "TRACKING", *_]:
                return b"-ERR You can not use tracking here\r\n"
            case ["AUTH", *words] if words[-1] != "secret":
                return b"-WRONGPASS no\r\n"
            case ["HGETALL", *_]:
                return b"*6\r\n+status\r\n+active\r\n+scopes\r\n+a b\r\n+secrets\r\n+[]\r\n"
            case ["GET", *_]:
                return b"$-1\r\n"
        return usual(command)


@pytest.mark.parametrize(
    "refusal", [b"-ERR unknown command 'HELLO'\r\n", b"-NOPROTO unsupported version\r\n"]
)
def test_server_without_resp3_is_asked_every_time(
    refusal: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """As an old proxy answers; a client is read from a flat list just as well."""
    with OldProxy(refusal) as redis, FeedWorker(f"unix://{redis.path}") as worker:
        assert_asks_every_time(worker)
        client = worker.memory.registration("demo")[0].client
        assert client
        assert ("a", "b") == client.scopes
    assert "redis announces no changes, so it is asked" in caplog.text


def test_server_without_resp3_is_logged_in_to_in_its_own_way() -> None:
    """AUTH and SELECT, with or without a user."""
    with OldProxy() as redis:
        for user, auth in (("", ["secret"]), ("app", ["app", "secret"])):
            with closing(Line(f"unix://{user}:secret@{redis.path}?db=2", timeout_s=5)) as line:
                assert ["PONG"] == line.ask(("PING",))
            assert [["AUTH", *auth], ["SELECT", "2"], ["PING"]] == redis.commands[-3:]


def test_server_without_resp3_and_a_wrong_password_is_no_answer() -> None:
    """The old way in is no way around the door."""
    with OldProxy() as redis, closing(Line(f"unix://:no@{redis.path}", timeout_s=5)) as line:
        assert "WRONGPASS" in why_not(line)


def test_login_is_one_round_trip(server: RedisServer) -> None:
    """A slow Redis is logged in to within one timeout, however much there is to say."""
    said: list[list[str]] = []

    def answer(command: Sequence[str]) -> bytes:
        said.append([*command])
        if command[0] == "HELLO":
            return b""
        late = b"%1\r\n+proto\r\n:3\r\n" if command[0] == "CLIENT" else b""
        return late + usual(command)

    with ScriptedRedis(answer) as redis, closing(redis.line()) as line:
        assert ["PONG"] == line.ask(("PING",))
    assert ["HELLO", "CLIENT", "PING"] == [command[0] for command in said]


@pytest.fixture(scope="module")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    pem = serialization.Encoding.PEM
    (folder / "cert").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key").write_bytes(secret)
    return folder


def test_feed_works_over_tls(tls_folder: Path) -> None:
    """Records and session tickets are no data yet: a look that finds only those is none."""
    cert, key = str(tls_folder / "cert"), str(tls_folder / "key")
    options = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"]
    with RedisServer(*options) as server, server.client() as client:
        port = free_port()
        client.config_set("tls-port", port)
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={cert}"
        with FeedWorker(url) as worker:
            for number in range(500):
                token = token_of(number)
                worker.warm(token)
                assert worker.is_warm(token)
                client.set(f"revoked:{jti_of(number)}", "x")
                assert "revoked" == worker.reason(token)
            large = ("HSET", "routes", *(f"GET /{n} {'x' * 90}" for n in range(5_000)))
            worker.line.ask((*large, "x") if len(large) % 2 else large)
            assert 2_500 == len(worker.line.ask(("HGETALL", "routes"))[0])
            assert worker.line.is_current()
