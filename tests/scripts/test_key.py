"""scripts/key: the keyring that the service reads."""

import re
import stat
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.keys import load_keyring
from tests.scripts.keyring import OVERLAP_S, put_keys, states
from tests.scripts.ops import ROOT, Finished, Ops

KEY_TEXT = {
    "ES256": "Private-Key: (256 bit)",
    "EdDSA": "ED25519 Private-Key",
    "RS256": "Private-Key: (2048 bit",
}


def openssl(*words: str) -> Finished:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "HS256"])
def test_rotate_makes_a_key_that_the_service_can_use(ops: Ops, keys: Path, alg: str) -> None:
    """The key loads, signs now, is of its algorithm, and nobody else may read it."""
    before = int(time.time())
    made = ops.json("key", "rotate", "--alg", alg, "--delay-s", "0")
    kid = made["kid"]
    assert re.fullmatch(rf"{alg.lower()}-20\d{{6}}-[0-9a-f]{{6}}", kid)
    assert before <= made["signs_from_s"] <= time.time()
    assert (alg, "signing", None) == (made["alg"], made["state"], made["verifies_until_s"])
    assert (kid, alg) == (lambda key: (key.kid, key.alg))(load_keyring(keys).signer(time.time()))
    file = keys / (f"{kid}.secret" if alg == "HS256" else f"{kid}.pem")
    if alg == "HS256":
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", file.read_text())
    else:
        checked = openssl("pkey", "-in", str(file), "-noout", "-check", "-text")
        assert 0 == checked.returncode
        assert KEY_TEXT[alg] in checked.stdout
        assert file.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert {file.name, "keyring"} == {path.name for path in keys.iterdir()}
    assert 0o700 == stat.S_IMODE(keys.stat().st_mode)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}


def test_rotate_publishes_first_and_signs_later(ops: Ops, keys: Path) -> None:
    """A later key waits ten minutes unless told otherwise, and takes the signer's algorithm."""
    first = ops.json("key", "rotate", "--alg", "EdDSA")
    second = ops.json("key", "rotate")
    assert ("signing", "next") == (first["state"], second["state"])
    assert "EdDSA" == second["alg"]
    assert 600 <= second["signs_from_s"] - first["signs_from_s"] <= 660
    third = ops.json("key", "rotate", "--delay-s", "5000")
    assert 5000 <= third["signs_from_s"] - first["signs_from_s"] <= 5060
    ring = load_keyring(keys)
    assert first["kid"] == ring.signer(time.time()).kid
    assert 3 == len(ring.published(time.time()))


def test_rotate_of_nothing_signs_at_once(ops: Ops, keys: Path) -> None:
    """The first key has nobody to take over from, so a delay would leave the house without one."""
    assert "which signs from now on" in ops.done("key", "rotate", "--delay-s", "600")
    put = load_keyring(keys).signer(time.time())
    assert "ES256" == put.alg


def test_rotate_never_starts_two_keys_in_one_second(ops: Ops, keys: Path) -> None:
    """Which key signs is never a question of order in the file."""
    for _ in range(4):
        ops.done("key", "rotate", "--alg", "HS256", "--delay-s", "0")
    starts = [key["signs_from_s"] for key in ops.json("key", "list")]
    assert sorted(set(starts)) == starts


def test_list_tells_each_state(ops: Ops, keys: Path) -> None:
    """Dead, verifying, signing and next, oldest first, and until when each is accepted."""
    put_keys(keys, -300_000, -200_000, -5000, -10, 600)
    listed = ops.json("key", "list")
    expected = ["dead", "verifying", "verifying", "signing", "next"]
    assert expected == [key["state"] for key in listed]
    for key, successor in pairwise(listed):
        assert successor["signs_from_s"] + OVERLAP_S == key["verifies_until_s"]
    assert listed[-1]["verifies_until_s"] is None


@pytest.mark.parametrize(("age_s", "state"), [(OVERLAP_S - 30, "verifying"), (OVERLAP_S, "dead")])
def test_a_key_dies_a_day_and_a_minute_after_its_successor_began(
    ops: Ops, keys: Path, age_s: int, state: str
) -> None:
    """The longest token lifetime and the largest leeway."""
    put_keys(keys, -OVERLAP_S * 2, -age_s)
    assert {"k0": state, "k1": "signing"} == states(ops)


