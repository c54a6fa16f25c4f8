"""Where things are: RUN_DIR, and the KEY=value files in it. The same rules as places.sh."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run_dir() -> Path:
    return ROOT / os.environ.get("RUN_DIR", "run")


def setting(name: str, *files: str) -> str:
    """`name` in the environment, else in the first file under RUN_DIR that has it, else ""."""
    for source in [os.environ, *(_settings(run_dir() / file) for file in files)]:
        if value := source.get(name):
            return value
    return ""


def _settings(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: _unquoted(value) for name, value in pairs}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
