"""make down: it stops what make up started in its folder, and nothing else."""

import socket
import subprocess
from pathlib import Path

from tests.stack import COMPONENTS, ROOT, Stack, children, is_alive


def family(stack: Stack) -> list[int]:
    """Return the main processes of a stack and their workers."""
    masters = [stack.pid(name) for name in COMPONENTS]
    return masters + [child for pid in masters for child in children(pid)]


def run_down(stack: Stack) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "down"],
        env=stack.environ(),
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_down_leaves_no_process_socket_or_port() -> None:
    """Processes are gone, pid files and sockets removed, both ports free; data and keys stay."""
    with Stack() as stack:
        processes = family(stack)
        assert len(processes) > len(COMPONENTS)
        done = run_down(stack)
        assert 0 == done.returncode
        assert [f"stopped {name}" for name in COMPONENTS] == done.stderr.splitlines()
        assert [] == [pid for pid in processes if is_alive(pid)]
        assert [] == [*stack.run_dir.glob("*.pid"), *stack.run_dir.glob("*.sock")]
        for port in (stack.http_port, stack.ops_port):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        assert (stack.run_dir / "keys" / "keyring").exists()


def test_second_down_says_that_there_is_nothing() -> None:
    """Running it twice, or where nothing ever ran, is one line and no error."""
    with Stack() as stack:
        run_down(stack)
        again = run_down(stack)
    unused = Stack()
    never = run_down(unused)
    unused.stop()
    for nothing in (again, never):
        assert 0 == nothing.returncode
        assert nothing.stderr.startswith("nothing to stop")
        assert 1 == nothing.stderr.count("\n")


def test_restart_keeps_client_keys_and_tokens() -> None:
    """A token minted before `down` is good after `up`: data, keys and secrets stay."""
    with Stack() as stack:
        token, secret = stack.mint(), stack.demo[1]
        stack.script("down")
        stack.start()
        assert secret == stack.demo[1]
        assert 200 == stack.call("/demo/read", token=token).status


def test_neighbour_keeps_running() -> None:
    """Two stacks run side by side; `down` of one leaves the other, however alike their names."""
    with Stack() as first:
        beside = Path(f"{first.run_dir}2")
        second = Stack(RUN_DIR=str(beside))
        second.run_dir.rmdir()
        second.run_dir = beside
        with second:
            assert 200 == first.call("/demo/read", token=first.mint()).status
            assert 200 == second.call("/demo/read", token=second.mint()).status
            processes = family(second)
            run_down(first)
            assert processes == family(second)
            assert all(is_alive(pid) for pid in processes)
            assert 200 == second.call("/demo/read", token=second.mint()).status


def test_frozen_process_is_killed_after_a_while() -> None:
    """A part that does not react to being asked is killed, and `down` says so."""
    with Stack() as stack:
        processes = family(stack)
        stack.freeze("redis")
        done = run_down(stack)
    assert 0 == done.returncode
    assert "redis did not stop in 10 s: killed" in done.stderr
    assert [] == [pid for pid in processes if is_alive(pid)]
