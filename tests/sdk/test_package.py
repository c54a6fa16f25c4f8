"""The package as somebody else installs it."""

import subprocess
import sys
from pathlib import Path

from tests.stack import ROOT

USE = """
import sys
sys.path.insert(0, sys.argv[1])
import portcullis_client
from portcullis_client.requests_auth import RequestsAuth
print(portcullis_client.__file__, sorted(portcullis_client.__all__)[0])
"""


def test_package_installs_and_imports_by_itself(tmp_path: Path) -> None:
    """Sources, and the mark that says they are typed; nothing of the gateway's comes along."""
    alone = ("--no-index", "--no-deps", "--no-build-isolation")
    install = ("-m", "pip", "install", "--quiet", *alone)
    subprocess.run(
        [sys.executable, *install, "--target", str(tmp_path), str(ROOT / "sdk" / "python")],
        check=True,
        capture_output=True,
        timeout=100,
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", USE, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    installed = tmp_path / "portcullis_client"
    assert f"{installed / '__init__.py'} HttpxAuth\n" == done.stdout
    assert (installed / "py.typed").exists()
    assert {"portcullis_client", "portcullis_client-0.1.0.dist-info"} == {
        path.name for path in tmp_path.iterdir()
    }
