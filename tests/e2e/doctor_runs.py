"""Runs scripts/doctor on a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCTOR = Path(__file__).parents[2] / "scripts" / "doctor"
ELSEWHERE = ("REDIS_URL", "REDIS_SOCKET", "OPS_URL", "KEYS_DIR", "RUN_DIR")


def doctor(run_dir: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [DOCTOR, *options],
        env={**kept, "PATH": path, "RUN_DIR": str(run_dir), **environ},
        capture_output=True,
        text=True,
        timeout=110,
    )


def found(run_dir: Path, **environ: str) -> list[dict[str, Any]]:
    """The findings, and a status that fits them."""
    done = doctor(run_dir, "--json", **environ)
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    assert (1 if findings else 0) == done.returncode, done.stderr
    return findings
