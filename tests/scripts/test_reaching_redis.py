"""Where the scripts look for Redis, and what they say when it does not let them in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.impostor import impostor_redis
from tests.scripts.ops import Ops
from tests.stack import free_port, until

PASSWORD = "p@:/?#%20 \u00e9"
QUOTED = "p%40%3A%2F%3F%23%2520%20%C3%A9"


@pytest.fixture
def locked(ops: Ops) -> Iterator[Ops]:
    """A Redis where the user `chief` needs a password and `guest` may do next to nothing."""
    ops.redis.execute_command("ACL", "SETUSER", "chief", "on", f">{PASSWORD}", "~*", "+@all")
    ops.redis.execute_command("ACL", "SETUSER", "guest", "on", ">guest", "~*", "+ping", "+time")
    del ops.env["REDIS_SOCKET"]
    yield ops
    ops.redis.execute_command("ACL", "DELUSER", "chief", "guest")


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("unix://{socket}", 0),
        ("unix://{socket}?db=3", 3),
        ("unix://chief:{password}@{socket}?db=2", 2),
        ("redis://127.0.0.1:{port}", 0),
        ("redis://127.0.0.1:{port}/", 0),
        ("redis://chief:{password}@127.0.0.1:{port}/4", 4),
        ("redis://localhost:{port}?db=5", 5),
    ],
)
def test_every_form_of_url_reaches_its_database(locked: Ops, url: str, database: int) -> None:
    """redis:// and unix://, with and without credentials, by path and by query."""
    locked.env["REDIS_URL"] = url.format(socket=locked.socket, port=locked.port, password=QUOTED)
    locked.redis.execute_command("SELECT", database)
    try:
        locked.create()
        assert locked.client()
    finally:
        locked.redis.execute_command("SELECT", 0)


def test_url_comes_before_socket_before_stack(ops: Ops) -> None:
    """REDIS_URL wins over REDIS_SOCKET, and both over what the stack wrote down."""
    ops.run_dir.mkdir()
    (ops.run_dir / "demo.env").write_text(f"CLIENT_ID=demo\nREDIS_SOCKET={ops.socket}\n")
    elsewhere = {**ops.env, "REDIS_SOCKET": "/nowhere/a", "REDIS_URL": "unix:///nowhere/b"}
    assert "/nowhere/b" in ops.complaint(1, "client", "list", env=elsewhere)
    del elsewhere["REDIS_URL"]
    assert "/nowhere/a" in ops.complaint(1, "client", "list", env=elsewhere)
    del elsewhere["REDIS_SOCKET"]
    assert [] == ops.json("client", "list", env=elsewhere)
    (ops.run_dir / "demo.env").write_text(f"REDIS_URL='redis://127.0.0.1:{ops.port}/0'")
    assert [] == ops.json("client", "list", env=elsewhere)


def test_what_stands_in_the_stacks_file_is_never_run(ops: Ops, tmp_path: Path) -> None:
    """demo.env is read as text."""
    ops.run_dir.mkdir()
    (ops.run_dir / "demo.env").write_text(
        f"touch {tmp_path}/ran\nREDIS_SOCKET=$(touch {tmp_path}/ran)\n"
    )
    del ops.env["REDIS_SOCKET"]
    assert "$(touch" in ops.complaint(1, "client", "list")
    assert not (tmp_path / "ran").exists()


def test_nowhere_to_look_says_what_to_set(ops: Ops) -> None:
    """Without a URL, a socket or a stack, the line names all three."""
    del ops.env["REDIS_SOCKET"]
    line = ops.complaint(1, "client", "list")
    assert all(hint in line for hint in ("REDIS_URL", "REDIS_SOCKET", str(ops.run_dir)))


@pytest.mark.parametrize(
    "words",
    [
        ("client", "list"),
        ("client", "create", "a", "--scopes", "a"),
        ("token", "revoke-all", "--yes"),
        ("token", "revoke", "e30.eyJqdGkiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.e30"),
        ("route", "list"),
        ("audit",),
    ],
)
def test_an_absent_redis_is_named(ops: Ops, words: tuple[str, ...]) -> None:
    """The line says where it looked."""
    ops.env["REDIS_SOCKET"] = "/nowhere/redis.sock"
    line = ops.complaint(1, *words)
    assert "Redis at /nowhere/redis.sock: Could not connect" in line


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        ("chief:wrong@", "AUTH failed: WRONGPASS"),
        ("nobody:x@", "AUTH failed: WRONGPASS"),
        (":x@", "AUTH failed"),
        ("guest:guest@", "NOPERM"),
    ],
)
def test_a_redis_that_refuses_is_quoted(locked: Ops, credentials: str, why: str) -> None:
    """A wrong password is never silently exchanged for the default user; no password is shown."""
    locked.env["REDIS_URL"] = f"redis://{credentials}127.0.0.1:{locked.port}"
    line = locked.complaint(1, "client", "create", "a", "--scopes", "a")
    assert f"Redis at 127.0.0.1:{locked.port}: {why}" in line
    assert "wrong" not in line.replace("WRONGPASS", "")
    assert not locked.state()


