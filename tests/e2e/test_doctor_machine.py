"""scripts/doctor on what surrounds nginx: key files, Redis, and the gateway that runs."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.doctor_runs import doctor, found
from tests.e2e.nginx_harness import render
from tests.processes import free_port, until

DURABLE = {"appendonly": "yes", "maxmemory": "64mb", "maxmemory-policy": "noeviction"}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A RUN_DIR with a configuration and the private files of a stack."""
    render(tmp_path, free_port(), free_port())
    (tmp_path / "keys").mkdir(mode=0o700)
    for name in ("app.env", "demo.env", "redis.env", "users.acl", "keys/keyring", "keys/k.pem"):
        (tmp_path / name).touch(mode=0o600)
    return tmp_path


@contextmanager
def redis_with(run_dir: Path, **settings: str) -> Iterator[Path]:
    """A real Redis on a socket, alone."""
    path = run_dir / "test.sock"
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    place = ["--port", "0", "--unixsocket", str(path), "--dir", str(run_dir), "--save", ""]
    command = ["redis-server", *place, *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(path))
            yield path
        finally:
            process.terminate()


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            return True
    except OSError:
        return False


@contextmanager
def ops_listener(status: int, body: bytes) -> Iterator[str]:
    """Answers /health/ready with what it is told."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_private_files_of_a_stack_are_no_finding(run_dir: Path) -> None:
    """Modes 0700 and 0600 are as they should be, and a stack that is down is no fault."""
    assert [] == found(run_dir)


@pytest.mark.parametrize(
    ("name", "mode", "wanted"),
    [
        ("keys", 0o755, "700"),
        ("keys/k.pem", 0o644, "600"),
        ("keys/keyring", 0o640, "600"),
        ("app.env", 0o604, "600"),
        ("demo.env", 0o644, "600"),
        ("redis.env", 0o644, "600"),
        ("users.acl", 0o660, "600"),
    ],
)
def test_file_that_others_can_read_is_found(
    run_dir: Path, name: str, mode: int, wanted: str
) -> None:
    """The finding names the file, its mode and the chmod that ends it."""
    (run_dir / name).chmod(mode)
    (finding,) = found(run_dir)
    assert str(run_dir / name) == finding["place"]
    assert f"{mode:04o}" in finding["problem"]
    assert f"chmod {wanted} {run_dir / name}" == finding["remedy"]


def test_stack_that_is_down_is_looked_at_and_left_as_it_is(run_dir: Path) -> None:
    """Of a stack that is only configured the rest is checked; no pid file appears."""
    (run_dir / "app.env").write_text("OPS_URL=http://127.0.0.1:1\n")
    (run_dir / "demo.env").write_text(f"REDIS_SOCKET={run_dir}/redis.sock\n")
    done = doctor(run_dir)
    assert 0 == done.returncode, done.stdout
    assert 2 == done.stdout.count("is not running")
    assert not (run_dir / "nginx.pid").exists()


def test_keys_are_looked_for_where_the_app_reads_them(run_dir: Path) -> None:
    """KEYS_DIR of app.env is what counts."""
    elsewhere = run_dir / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "k.secret").touch()
    (elsewhere / "k.secret").chmod(0o644)
    (run_dir / "app.env").write_text(f'ISSUER=x\nKEYS_DIR="{elsewhere}"\n')
    assert [str(elsewhere / "k.secret")] == [each["place"] for each in found(run_dir)]


def test_durable_redis_is_no_finding(run_dir: Path) -> None:
    """AOF, no eviction and a memory bound: nothing to say."""
    with redis_with(run_dir, **DURABLE) as path:
        assert [] == found(run_dir, REDIS_SOCKET=str(path))
        assert (
            "in nginx (4 protected locations), Redis"
            in doctor(run_dir, REDIS_URL=f"unix://{path}").stdout
        )


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("appendonly", "no", "CONFIG SET appendonly yes"),
        ("maxmemory-policy", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
        ("maxmemory", "0", "CONFIG SET maxmemory 512mb"),
        ("io-threads", "4", "io-threads 1 in redis.conf"),
    ],
)
def test_redis_that_would_lose_revocations_is_found(
    run_dir: Path, name: str, value: str, remedy: str
) -> None:
    """Each setting that loses, evicts or outgrows is a finding with its remedy."""
    with redis_with(run_dir, **{**DURABLE, name: value}) as path:
        (run_dir / "demo.env").write_text(f"REDIS_SOCKET={path}\n")
        (finding,) = found(run_dir)
    assert f"Redis at {path}" == finding["place"]
    assert name in finding["problem"]
    assert remedy in finding["remedy"]


def test_redis_is_asked_as_the_user_of_its_url(run_dir: Path) -> None:
    """A password is used and never shown; a user that may not ask is told apart."""
    with redis_with(run_dir, **DURABLE, requirepass="pa%ss") as path:
        assert [] == found(run_dir, REDIS_URL=f"unix://default:pa%25ss@{path}")
        (finding,) = found(run_dir, REDIS_URL=f"unix://default:wr0ng@{path}")
    assert "WRONGPASS" in finding["problem"]
    assert "wr0ng" not in str(finding)


@pytest.mark.parametrize(
    "url", ["unix:///nowhere.sock", "redis://127.0.0.1:1", "http://127.0.0.1", "redis://:x"]
)
def test_redis_that_cannot_be_asked_is_a_finding(run_dir: Path, url: str) -> None:
    """What is configured and does not answer is said, not passed over."""
    (finding,) = found(run_dir, REDIS_URL=url)
    assert "cannot be asked" in finding["problem"]


def test_ready_gateway_is_no_finding(run_dir: Path) -> None:
    """/health/ready says ok: nothing to add."""
    with ops_listener(200, b'{"status":"ok"}') as url:
        assert [] == found(run_dir, OPS_URL=url)


def test_gateway_that_is_not_ready_is_found(run_dir: Path) -> None:
    """The finding carries what /health/ready says of each dependency."""
    with ops_listener(503, b'{"dependencies":{"redis":"timeout"}}') as url:
        (finding,) = found(run_dir, OPS_URL=url)
    assert (url, True) == (finding["place"], '"redis":"timeout"' in finding["problem"])


def test_gateway_that_was_named_and_is_down_is_found(run_dir: Path) -> None:
    """OPS_URL in the environment says that there should be one."""
    (finding,) = found(run_dir, OPS_URL=f"http://127.0.0.1:{free_port()}")
    assert "does not answer" in finding["problem"]
