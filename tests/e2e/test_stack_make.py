"""The Makefile: its help, and settings from the environment or from its command line."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.stack import ROOT


def make(run_dir: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person does, with a bare environment."""
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "RUN_DIR": str(run_dir), **changes}
    command = ["make", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )


def test_make_alone_lists_every_target_with_its_help(tmp_path: Path) -> None:
    """Whatever can be made is named with a line that says what for."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  ([a-z-]+) +\S", make(tmp_path).stdout, re.MULTILINE)
    assert {"up", "down", "test", "lint", "lock", "doctor", "help"} <= set(targets)
    assert sorted(targets) == sorted(listed)


@pytest.mark.parametrize("script", ["up", "down"])
@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("bogus", 2)])
def test_argument_starts_and_stops_nothing(
    tmp_path: Path, script: str, argument: str, status: int
) -> None:
    """Whoever asks for help gets it, not a stack; a slip is one line."""
    done = subprocess.run(
        [ROOT / "scripts" / script, argument],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "RUN_DIR": str(tmp_path / "run")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert status == done.returncode
    assert (1 if status else 0) == len(done.stderr.splitlines())
    assert bool(status) == (done.stdout == "")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [(["up"], {"HTTP_PORT": "here"}), (["up", "HTTP_PORT=here"], {})],
    ids=["environment", "command line"],
)
def test_setting_is_read_from_either_place(
    tmp_path: Path, arguments: list[str], changes: dict[str, str]
) -> None:
    """`HTTP_PORT=1 make up` and `make up HTTP_PORT=1` are the same."""
    assert "HTTP_PORT is 'here'" in make(tmp_path, *arguments, **changes).stderr


def test_missing_tool_that_cannot_be_installed_is_named(tmp_path: Path) -> None:
    """Without apt-get, or the right to use it, `make up` ends with one line: what is missing."""
    absent = {"redis-cli", "apt-get", "sudo"}
    bin_dir, run_dir = tmp_path / "bin", tmp_path / "run"
    bin_dir.mkdir()
    folders = filter(Path.is_dir, map(Path, os.environ["PATH"].split(":")))
    for program in (one for folder in folders for one in folder.iterdir()):
        if program.name not in absent and not (bin_dir / program.name).is_symlink():
            (bin_dir / program.name).symlink_to(program)
    refused = make(run_dir, "up", PATH=str(bin_dir))
    said, by_make = refused.stderr.splitlines()
    assert said.startswith("missing")
    assert said.endswith(" redis-tools")
    assert "Error 1" in by_make
    assert not list(run_dir.glob("*.pid"))
