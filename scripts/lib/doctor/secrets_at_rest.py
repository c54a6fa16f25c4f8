"""Keys and passwords that others on the machine could read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .finding import Finding
from .places import run_dir, setting

PRIVATE = ("app.env", "demo.env", "redis.env", "users.acl")


def find() -> Iterator[Finding]:
    keys_dir = Path(setting("KEYS_DIR", "app.env") or run_dir() / "keys")
    for path in [run_dir() / name for name in PRIVATE] + [keys_dir]:
        yield from _too_open(path)
    for path in sorted(keys_dir.glob("*")) if _may_list(keys_dir) else []:
        yield from _too_open(path)


def _may_list(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(list(folder.iterdir()) or True)
    except PermissionError:
        return False


def _too_open(path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        yield Finding(
            str(path),
            0,
            f"its mode is {mode:04o}: others than its owner can read or change it",
            f"chmod {wanted} {path}",
        )
