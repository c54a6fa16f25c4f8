"""The Redis of make up: its configuration, its users, and a Redis that make up did not start."""

import subprocess

import pytest

import redis
from tests.stack import Stack, until

Command = tuple[str, ...]

NEEDED = [
    ("PING",),
    ("HGETALL", "client:demo"),
    ("HMGET", "client:demo", "status"),
    ("GET", "notbefore:demo"),
    ("GET", "notbefore:*"),
    ("EXISTS", "revoked:j"),
    ("HGETALL", "routes"),
    ("HGET", "dataset", "id"),
    ("HGET", "tide:{dataset}", "0a1b2c3d"),
    ("HINCRBY", "tide:{dataset}", "0a1b2c3d", "1"),
    ("INFO", "server", "replication"),
    ("ROLE",),
    ("SET", "wait:{revoked:j}", "1", "EX", "1"),
    ("WAIT", "0", "1"),
    ("HGETALL", "snapshot"),
    ("SET", "revoked:j", "test", "EX", "1"),
    ("SET", "ott:j", "1", "EX", "1"),
    ("SET", "assertion:nobody:j", "1", "NX", "EX", "1"),
    ("SET", "dpop:mark", "request", "NX", "GET", "EX", "1"),
    ("HSET", "used:nobody", "s", "1"),
    ("EXPIRE", "used:nobody", "1"),
    ("XADD", "audit", "MAXLEN", "~", "100000", "*", "event", "mint"),
    ("XADD", "refusals", "MAXLEN", "~", "2000", "*", "reason", "expired"),
    ("CLIENT", "ID"),
]
REFUSED_TO_APP = [
    ("HSET", "client:demo", "scopes", "admin"),
    ("DEL", "client:demo"),
    ("HSET", "routes", "* /", ""),
    ("HSET", "snapshot", "taken_s", "1"),
    ("SET", "notbefore:demo", "0"),
    ("XRANGE", "audit", "-", "+"),
    ("GET", "other"),
    ("SCAN", "0"),
    ("KEYS", "*"),
    ("EVAL", "return 1", "0"),
    ("CLIENT", "LIST"),
]
REFUSED_TO_BOTH = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("SHUTDOWN", "NOSAVE"),
    ("ACL", "LIST"),
    ("REPLICAOF", "NO", "ONE"),
    ("MONITOR",),
    ("SET", "other", "1"),
]


NEEDED_TO_LOOK = [
    ("SCAN", "0", "MATCH", "client:*", "COUNT", "200"),
    ("HMGET", "client:demo", "secrets"),
    ("HGETALL", "used:demo"),
    ("GET", "notbefore:demo"),
    ("XREVRANGE", "audit", "+", "-", "COUNT", "1"),
    ("XREVRANGE", "refusals", "+", "-", "COUNT", "1"),
    ("HGET", "snapshot", "taken_s"),
    ("INFO",),
    ("DBSIZE",),
]
REFUSED_TO_LOOKERS = [
    ("HSET", "client:demo", "scopes", "admin"),
    ("SET", "revoked:j", "x"),
    ("SET", "notbefore:*", "0"),
    ("XADD", "audit", "*", "event", "x"),
    ("XTRIM", "audit", "MAXLEN", "0"),
    ("DEL", "client:demo"),
    ("GET", "ott:j"),
    ("EVAL", "return 1", "0"),
    ("CLIENT", "LIST"),
    ("CONFIG", "GET", "*"),
]
REFUSED_TO_ADMIN = [
    ("DEL", "client:demo"),
    ("HGETALL", "client:demo"),
    ("HSET", "routes", "* /", ""),
    ("HSET", "dataset", "id", "x"),
    ("GET", "revoked:j"),
    ("DEL", "revoked:j"),
    ("XADD", "audit", "*", "event", "x"),
    ("XRANGE", "audit", "-", "+"),
    ("XTRIM", "audit", "MAXLEN", "0"),
    ("SCAN", "0"),
    ("EVAL", "return 1", "0"),
    ("INFO",),
]


def run_as(stack: Stack, user: str, command: Command) -> None:
    """Run one command as one of the users with a password."""
    password = stack.settings("redis.env")[f"{user.upper()}_PASSWORD"]
    socket = str(stack.run_dir / "redis.sock")
    connection = redis.Redis(unix_socket_path=socket, username=user, password=password, protocol=2)
    connection.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own lack


