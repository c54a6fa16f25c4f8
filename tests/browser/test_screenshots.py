"""What the dashboard looks like under load: for people to look at.

SCREENSHOTS names a folder for the pictures, SCREENSHOTS_AFTER_S says for how long there is load
first. docs/ has some of them.
"""

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.test_live import is_drawn, load
from tests.browser.watched_page import watch
from tests.stack import Stack, until

LOOKS = [
    pytest.param("light", 1280, 1180, id="dashboard-light"),
    pytest.param("dark", 1280, 1180, id="dashboard-dark"),
    pytest.param("light", 375, 812, id="dashboard-phone"),
]
FOR_S = float(os.environ.get("SCREENSHOTS_AFTER_S", "1"))


@pytest.mark.parametrize(("scheme", "width", "height"), LOOKS)
def test_every_look_is_there_to_be_looked_at(
    chromium: Browser,
    stack: Stack,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    scheme: Any,
    width: int,
    height: int,
) -> None:
    """Light, dark and on a phone, with lines in the charts and no complaint of the page."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    picture = folder / f"{request.node.callspec.id}.png"
    size = {"width": width, "height": height}
    context = chromium.new_context(viewport=size, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    watched = watch(context.new_page(), stack)
    with load(stack):
        page = watched.go()
        page.get_by_role("button", name="2 min").click()
        for line in ("allowed", "refused"):
            until(lambda line=line: is_drawn(page, "Decisions", line), 30, line)  # type: ignore[misc]
        page.wait_for_timeout(FOR_S * 1000)
        page.screenshot(path=picture)
    context.close()
    assert [] == watched.complaints
    assert (width, height) == struct.unpack(">2I", picture.read_bytes()[16:24])
