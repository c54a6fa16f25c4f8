"""The choices that the dashboard's page offers are those that there are."""

import re
from pathlib import Path

import pytest

from app import dpop_errors, errors
from app.metrics import REASONS

ROOT = Path(__file__).resolve().parents[2]
TRAILS = (ROOT / "app/admin/static/trails.js").read_text()


def offered(name: str) -> set[str]:
    """The words of one of the page's lists."""
    found = re.search(rf"const {name} = \[(.*?)\n\];", TRAILS, re.DOTALL)
    assert found
    return set(re.findall(r'"([a-z_]+)"', found[1]))


@pytest.mark.parametrize("reason", sorted({*REASONS} - {"ok"}))
def test_every_reason_of_the_gate_can_be_looked_for(reason: str) -> None:
    """A new one has to be added to the page."""
    assert reason in offered("REASONS")


def test_no_reason_is_offered_that_nothing_has() -> None:
    """Those of the gate, and the error codes of the endpoints."""
    classes = [*vars(errors).values(), *vars(dpop_errors).values()]
    codes = {one.error for one in classes if isinstance(getattr(one, "error", None), str)}
    assert offered("REASONS") <= {*REASONS} | codes


def test_events_are_those_of_the_audit_script() -> None:
    """Both know the same."""
    script = (ROOT / "scripts/audit").read_text()
    found = re.search(r'^EVENTS="(.*?)"', script, re.DOTALL | re.MULTILINE)
    assert found
    assert set(found[1].replace("\\\n", "").split()) == offered("EVENTS")
