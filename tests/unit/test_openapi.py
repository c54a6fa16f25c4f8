"""docs/openapi.yaml keeps up with the code, in what a running server shows only now and then."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.metrics import REASONS

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text("utf-8"))
VALIDATE = ROOT / "app" / "endpoints" / "auth_request.py"
NOT_FOR_OTHERS = ("/explain", "/admin")


def test_every_reason_is_documented() -> None:
    """X-Auth-Reason is one word from a closed list."""
    assert set(REASONS) == set(DOCUMENT["components"]["headers"]["Reason"]["schema"]["enum"])


def test_every_header_that_a_gateway_may_send_is_documented() -> None:
    """All that /validate reads of a question, but for the token."""
    read = set(re.findall(r'"HTTP_(X_[A-Z_]+)"', VALIDATE.read_text("utf-8")))
    parameters = DOCUMENT["components"]["parameters"].values()
    assert read == {one["name"].upper().replace("-", "_") for one in parameters}


def test_every_path_of_the_app_is_documented() -> None:
    """What is wired and not in the document is for this house alone."""
    wired = re.findall(r'"(/[a-z./-]+)"', (ROOT / "app" / "main.py").read_text("utf-8"))
    missing = {one for one in wired if not one.startswith(NOT_FOR_OTHERS)} - set(DOCUMENT["paths"])
    assert set() == missing
