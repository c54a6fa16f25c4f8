"""Redis as it is deployed: who gets in, and what each account may do there."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import redis
from tests.stack import ROOT, free_port, until

DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "systemd" / "portcullis-redis.service").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())["services"]


@dataclass(frozen=True)
class Deployed:
    """A Redis that runs with the shipped command line, and the passwords of its accounts."""

    passwords: dict[str, str]
    socket: str = ""
    port: int = 0

    def connect(self, name: str = "") -> "redis.Redis":
        user = {"username": name, "password": self.passwords.get(name, "")} if name else {}
        if self.socket:
            return redis.Redis(unix_socket_path=self.socket, **user)  # type: ignore[arg-type]
        return redis.Redis("127.0.0.1", self.port, **user)  # type: ignore[arg-type]

    def is_up(self) -> bool:
        try:
            return bool(self.connect("app").ping())
        except (redis.ConnectionError, FileNotFoundError):
            return False


def make_accounts(folder: Path) -> dict[str, str]:
    """Run the page's lines; return each account's password."""
    page = (ROOT / "docs" / "deploying.md").read_text()
    section = page.partition("\n## Accounts in Redis\n")[2].partition("\n## ")[0]
    (lines,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (folder / "redis").symlink_to(ROOT / "redis")
    done = subprocess.run(["sh", "-eu"], input=lines, cwd=folder, text=True, capture_output=True)
    assert ("", 0) == (done.stderr, done.returncode)
    assert 0o600 == (folder / "users.acl").stat().st_mode & 0o777
    told = (folder / "passwords.env").read_text()
    return {name.lower(): text for name, text in re.findall(r"(\w+)_PASSWORD=(\w+)", told)}


def command_of(way: str, folder: Path, port: int) -> list[str]:
    """The shipped command line, with paths of the test's own."""
    if way == "systemd":
        (text,) = re.findall(r"^ExecStart=(.*)", UNIT.replace("\\\n", " "), re.MULTILINE)
        words = shlex.split(text.replace("--supervised systemd", ""))
        places = {"/opt/portcullis": str(ROOT), "/usr/bin/redis-server": "redis-server"}
    else:
        words = COMPOSE["redis"]["command"]
        places = {"/etc/portcullis/redis.conf": str(ROOT / "redis" / "redis.conf")}
        places |= {"/data": str(folder), "6379": str(port), "0.0.0.0": "127.0.0.1"}
    for folder_of_theirs in ("/var/lib/portcullis-redis", "/run/portcullis-redis"):
        places[folder_of_theirs] = str(folder)
    for folder_of_theirs in ("/etc/portcullis/users.acl", "/run/secrets/users.acl"):
        places.setdefault(folder_of_theirs, str(folder / "users.acl"))
    for theirs, ours in places.items():
        words = [word.replace(theirs, ours) for word in words]
    return words


@pytest.fixture(params=["systemd", "compose"])
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployed]:
    passwords, port = make_accounts(tmp_path), free_port()
    with (tmp_path / "users.acl").open("a") as accounts:
        accounts.write("user looker on nopass -@all +acl|getuser\n")
    path = "" if request.param == "compose" else str(tmp_path / "redis.sock")
    made = Deployed(passwords, path, port)
    command = command_of(request.param, tmp_path, port)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(made.is_up, what="redis answers")
            yield made
        finally:
            process.kill()


def test_nobody_gets_in_without_a_password(deployed: Deployed) -> None:
    """Whoever finds the socket or the port may ask for nothing; Compose's probe sees just that."""
    with deployed.connect() as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_app_and_ops_do_what_each_is_for(deployed: Deployed) -> None:
    """The app revokes and can change no client; the scripts make one."""
    with deployed.connect("app") as app, deployed.connect("ops") as ops:
        assert app.set("revoked:x", "1", ex=60)
        with pytest.raises(redis.exceptions.NoPermissionError):
            app.hset("client:x", "status", "active")
        assert ops.hset("client:x", "status", "active")


@pytest.mark.parametrize("deployed", ["compose"], indirect=True)
def test_other_machines_reach_the_redis_of_compose(deployed: Deployed) -> None:
    """Its protected mode would refuse them all for as long as that account needed no password."""
    assert "0.0.0.0" in COMPOSE["redis"]["command"]
    with deployed.connect("looker") as looker:
        flags = looker.acl_getuser("default")["flags"]
    assert "off" in flags
    assert "nopass" not in flags


def test_scripts_of_compose_have_the_account_of_ops() -> None:
    """The app's own may not do what they do."""
    assert COMPOSE["ops"]["environment"]["REDIS_URL"].startswith("redis://ops:")