@pytest.mark.parametrize(
    "error",
    [
        b"-NOAUTH Authentication required.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
        b"-BUSY Redis is busy running a script.\r\n",
        b"not redis at all\r\n",
    ],
)
@pytest.mark.parametrize("words", [("client", "list"), ("route", "list", "--json"), ("audit",)])
def test_an_error_reply_is_reported(ops: Ops, error: bytes, words: tuple[str, ...]) -> None:
    """Whatever the server says instead of data ends in one line."""
    with impostor_redis(error) as port:
        ops.env["REDIS_URL"] = f"redis://127.0.0.1:{port}"
        line = ops.complaint(1, *words)
    assert f"Redis at 127.0.0.1:{port}: " in line
    if error.startswith(b"-"):
        assert error[1:].decode().strip() in line


def test_a_list_that_fails_half_way_shows_no_hash(ops: Ops) -> None:
    """The error is shown, not what was read before it."""

    def answer(request: bytes) -> bytes:
        if b"SCAN" in request.upper():
            return b"*2\r\n$1\r\n0\r\n*1\r\n$8\r\nclient:a\r\n"
        if b"HMGET" in request:
            return b"*1\r\n$6\r\nsesame\r\n"
        if b"TIME" in request:
            return b"*2\r\n$10\r\n1795230000\r\n$1\r\n0\r\n"
        return b"+PONG\r\n" if b"PING" in request else b"-BUSY with a script\r\n"

    with impostor_redis(answer) as port:
        ops.env["REDIS_URL"] = f"redis://127.0.0.1:{port}"
        line = ops.complaint(1, "client", "list")
    assert "BUSY with a script" in line
    assert "sesame" not in line


def test_a_silent_redis_is_given_up(ops: Ops) -> None:
    """A server that accepts and never answers costs seconds, not the night."""
    with impostor_redis(b"") as port:
        ops.env["REDIS_URL"] = f"redis://127.0.0.1:{port}"
        assert "no answer within 5 s" in ops.complaint(1, "client", "list")


def test_a_redis_that_cannot_write_changes_nothing(ops: Ops) -> None:
    """A replica, or a Redis without memory, refuses the change itself."""
    ops.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        assert "READONLY" in ops.complaint(1, "client", "create", "a", "--scopes", "a")
    finally:
        ops.redis.execute_command("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1", "must begin with redis://"),
        ("127.0.0.1:6379", "must begin with redis://"),
        ("redis://127.0.0.1:port", "no host:port"),
        ("redis://a:b/c@127.0.0.1", "write %2F"),
        ("redis://127.0.0.1/zero", "not a number"),
        ("unix://", "names no socket"),
    ],
)
def test_a_broken_url_is_refused(ops: Ops, url: str, why: str) -> None:
    """REDIS_URL is checked, and never printed: it may hold a password."""
    ops.env["REDIS_URL"] = url
    line = ops.refusal("client", "list")
    assert why in line
    assert "a:b" not in line


def test_a_failed_audit_entry_is_told_but_the_change_stands(ops: Ops) -> None:
    """The secret is shown all the same, and the status says that something is amiss."""
    ops.redis.set("audit", "not a stream")
    finished = ops.run("client", "create", "orders", "--scopes", "a", "--json")
    assert 1 == finished.returncode
    assert '"client_secret"' in finished.stdout
    assert "done, but the audit entry was not written" in finished.stderr
    assert ops.client()


def test_the_audit_is_kept_as_long_as_the_service_keeps_it(ops: Ops) -> None:
    """AUDIT_MAX_ENTRIES of the stack bounds the stream for the scripts too."""
    ops.run_dir.mkdir()
    (ops.run_dir / "app.env").write_text("AUDIT_MAX_ENTRIES=100\n")
    for _ in range(500):
        ops.redis.xadd("audit", {"event": "mint"})
    ops.create()
    assert 100 <= len(ops.audit()) <= 200


def test_tls_is_checked(ops: Ops, tmp_path: Path) -> None:
    """rediss:// works with the authority's certificate, and not without."""
    subject = ["-subj", "/CN=localhost", "-days", "1", "-nodes", "-newkey", "ec"]
    curve = ["-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", *subject, *curve, *files],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1"]
    command += ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--save", ""]
    command += ["--tls-auth-clients", "no", "--logfile", "redis.log"]
    server = subprocess.Popen(command, cwd=tmp_path)
    try:
        log = tmp_path / "redis.log"
        until(lambda: log.exists() and "Ready to accept" in log.read_text(), what="Redis with TLS")
        url = f"rediss://localhost:{port}"
        ops.env["REDIS_URL"] = f"{url}?ssl_ca_certs={tmp_path}/cert.pem"
        assert [] == ops.json("client", "list")
        ops.env["REDIS_URL"] = url
        assert "certificate verify failed" in ops.complaint(1, "client", "list")
    finally:
        server.terminate()
        server.wait(timeout=60)
