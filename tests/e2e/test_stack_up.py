"""make up: what it starts and prints, what a second one does, and what it refuses."""

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack import COMPONENTS, ROOT, Stack, is_alive, until

PRIVATE = 0o077
"""The permission bits of everybody else."""


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack for the tests that hurt one. A test leaves it running."""
    with Stack() as stack:
        yield stack


def run_up(stack: Stack, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `scripts/up`, whatever comes of it."""
    return subprocess.run(
        [ROOT / "scripts" / "up"],
        env=stack.environ(**changes),
        capture_output=True,
        text=True,
        timeout=110,
    )


def pids(stack: Stack) -> dict[str, int]:
    return {name: stack.pid(name) for name in COMPONENTS}


def pasted(stack: Stack, shell: str) -> str:
    """Return what the printed command lines print, pasted into a shell somewhere else."""
    lines = [line for line in stack.printed.splitlines() if "curl " in line]
    assert 2 == len(lines)
    done = subprocess.run(
        [shell, "-c", "\n".join(lines)], cwd="/", capture_output=True, text=True, timeout=110
    )
    return done.stdout


def kept_in_redis(stack: Stack) -> list[object]:
    """Return the demo client, the routes, and what scripts have done (not what requests do)."""
    audit: Any = stack.redis.xrange("audit")
    done = [entry for _, entry in audit if entry.get("from") == "cli"]
    return [stack.redis.hgetall("client:demo"), stack.redis.hgetall("routes"), done]


def works(stack: Stack) -> bool:
    return stack.call("/demo/read", token=stack.mint()).status == 200


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_printed_lines_when_pasted_mint_and_call(own: Stack, shell: str) -> None:
    """Both lines work in a plain shell, from any folder: the second shows the demo's answer."""
    token, answer = pasted(own, shell).splitlines()
    assert 2 == token.count(".")
    assert '"path": "/demo/read"' in answer


def test_second_up_changes_nothing_and_prints_the_same(own: Stack) -> None:
    """Processes, files and what ops have in Redis stay as they are; nothing is said to be done."""
    files = [path for path in own.run_dir.iterdir() if path.is_file()]
    times = {path: path.stat().st_mtime_ns for path in files if path.name != "lock"}
    before = pids(own), kept_in_redis(own)
    second = run_up(own)
    assert (0, own.printed, "") == (second.returncode, second.stdout, second.stderr)
    assert before == (pids(own), kept_in_redis(own))
    assert times == {path: path.stat().st_mtime_ns for path in times}


@pytest.mark.parametrize("component", COMPONENTS)
def test_killed_component_is_revived_alone(own: Stack, component: str) -> None:
    """`up` starts what has died, its orphaned workers cleared away, and nothing else."""
    before = pids(own)
    own.kill(component)
    own.start()
    assert works(own)
    after = pids(own)
    assert {component} == {name for name in COMPONENTS if before[name] != after[name]}


@pytest.mark.parametrize("component", COMPONENTS)
def test_pid_file_of_a_stranger_is_not_believed(own: Stack, component: str) -> None:
    """A pid that was given to another process meanwhile: ours is started, the other one lives."""
    own.script("down")
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as stranger:
        pid_file = own.run_dir / f"{component}.pid"
        pid_file.write_text(f"{stranger.pid}\n")
        own.script("down")
        pid_file.write_text(f"{stranger.pid}\n")
        own.start()
        assert stranger.poll() is None
        assert stranger.pid != own.pid(component)
        assert works(own)
        stranger.kill()


def test_emptied_redis_gets_its_demo_client_back(own: Stack) -> None:
    """After a FLUSHALL the next `up` makes client, secret and routes anew."""
    old_secret = own.demo[1]
    own.redis.flushall()
    own.start()
    assert old_secret != own.demo[1]
    token = own.mint()
    assert 200 == own.call("/demo/read", token=token).status
    assert 200 == own.call("/demo/routed/read", token=token).status


def test_changed_setting_restarts_what_reads_it(own: Stack) -> None:
    """Another number of workers restarts the app, says so, and leaves the rest alone."""
    before = pids(own)
    changed = run_up(own, WORKERS="1")
    assert "app: its configuration has changed, restarting it\n" == changed.stderr
    assert 1 == len(own.workers())
    assert {"app"} == {name for name in COMPONENTS if before[name] != own.pid(name)}
    own.start()


def test_appendfsync_reaches_redis(own: Stack) -> None:
    """`always` restarts Redis, which then answers once a change is on the disk; its data stays."""
    token = own.mint()
    run_up(own, APPENDFSYNC="always")
    assert {"appendfsync": "always"} == own.redis.config_get("appendfsync")
    assert 200 == own.call("/demo/read", token=token).status
    own.revoke(token)
    assert 401 == own.call("/demo/read", token=token).status
    own.start()
    assert {"appendfsync": "everysec"} == own.redis.config_get("appendfsync")


