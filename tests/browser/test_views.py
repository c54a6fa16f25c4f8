"""Every view with a keyboard, on a phone, by day and by night; and what each shows."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import WAIT_MS
from tests.browser.watched_page import Watched, watch
from tests.service import client_fields
from tests.stack import Stack

VIEWS = ["live", "clients", "refusals", "audit", "explain"]
_NAMELESS = """
[...document.querySelectorAll("main > section:not([hidden]) *, header *, dialog *")]
  .filter((one) => one.matches("button, a, input, select, textarea"))
  .filter((one) => one.offsetParent && !one.labels?.length && !one.textContent.trim())
  .filter((one) => !one.getAttribute("aria-label")).map((one) => one.outerHTML)
"""
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent"))


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_has_a_name(watched: Watched, view: str) -> None:
    """For whoever cannot see it."""
    page = watched.go(view)
    expect(page.locator(f"#view-{view}")).to_be_visible()
    assert [] == page.evaluate(_NAMELESS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_shows_every_view_without_scrolling_sideways(
    chromium: Browser, stack: Stack, scheme: Any
) -> None:
    """375 pixels are enough, with rows in every table."""
    stack.call("/demo/any", token="x.y")
    context = chromium.new_context(viewport={"width": 375, "height": 812}, color_scheme=scheme)
    watched = watch(context.new_page(), stack)
    for view in VIEWS:
        page = watched.go(view)
        expect(page.locator(f"#view-{view} h1")).to_be_visible()
        if view in {"clients", "refusals", "audit"}:
            expect(page.locator(f"#view-{view} tbody td").nth(3)).to_be_visible(timeout=WAIT_MS)
        assert page.evaluate(_WIDER) == 0, view
    context.close()
    assert [] == watched.complaints


def test_light_and_dark_follow_the_system_until_somebody_chooses(watched: Watched) -> None:
    """The choice lasts, and goes back to the system's by choosing that."""
    page = watched.page
    html = page.locator("html")
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    watched.go()
    expect(html).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(background)
    page.emulate_media(color_scheme="light")
    expect(html).to_have_attribute("data-theme", "light")
    assert dark != page.evaluate(background)
    switch = page.get_by_role("button", name="Switch between light and dark")
    switch.click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-theme", "dark")
    switch.click()
    expect(html).to_have_attribute("data-theme", "light")
    assert page.evaluate("localStorage.length") == 0


def test_everything_can_be_reached_with_the_keyboard(watched: Watched) -> None:
    """Tab, Enter, Escape and a slash; the focus is where one looks."""
    page = watched.go()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.keyboard.press("Tab")
    assert "Skip to the content" == focused(page)
    page.keyboard.press("Enter")
    assert "content" == page.evaluate("document.activeElement.id")
    page.get_by_role("link", name="Live").focus()
    page.keyboard.press("Tab")
    assert "Clients" == focused(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Clients", exact=True)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("dem/o")
    expect(page.get_by_label("Search")).to_have_value("dem/o")
    page.get_by_label("Search").fill("demo")
    demo = page.get_by_role("button", name="demo", exact=True)
    demo.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(demo).to_be_focused()


def test_focus_stays_on_a_client_while_others_are_loaded(watched: Watched) -> None:
    """Rows that are the same are left alone."""
    page, held = watched.page, []

    def say_that_there_is_more(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "cursor": "7"})

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/clients?cursor=0", say_that_there_is_more)
    page.route("**/api/clients?cursor=7", hold)
    with page.expect_request("**/api/clients?cursor=7"):
        watched.go("clients")
    demo = page.get_by_role("button", name="demo", exact=True)
    demo.focus()
    held[0].fulfill(json={"clients": [], "cursor": "0"})
    expect(page.locator("#client-count")).to_have_text("1 clients")
    expect(demo).to_be_focused()


def test_trail_that_was_left_while_it_loaded_asks_no_more(watched: Watched) -> None:
    """Nor does a search that has been typed on: one question every two seconds, by who looks."""
    page, held = watched.page, []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/audit*", hold)
    page.clock.install()
    with page.expect_request("**/api/audit*"):
        watched.go("audit")
    page.get_by_role("link", name="Explain").click()
    expect(page).to_have_title("Explain a token · Portcullis")
    with page.expect_event("requestfinished", lambda one: "/api/audit" in one.url):
        held[0].fulfill(json={"entries": [], "next_id": None})
    for _ in range(3):
        page.clock.run_for(2_000)
    assert 1 == len(held)


