"""A keyring as tests need it."""

import time
from pathlib import Path

from tests.scripts.ops import Ops

OVERLAP_S = 86_400 + 60
"""How long a key is accepted after its successor began to sign."""


def put_keys(keys: Path, *starts: int) -> list[str]:
    """Write a keyring of HS256 keys that begin at these times from now; return their kids."""
    keys.mkdir(parents=True)
    now = int(time.time())
    kids = [f"k{number}" for number in range(len(starts))]
    for kid in kids:
        (keys / f"{kid}.secret").write_text("A" * 43)
    lines = [f"{kid} HS256 {now + start}\n" for kid, start in zip(kids, starts, strict=True)]
    (keys / "keyring").write_text("# the keys\n" + "".join(lines))
    return kids


def states(ops: Ops) -> dict[str, str]:
    """Each key's state, as `key list` tells it."""
    return {key["kid"]: key["state"] for key in ops.json("key", "list")}