def test_two_at_once_wait_for_each_other(own: Stack) -> None:
    """Of two concurrent `up`s the second waits: both succeed, and one stack runs."""
    own.script("down")
    command = [ROOT / "scripts" / "up"]
    both = [
        subprocess.Popen(
            command, env=own.environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(2)
    ]
    printed = [one.communicate(timeout=200)[0] for one in both]
    assert [0, 0] == [one.returncode for one in both]
    assert printed == [own.printed] * 2
    assert works(own)


def test_taken_port_is_named_and_nothing_is_started() -> None:
    """A port in somebody's hands ends `up` with one line: which, whose, and what to set."""
    stack = Stack()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", stack.http_port))
        holder.listen()
        refused = run_up(stack)
    started = list(stack.run_dir.glob("*.pid"))
    stack.stop()
    assert (1, 1) == (refused.returncode, refused.stderr.count("\n"))
    assert f"port {stack.http_port} is taken" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert [] == started


def test_interrupted_up_leaves_nothing_that_down_misses() -> None:
    """Ctrl-C midway: no traceback, and `down` stops what had been started by then."""
    stack = Stack()
    (stack.run_dir / "lock").touch()
    (stack.run_dir / "metrics").mkdir()
    with (
        (stack.run_dir / "metrics" / "lock").open("w") as lock,
        subprocess.Popen(
            [ROOT / "scripts" / "up"],
            env=stack.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        ) as up,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # for which the app's workers wait, and `up` for them
        until((stack.run_dir / "app.pid").exists, what="the pid file of the app")
        os.killpg(up.pid, signal.SIGINT)
        errors = up.communicate(timeout=110)[1]
    started = [int(path.read_text()) for path in stack.run_dir.glob("*.pid")]
    stack.stop()
    assert [] == [pid for pid in started if is_alive(pid)]
    assert 130 == up.returncode
    assert "interrupted: make down stops what was started" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"HTTP_PORT": "http"}, "HTTP_PORT is 'http'"),
        ({"HTTP_PORT": "0"}, "HTTP_PORT is '0'"),
        ({"OPS_PORT": "65536"}, "OPS_PORT is '65536'"),
        ({"HTTP_PORT": "8000", "OPS_PORT": "8000"}, "HTTP_PORT and OPS_PORT are both 8000"),
        ({"HTTP_ADDR": "localhost; return"}, "HTTP_ADDR is 'localhost; return'"),
        ({"HTTP_ADDR": "127.0.0.256"}, "HTTP_ADDR is '127.0.0.256'"),
        ({"WORKERS": "many"}, "WORKERS is 'many'"),
        ({"WORKERS": "0"}, "WORKERS is '0'"),
        ({"ALG": "none"}, "ALG is 'none'"),
        ({"APPENDFSYNC": "no"}, "APPENDFSYNC is 'no'"),
        ({"REPLICAS_TO_ACK": "1"}, "REPLICAS_TO_ACK needs a REDIS_URL"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL is"),
        ({"RUN_DIR": "/tmp/a b"}, "RUN_DIR is '/tmp/a b'"),
        ({"RUN_DIR": "/tmp/a'b"}, "only letters, digits"),
        ({"RUN_DIR": "/tmp/" + "x" * 100}, "RUN_DIR is 105 characters long"),
        ({"RUN_DIR": "/"}, "RUN_DIR is /"),
        ({"RUN_DIR": "/etc"}, "has other things in it"),
        ({"RUN_DIR": "/etc/passwd"}, "is not a folder"),
        ({"REALM": 'a"b'}, "REALM has a character"),
        ({"ISSUER": "ftp://x"}, "ISSUER must be an http(s) URL"),
        ({"TOKEN_TTL_S": "0"}, "TOKEN_TTL_S must be"),
    ],
)
def test_bad_setting_is_refused_in_one_line(changes: dict[str, str], complaint: str) -> None:
    """What nginx, Redis or a socket could not carry ends with exit 2 and a line that names it."""
    stack = Stack()
    refused = run_up(stack, **changes)
    stack.stop()
    assert 2 == refused.returncode
    assert complaint in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_secrets_are_for_their_owner_alone(own: Stack) -> None:
    """Nobody else may read or enter anything in RUN_DIR; what the parts log included."""
    assert 0 == own.run_dir.stat().st_mode & PRIVATE
    secrets = ["app.env", "demo.env", "redis.env", "users.acl", "keys/keyring", "log/access.json"]
    modes = {name: (own.run_dir / name).stat().st_mode & 0o777 for name in secrets}
    assert dict.fromkeys(secrets, 0o600) == modes
    assert 0o700 == (own.run_dir / "keys").stat().st_mode & 0o777