def test_list_shows_a_table(ops: Ops, keys: Path) -> None:
    """Aligned, with times in UTC, and a missing file pointed out."""
    put_keys(keys, -10, 600)
    (keys / "k1.secret").unlink()
    heading, first, second = ops.done("key", "list").splitlines()
    assert ["KID", "ALG", "STATE"] == heading.split()[:3]
    assert re.match(r"k0   HS256  signing  20\S+Z  20\S+Z\s+k0.secret$", first)
    assert second.endswith("k1.secret (missing!)")


def test_list_of_none_is_friendly(ops: Ops, keys: Path) -> None:
    """No keys: a line that says how to make one, and an empty array."""
    assert f"There are no keys in {keys} yet" in ops.done("key", "list")
    assert [] == ops.json("key", "list")


@pytest.mark.parametrize(
    "line", ["k", "k HS256", "k HS256 soon", "k none 1", "../k HS256 1", "k HS256 1 2"]
)
def test_a_broken_keyring_is_named_by_its_line(ops: Ops, keys: Path, line: str) -> None:
    """Nothing is guessed, and nothing is changed."""
    put_keys(keys, -10)
    text = (keys / "keyring").read_text() + line + "\n"
    (keys / "keyring").write_text(text)
    for words in (("list",), ("rotate",), ("retire", "k0", "--yes")):
        assert f"{keys}/keyring line 3: expected KID ALG" in ops.complaint(1, "key", *words)
    assert text == (keys / "keyring").read_text()


def test_changes_at_the_same_time_all_count(ops: Ops, keys: Path) -> None:
    """Rotations at once either succeed or say that another is under way; no line is lost."""
    put_keys(keys, -10)
    command: list[str | Path] = [ROOT / "scripts/key", "rotate", "--alg", "HS256"]
    racers = [
        subprocess.Popen(command, env=ops.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    complaints = [racer.communicate(timeout=60)[1] for racer in racers]
    succeeded = sum(racer.returncode == 0 for racer in racers)
    assert succeeded >= 1
    assert all(b"another change of the keys" in line for line in complaints if line)
    assert 1 + succeeded == len(ops.json("key", "list"))
    assert 1 + succeeded == len(list(keys.glob("*.secret")))
    assert not (keys / ".lock").exists()


def test_a_failed_rotation_leaves_nothing(ops: Ops, keys: Path, tmp_path: Path) -> None:
    """When openssl makes no key, keyring and folder are as before."""
    put_keys(keys, -10)
    shim = tmp_path / "openssl"
    shim.write_text(
        '#!/bin/bash\n[[ $1 == rand ]] || { echo "no entropy" >&2; exit 1; }\necho 0a1b2c\n'
    )
    shim.chmod(0o755)
    ops.env["PATH"] = f"{tmp_path}:{ops.env['PATH']}"
    before = (keys / "keyring").read_text()
    assert "no key was made: no entropy" in ops.complaint(1, "key", "rotate", "--alg", "ES256")
    assert before == (keys / "keyring").read_text()
    assert {"keyring", "k0.secret"} == {path.name for path in keys.iterdir()}


def test_changes_are_recorded_where_redis_is_there(ops: Ops, keys: Path) -> None:
    """Rotation and retirement leave an entry each; the very first key may come before Redis."""
    nowhere = {name: value for name, value in ops.env.items() if name != "REDIS_SOCKET"}
    first = ops.json("key", "rotate", env=nowhere)["kid"]
    second = ops.json("key", "rotate")["kid"]
    ops.done("key", "retire", second, "--yes")
    events: list[Any] = [(entry["event"], entry["detail"].split()[0]) for entry in ops.audit()]
    assert [("key_rotate", second), ("key_retire", f"{second},")] == events
    finished = ops.run("key", "rotate", env=nowhere)
    assert (0, True) == (finished.returncode, "not in the audit stream" in finished.stderr)
    gone = {**nowhere, "REDIS_SOCKET": "/nowhere"}
    finished = ops.run("key", "rotate", env=gone)
    assert (0, True) == (finished.returncode, "audit entry was not written" in finished.stderr)
    assert first in states(ops)


def test_keys_dir_comes_before_the_stacks(ops: Ops, keys: Path, tmp_path: Path) -> None:
    """KEYS_DIR says where the keys are."""
    ops.env["KEYS_DIR"] = str(tmp_path / "else where")
    ops.done("key", "rotate")
    assert not keys.exists()
    assert 1 == len(load_keyring(tmp_path / "else where").keys)
