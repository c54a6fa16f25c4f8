"""An nginx that waits for longer than the shipped one: here others take the cores."""

import re
from pathlib import Path

_TIMEOUT = re.compile(r"(proxy_(?:send|read|next_upstream)_timeout) [0-9]+s;")


def be_patient(folder: Path) -> None:
    """Let the nginx files in a folder wait for what answers late. Who hangs up, hangs up."""
    for path in folder.glob("*.conf"):
        text = path.read_text()
        if (patient := _TIMEOUT.sub(r"\1 20s;", text)) != text:
            path.write_text(patient)
