"""The Makefile: its help, and settings from the environment or from its command line."""

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
