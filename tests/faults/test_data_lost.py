"""Redis forgets everything: what it had revoked stays dead, even within the same second."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.stack import ROOT, Stack, until


def flush(stack: Stack) -> None:
    stack.redis.flushall()


def restart_empty(stack: Stack) -> None:
    stack.kill("redis")
    shutil.rmtree(stack.run_dir / "redis")
    stack.start()


def flush_behind_its_back(stack: Stack) -> None:
    """Emptied while the workers are not connected: no announcement tells them."""
    connection = stack.redis
    connection.client_kill_filter(_type="normal", skipme=True)
    connection.flushall()


def put_back(stack: Stack, record: dict[str, str]) -> None:
    """Register the demo client anew with the very record, and so the secrets, that it had."""
    with stack.redis as connection:
        connection.hset("client:demo", mapping=dict(record))


def beginning_of_a_second() -> None:
    """Leave most of a second for what must happen within one."""
    until(lambda: time.time() % 1 < 0.1, what="a second begins")


@pytest.mark.parametrize("lose", [flush, flush_behind_its_back])
def test_token_revoked_in_the_second_of_the_loss_stays_dead(
    stack: Stack, lose: Callable[[Stack], None]
) -> None:
    """Minted, revoked, forgotten in one second; its client is back; a new token works at once."""
    client = stack.demo
    with stack.redis as connection:
        record: dict[str, str] = connection.hgetall("client:demo")
    for _ in range(5):
        beginning_of_a_second()
        dead, alive = stack.mint(client), stack.mint(client)
        assert 200 == stack.call("/demo/any", alive).status
        stack.revoke(dead, client)
        lose(stack)
        put_back(stack, record)
        fresh = stack.mint(client)
        assert 401 == stack.call("/demo/any", dead).status
        assert 401 == stack.call("/demo/any", alive).status
        assert 200 == stack.call("/demo/any", fresh).status


def test_redis_restarted_with_an_empty_disk_revives_nothing(stack: Stack) -> None:
    """The data set is another one, so every token from before is dead; `make up` needs no help."""
    client = stack.demo
    with stack.redis as connection:
        record: dict[str, str] = connection.hgetall("client:demo")
    dead, alive = stack.mint(client), stack.mint(client)
    stack.revoke(dead, client)
    restart_empty(stack)
    put_back(stack, record)
    until(lambda: stack.asked_by(client, "/introspect", token=alive).status == 200)
    assert {401} == {stack.call("/demo/any", token).status for token in (dead, alive)}
    assert 200 == stack.call("/demo/any", stack.mint(client)).status
    stack.start()


def test_redis_restarted_from_its_log_revives_nothing_and_forgets_nothing(stack: Stack) -> None:
    """Killed right after it acknowledged a revocation, it still knows it; a good token is good."""
    alive = stack.mint()
    dead = [stack.mint() for _ in range(20)]
    for token in dead:
        stack.revoke(token)
    stack.kill("redis")
    stack.start()
    until(lambda: stack.call("/demo/any", alive).status == 200, what="the good token is good")
    assert {401} == {stack.call("/demo/any", token).status for token in dead}


def test_full_redis_still_decides_and_mints_no_token_that_it_cannot_arm(stack: Stack) -> None:
    """Out of memory: reading goes on, a one-time mint and a revocation say 503."""
    token = stack.mint()
    stack.redis.config_set("maxmemory", "1")
    assert 200 == stack.call("/demo/any", token).status
    for path, fields in (
        ("/ott", {"grant_type": "client_credentials"}),
        ("/revoke", {"token": token}),
    ):
        assert 503 == stack.asked_by(stack.demo, path, **fields).status
    assert 200 == stack.call("/demo/any", token).status
    stack.redis.config_set("maxmemory", "0")
    stack.revoke(token)
    assert 401 == stack.call("/demo/any", token).status


def test_disaster_drill_in_the_docs_works_as_pasted(stack: Stack) -> None:
    """Redis killed, and then emptied, by the very lines that ops read."""
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(r"## Disaster drill\n.*?```sh\n(.*?)```", text, re.DOTALL)
    assert found
    lines = found[1].replace("/tmp/drill", str(stack.run_dir))
    lines = lines.replace("8090", str(stack.http_port)).replace("9091", str(stack.ops_port))
    done = subprocess.run(
        ["bash", "-ec", lines], cwd=ROOT, env=stack.environ(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    answers = re.findall(r"^(good|dead|new): (\d+)$", done.stdout, re.MULTILINE)
    expected = [("good", "200"), ("dead", "401"), ("good", "401"), ("new", "200")]
    assert expected == answers
    assert '"unavailable"' in done.stdout