def test_address_names_the_view(watched: Watched) -> None:
    """It can be kept as a bookmark, and the browser's way back works."""
    page = watched.go("audit")
    expect(page).to_have_title("Audit · Portcullis")
    page.get_by_role("link", name="Explain").click()
    expect(page).to_have_title("Explain a token · Portcullis")
    page.go_back()
    expect(page.get_by_role("link", name="Audit")).to_have_attribute("aria-current", "page")


def test_refusals_come_in_while_one_looks(watched: Watched, stack: Stack) -> None:
    """With reason and call, and by reason alone where one asks for that."""
    page = watched.go("refusals")
    stack.call("/demo/read?token=secret", token="x.y")
    row = page.locator("#view-refusals tbody tr").filter(has_text="/demo/read").first
    expect(row).to_contain_text("malformed")
    assert "secret" not in page.locator("#view-refusals table").inner_text()
    page.get_by_label("Reason").select_option("missing_scope")
    expect(page.locator("#view-refusals tbody")).not_to_contain_text("malformed")
    stack.call("/demo/write", token=stack.mint(scope="demo:read"), method="POST")
    row = page.locator("#view-refusals tbody tr").filter(has_text="/demo/write").first
    expect(row).to_contain_text("demo:write")
    expect(row).to_contain_text("demo")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#view-refusals")).to_contain_text("paused")


def test_audit_trail_goes_back_by_pages(watched: Watched, stack: Stack) -> None:
    """The newest hundred, then older ones; the search goes on past what was not asked for."""
    pipe = stack.redis.pipeline()
    for number in range(480):
        event = "key_rotate" if 30 <= number < 330 else "key_retire"
        pipe.xadd("audit", {"event": event, "who": "test", "detail": f"number {number}"})
    pipe.execute()
    page = watched.go("audit")
    page.get_by_label("Event").select_option("key_retire")
    rows = page.locator("#view-audit tbody tr")
    expect(rows).to_have_count(100)
    expect(rows.first).to_contain_text("number 479")
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(180)
    expect(page.get_by_role("button", name="Older")).to_have_count(0)


@pytest.mark.timeout(300)
def test_ten_thousand_clients_are_searched_and_sorted(watched: Watched, stack: Stack) -> None:
    """They come in steps, none of which keeps a worker long."""
    fields: Any = client_fields()
    names = [f"client-{number:05}" for number in range(10_000)]
    pipe = stack.redis.pipeline(transaction=False)
    for name in names:
        pipe.hset(f"client:{name}", mapping=fields)
    pipe.hset("used:client-01234", "aaaa0001", "4000000000")
    pipe.execute()
    try:
        page = watched.go("clients")
        expect(page.locator("#client-count")).to_have_text("10,001 clients", timeout=5 * WAIT_MS)
        page.get_by_label("Search").fill("client-0999")
        expect(page.locator("#client-count")).to_have_text("10 of 10,001 clients")
        page.get_by_label("Search").fill("")
        page.get_by_role("button", name="Last used").click()
        expect(page.locator("#client-rows tr").first).to_contain_text("client-01234")
        expect(page.get_by_role("columnheader", name="Last used")).to_have_attribute(
            "aria-sort", "descending"
        )
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_text("Page 2 of 201")).to_be_visible()
    finally:
        stack.redis.delete(*(f"client:{name}" for name in names), "used:client-01234")


def test_explanation_names_each_check_and_the_token_stays_here(
    watched: Watched, stack: Stack
) -> None:
    """Allowed, then refused by what failed; the token is in no address and in no log."""
    token, dead = stack.mint(), stack.mint()
    stack.revoke(dead)
    page = watched.go("explain")
    result = page.get_by_role("region", name="Outcome")
    page.get_by_label("Token", exact=True).fill(f"Authorization: Bearer {token}")
    page.get_by_label("Path").fill("/demo/routed/read")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(result).to_contain_text("Allowed")
    expect(result.get_by_role("listitem").first).to_contain_text("format")
    page.get_by_label("Token", exact=True).fill(dead)
    page.get_by_label("Scopes needed").fill("demo:read")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(result).to_contain_text("Refused: revoked")
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_label("Token", exact=True)).to_have_value("")
    expect(result).not_to_contain_text("Refused")
    for one in (token, dead):
        assert not any(one in request.url for request in watched.requests)
        for log in (stack.run_dir / "log").iterdir():
            assert one not in log.read_text("utf-8", "replace")
    assert 200 == stack.call("/demo/any", token=token).status