@pytest.mark.parametrize("command", NEEDED, ids=" ".join)
def test_app_may_do_what_it_needs(stack: Stack, command: Command) -> None:
    """None of the commands that serve a request is denied to the app's user."""
    run_as(stack, "app", command)


def test_app_may_subscribe_to_revocations(stack: Stack) -> None:
    """CLIENT TRACKING in broadcast mode, as the pushed invalidation needs it, is allowed."""
    socket, password = stack.run_dir / "redis.sock", stack.settings("redis.env")["APP_PASSWORD"]
    commands = f"HELLO 3 AUTH app {password}\nCLIENT TRACKING ON BCAST PREFIX revoked:\n"
    done = subprocess.run(
        ["redis-cli", "-s", socket], input=commands, capture_output=True, text=True, timeout=110
    )
    assert "OK" == done.stdout.split()[-1]


@pytest.mark.parametrize("command", NEEDED_TO_LOOK, ids=" ".join)
def test_dashboard_may_look(stack: Stack, command: Command) -> None:
    """None of what it shows is denied to its account."""
    run_as(stack, "dashboard", command)


@pytest.mark.parametrize(
    ("user", "command"),
    [("app", command) for command in REFUSED_TO_APP + REFUSED_TO_BOTH]
    + [("ops", command) for command in REFUSED_TO_BOTH]
    + [("dashboard", command) for command in REFUSED_TO_LOOKERS + REFUSED_TO_BOTH]
    + [("admin", command) for command in REFUSED_TO_ADMIN + REFUSED_TO_BOTH],
    ids=str,
)
def test_user_is_denied_what_it_does_not_need(stack: Stack, user: str, command: Command) -> None:
    """A stolen password changes no client, empties no data and stops no server."""
    with pytest.raises(redis.exceptions.NoPermissionError):
        run_as(stack, user, command)


def test_serving_requests_is_never_denied(stack: Stack) -> None:
    """Minting, one-time tokens, calls, introspection and revocation leave no entry in ACL LOG."""
    stack.redis.acl_log_reset()
    token, once = stack.mint(), stack.mint(path="/ott")
    for each in (token, once, once):
        stack.call("/demo/read", token=each)
        stack.call("/demo/routed/read", token=each)
    stack.asked_by(stack.demo, "/introspect", token=token)
    stack.revoke(token)
    assert [] == stack.redis.acl_log()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("maxmemory-policy", "noeviction"),
        ("protected-mode", "yes"),
        ("port", "0"),
        ("save", ""),
    ],
)
def test_shipped_configuration_is_in_force(stack: Stack, setting: str, value: str) -> None:
    """`make up` runs the very redis.conf that is meant for production."""
    assert {setting: value} == stack.redis.config_get(setting)


def test_memory_is_bounded(stack: Stack) -> None:
    """Redis has a limit of its own, before the machine has to choose a victim."""
    assert "0" != stack.redis.config_get("maxmemory")["maxmemory"]


def test_every_key_but_a_record_has_an_end(stack: Stack) -> None:
    """Whatever else a gateway leaves in Redis goes by itself, when nothing renews it."""
    token, once, other = stack.mint(), stack.mint(path="/ott"), stack.mint(path="/ott")
    for each in (token, once, other[:-9]):
        stack.call("/demo/any", token=each)
    stack.revoke(token)
    until(lambda: stack.redis.exists("refusals", "tide:{dataset}", "used:demo") == 3)
    records = {"routes", "dataset", "audit", *stack.redis.scan_iter("client:*")}
    endless = {key for key in stack.redis.scan_iter() if stack.redis.ttl(key) == -1}
    assert records == endless


def test_foreign_redis_is_used_and_not_stopped(stack: Stack) -> None:
    """With REDIS_URL no Redis is started; `down` leaves the one that was named running."""
    with Stack(REDIS_URL=f"unix://{stack.run_dir}/redis.sock?db=1") as guest:
        assert 200 == guest.call("/demo/read", token=guest.mint()).status
        assert not (guest.run_dir / "redis.pid").exists()
        assert f"unix://{stack.run_dir}/redis.sock?db=1" == guest.settings("demo.env")["REDIS_URL"]
    assert stack.redis.ping()
