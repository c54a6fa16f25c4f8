"""What the page says while Redis is away; in a module of its own, so that nobody else needs it."""

from playwright.sync_api import expect

from tests.browser.conftest import WAIT_MS
from tests.browser.watched_page import Watched
from tests.stack import Stack
from tests.workers import connections_to_workers, settled, validate


def test_redis_away_is_said_and_its_return_too(watched: Watched, stack: Stack) -> None:
    """In the bar, on the tile and where clients would be; nothing needs a reload."""
    watched.expected = ("503",)
    token = stack.mint()
    page = watched.go("clients")
    expect(page.locator("#client-count")).to_have_text("1 clients")
    stack.freeze("redis")
    try:
        expect(page.get_by_text("Redis is away")).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{stack.ops_url}/admin/#live")
        expect(page.locator("#tiles")).to_contain_text("calls are refused")
    finally:
        stack.thaw("redis")
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("#tiles")).not_to_contain_text("calls are refused")
    with connections_to_workers(stack) as workers:  # the page has heard of one alone
        settled(workers, validate(token))
