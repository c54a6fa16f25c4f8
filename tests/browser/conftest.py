"""One gateway with an admin token, and Debian's Chromium looking at its dashboard."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.watched_page import Watched, watch
from tests.dashboard import ADMIN_TOKEN
from tests.stack import Stack

WAIT_MS = 30_000
"""Long enough for a busy machine: everything here waits for a condition, never for a time."""

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """A gateway whose dashboard may change things; patient, for Chromium keeps a machine busy."""
    with Stack(ADMIN_TOKEN=ADMIN_TOKEN) as stack:
        yield stack


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "Debian's chromium is not installed: scripts/install test"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=2 * WAIT_MS,
        )
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium: Browser, stack: Stack) -> Iterator[Watched]:
    """A page that has not gone anywhere yet. In the end nothing was wrong with it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.ops_url)
    watched = watch(context.new_page(), stack)
    yield watched
    context.close()
    assert [] == watched.complaints


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page
