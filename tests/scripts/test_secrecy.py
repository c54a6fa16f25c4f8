"""Where secrets go, and what the scripts need: seen from outside."""

import json
import os
from pathlib import Path
from shutil import which

import pytest

from tests.scripts.impostor import fake_gateway
from tests.scripts.ops import Ops, recorded_commands

COREUTILS = ["base64", "cat", "chown", "date", "dirname", "id", "mkdir", "mv", "readlink", "rm"]
COREUTILS += ["rmdir", "sleep", "sort", "sync", "timeout"]


def test_no_secret_is_ever_an_argument(ops: Ops, tmp_path: Path) -> None:
    """Neither a client's secret nor a password of Redis shows in the process list."""
    ops.redis.execute_command("ACL", "SETUSER", "chief", "on", ">sesame", "~*", "+@all")
    ops.env["REDIS_URL"] = f"unix://chief:sesame@{ops.socket}"
    with recorded_commands(ops, tmp_path, ["redis-cli", "openssl", "timeout", "sort"]) as log:
        secrets = [ops.create()["client_secret"]]
        secrets.append(ops.json("client", "rotate", "orders")["client_secret"])
        ops.done("client", "list")
        recorded = log.read_text()
    ops.redis.execute_command("ACL", "DELUSER", "chief")
    assert "HGETALL" not in recorded
    assert recorded.count("redis-cli") > 5
    for secret in [*secrets, "sesame"]:
        assert secret not in recorded


def test_mint_hides_the_secret_and_why_hides_the_token(ops: Ops, tmp_path: Path) -> None:
    """curl reads them from a pipe."""
    with fake_gateway() as gateway, recorded_commands(ops, tmp_path, ["curl"]) as log:
        gateway.answers(200, {"access_token": "t", "allowed": True, "reason": "ok", "checks": []})
        ops.env |= {"CLIENT_ID": "a", "CLIENT_SECRET": "sesame", "OPS_URL": gateway.url}
        ops.env["TOKEN_URL"] = f"{gateway.url}/token"
        ops.done("token", "mint")
        ops.done("token", "why", "-", "GET", "/", stdin="open.sesame.please\n")
        recorded = log.read_text()
    assert 2 == recorded.count("--data-binary")
    assert "sesame" not in recorded


def test_nothing_is_written_to_disk_but_keys(
    ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's life leaves no file behind, wherever files could go."""
    places = {name: tmp_path / name for name in ("TMPDIR", "HOME")}
    for name, place in places.items():
        place.mkdir()
        ops.env[name] = str(place)
    monkeypatch.chdir(places["HOME"])
    ops.create()
    ops.json("client", "rotate", "orders")
    ops.done("client", "delete", "orders", "--yes")
    assert [] == [found for place in places.values() for found in place.iterdir()]
    assert not ops.run_dir.exists()


def test_a_shell_coreutils_redis_cli_and_openssl_are_enough(ops: Ops, tmp_path: Path) -> None:
    """No grep, sed, awk, jq, python or curl is called for what ops do in Redis and with keys."""
    for program in ["bash", "env", "redis-cli", "openssl", *COREUTILS]:
        (tmp_path / program).symlink_to(str(which(program)))
    ops.env["PATH"] = str(tmp_path)
    ops.create()
    ops.done("client", "rotate", "orders")
    ops.done("client", "scopes", "orders", "b")
    ops.done("client", "show", "orders")
    ops.done("client", "list")
    ops.done("token", "revoke", "e30.eyJqdGkiOiJhIiwiZXhwIjo0MDAwMDAwMDAwfQ.e30")
    ops.done("token", "revoke-client", "orders")
    ops.done("token", "revoke-all", "--yes")
    ops.done("route", "set", "GET", "/orders", "a")
    ops.done("route", "list")
    ops.done("route", "delete", "GET", "/orders", "--yes")
    ops.done("key", "rotate")
    ops.done("key", "rotate", "--alg", "HS256", "--delay-s", "1")
    kid = ops.json("key", "list")[1]["kid"]
    ops.done("key", "retire", kid, "--yes")
    ops.done("client", "delete", "orders", "--yes")
    ops.done("audit", "--since", "2026-01-01")
    assert 12 == len(json.loads(ops.done("audit", "--json")))


def test_a_missing_program_is_named(ops: Ops, tmp_path: Path) -> None:
    """Without redis-cli or curl the line says what to install."""
    for program in ["bash", "env", *COREUTILS]:
        (tmp_path / program).symlink_to(str(which(program)))
    ops.env["PATH"] = str(tmp_path)
    assert "redis-cli is not installed" in ops.complaint(1, "client", "list")
    ops.env |= {"CLIENT_ID": "a", "CLIENT_SECRET": "b", "TOKEN_URL": "http://127.0.0.1:1/token"}
    assert "curl is not installed" in ops.complaint(1, "token", "mint")


def test_the_scripts_work_from_anywhere(
    ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a link, from another folder, in another locale."""
    from tests.scripts.ops import ROOT

    link = tmp_path / "client"
    link.symlink_to(ROOT / "scripts" / "client")
    monkeypatch.chdir("/")
    ops.env |= {"LC_ALL": "C.UTF-8", "CDPATH": "/tmp", "POSIXLY_CORRECT": "1"}
    assert [] == json.loads(ops.done(os.fspath(link), "list", "--json"))
