"""The shipped timer and cron line: they can be read, and they start the script."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.snapshot.vault import ROOT, Vault

UNITS = ROOT / "deploy" / "systemd"
CRON = ROOT / "deploy" / "cron" / "portcullis-snapshot"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With this checkout where they expect one: unknown settings and missing programs are told."""
    names = ["portcullis-snapshot.service", "portcullis-snapshot.timer"]
    for name in names:
        text = (UNITS / name).read_text().replace("/opt/portcullis", str(ROOT))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in names)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "portcullis" in line]
    assert (0, []) == (done.returncode, told)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_timer_is_due_each_night() -> None:
    """By systemd's own reading of it."""
    text = (UNITS / "portcullis-snapshot.timer").read_text()
    when = re.findall(r"^OnCalendar=(.+)$", text, re.MULTILINE)
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=2", *when],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    days = re.findall(r"\d{4}-\d\d-(\d\d) 03:17:00", done.stdout)
    assert 2 == len(set(days))


def test_cron_line_takes_a_snapshot_and_says_nothing(vault: Vault, tmp_path: Path) -> None:
    """As cron runs it: by sh, with next to no environment, the settings from their file."""
    line = next(line for line in CRON.read_text().splitlines() if line[:1].isdigit())
    found = re.fullmatch(r"\d+ \d+ \* \* \*  \w+  (.+)", line)
    assert found
    settings = tmp_path / "snapshot.env"
    settings.write_text(f"DATABASE_URL={vault.database_url}\nREDIS_URL=unix://{vault.socket}\n")
    command = found[1].replace("/opt/portcullis", str(ROOT))
    vault.add_client()
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("/etc/portcullis/snapshot.env", str(settings))],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert [1] == vault.ids()
