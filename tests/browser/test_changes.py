"""Changes on the dashboard, by hand: each is asked about first, takes effect and is on record."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import WAIT_MS
from tests.browser.watched_page import Watched
from tests.dashboard import ADMIN_TOKEN
from tests.stack import Credentials, Stack, until


@pytest.fixture
def client(stack: Stack) -> Iterator[Credentials]:
    """A client of the test's own."""
    client = stack.client_create("billing", "demo:read demo:write")
    yield client
    stack.script("client", "delete", "billing", "--yes")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def open_client(page: Page, client_id: str) -> Locator:
    page.get_by_role("button", name=client_id, exact=True).click()
    expect(dialog(page).get_by_role("heading", name=client_id)).to_be_visible()
    return dialog(page)


def confirm(page: Page, word: str, button: str) -> None:
    """Type what has to be typed, and press the button."""
    expect(dialog(page).get_by_role("button", name=button, exact=True)).to_be_enabled()
    dialog(page).get_by_label(f"Type {word} to confirm").fill(word)
    dialog(page).get_by_role("button", name=button, exact=True).click()
    expect(dialog(page)).to_have_count(0)


def status(stack: Stack, token: str) -> int:
    """What the gateway says of a token, when it can say something: a busy machine may have 503."""

    def decided() -> int | None:
        found = stack.call("/demo/read", token=token).status
        return found if found != 503 else None

    return until(decided, WAIT_MS / 1000, "the gateway decides")


def test_new_client_mints_with_the_secret_that_is_shown_once(
    watched: Watched, stack: Stack
) -> None:
    """The secret can be copied, is nowhere on the page afterwards, and works."""
    page = watched.go("clients")
    watched.sign_in()
    page.get_by_role("button", name="New client").click()
    dialog(page).get_by_label("Client id").fill("orders")
    dialog(page).get_by_label("Scopes").fill("demo:read")
    dialog(page).get_by_role("button", name="Create").click()
    shown = dialog(page).locator("[data-field=client_secret]")
    secret = shown.inner_text()
    stack.given.append(secret)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(shown).to_be_visible()
    dialog(page).get_by_role("button", name="Copy").last.click()
    expect(dialog(page).get_by_role("button", name="Copied")).to_be_visible()
    assert secret == page.evaluate("navigator.clipboard.readText()")
    dialog(page).get_by_role("button", name="I have kept it").click()
    expect(shown).to_have_count(0)
    assert secret not in page.content()
    expect(page.get_by_role("button", name="orders", exact=True)).to_be_visible()
    assert 200 == status(stack, stack.mint(("orders", secret)))
    stack.script("client", "delete", "orders", "--yes")


def test_disabled_client_is_refused_and_enabled_again(
    watched: Watched, stack: Stack, client: Credentials
) -> None:
    """The id has to be typed; with another one nothing happens."""
    token = stack.mint(client)
    page = watched.go("clients")
    watched.sign_in()
    open_client(page, "billing").get_by_role("button", name="Disable").click()
    dialog(page).get_by_label("Type billing to confirm").fill("biling")
    dialog(page).get_by_role("button", name="Disable").click()
    expect(dialog(page).get_by_role("alert")).to_have_text("That is not billing.")
    assert 200 == status(stack, token)
    confirm(page, "billing", "Disable")
    assert 401 == status(stack, token)
    row = page.get_by_role("row").filter(has_text="billing")
    expect(row).to_contain_text("disabled")
    open_client(page, "billing").get_by_role("button", name="Enable").click()
    dialog(page).get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("active")
    assert 200 == status(stack, token)


def test_rotated_secret_is_shown_and_the_old_one_ends_when_told(
    watched: Watched, stack: Stack, client: Credentials
) -> None:
    """Without grace the secret until now mints nothing any more."""
    page = watched.go("clients")
    watched.sign_in()
    open_client(page, "billing").get_by_role("button", name="New secret").click()
    dialog(page).get_by_label("The secret until now stays good for").select_option("0")
    dialog(page).get_by_role("button", name="Make a new secret").click()
    secret = dialog(page).locator("[data-field=client_secret]").inner_text()
    stack.given.append(secret)
    dialog(page).get_by_role("button", name="I have kept it").click()
    assert 200 == status(stack, stack.mint(("billing", secret)))
    fields = {"grant_type": "client_credentials"}
    assert 401 == stack.asked_by(client, "/token", **fields).status


def test_revoked_tokens_are_dead_one_a_clients_and_everybodys(
    watched: Watched, stack: Stack, client: Credentials
) -> None:
    """A single one by the token itself, then all of a client, then all there are."""
    page = watched.go("clients")
    watched.sign_in()
    one, other, foreign = stack.mint(client), stack.mint(client), stack.mint()
    page.get_by_role("button", name="Revoke tokens").click()
    dialog(page).get_by_role("button", name="One token").click()
    dialog(page).get_by_label("The token, or its jti").fill(one)
    dialog(page).get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("is dead.").first).to_be_visible()
    assert [401, 200, 200] == [status(stack, token) for token in (one, other, foreign)]
    open_client(page, "billing").get_by_role("button", name="Revoke its tokens").click()
    confirm(page, "billing", "Revoke")
    assert [401, 200] == [status(stack, token) for token in (other, foreign)]
    page.get_by_role("button", name="Revoke tokens").click()
    dialog(page).get_by_role("button", name="Every token of everybody").click()
    confirm(page, "everything", "Revoke everything")
    assert 401 == status(stack, foreign)
    for event, detail in [("revoke", "jti"), ("revoke_client", "billing"), ("revoke_all", "admin")]:
        page.goto(f"{stack.ops_url}/admin/#audit")
        page.get_by_label("Event").select_option(event)
        row = page.get_by_role("row").filter(has_text="admin").first
        expect(row).to_contain_text(detail)
        expect(row).to_contain_text("127.0.0.1")


def test_wrong_admin_token_is_refused_and_the_box_stays(watched: Watched) -> None:
    """The page says so, and keeps nothing."""
    watched.expected = ("401",)
    page = watched.go()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Admin token").fill("guess")
    dialog(page).get_by_role("button", name="Sign in").click()
    expect(dialog(page).get_by_role("alert")).to_have_text("that is not the admin token")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    assert 0 == page.evaluate("sessionStorage.length")


def test_new_client_is_listed_though_the_list_was_read_before(watched: Watched) -> None:
    """What is still on its way from before is older than what the page asked for since."""
    page, held = watched.page, []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/clients?cursor=0", hold)
    with page.expect_request("**/api/clients?cursor=0"):
        watched.go("clients")
    watched.sign_in()
    page.get_by_role("button", name="New client").click()
    dialog(page).get_by_label("Client id").fill("late")
    dialog(page).get_by_label("Scopes").fill("demo:read")
    dialog(page).get_by_role("button", name="Create").click()
    watched.stack.given.append(dialog(page).locator("[data-field=client_secret]").inner_text())
    dialog(page).get_by_role("button", name="I have kept it").click()
    expect(page.locator("#client-count")).to_have_text("1 clients, loading")
    held[0].fulfill(json={"clients": [], "cursor": "0"})
    expect(page.locator("#client-count")).to_have_text("1 clients")
    expect(page.get_by_role("button", name="late", exact=True)).to_be_visible()
    watched.stack.script("client", "delete", "late", "--yes")


def test_session_lasts_for_the_tab_and_ends_with_signing_out(watched: Watched) -> None:
    """A reload keeps it; the admin token itself is kept nowhere."""
    page = watched.go()
    watched.sign_in()
    page.reload()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert [0, 0] == page.evaluate("[sessionStorage.length, localStorage.length]")
    assert [] == page.context.cookies()


def test_without_an_admin_token_nothing_can_be_changed(watched: Watched) -> None:
    """There is no button that could not work."""

    def about(route: Route) -> None:
        route.fulfill(json={"issuer": "x", "can_change": False, "is_signed_in": False})

    watched.page.route("**/api/about", about)
    page = watched.go("clients")
    page.get_by_role("button", name="demo", exact=True).click()
    expect(dialog(page).get_by_role("button")).to_have_text(["Close"])
    dialog(page).get_by_role("button", name="Close").click()
    for name in ("Sign in", "New client", "Revoke tokens"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_nothing_written_has_a_secret_a_token_or_a_session(watched: Watched, stack: Stack) -> None:
    """Neither the logs nor the trails, after everything that was done here."""
    page = watched.go()
    watched.sign_in()
    session = page.evaluate("sessionStorage.getItem('portcullis.session')")
    logs = [log.read_text("utf-8", "replace") for log in (stack.run_dir / "log").iterdir()]
    trails = [str(stack.redis.xrange(stream)) for stream in ("audit", "refusals")]
    for secret in (*stack.given, ADMIN_TOKEN, session):
        assert not any(secret in written for written in logs + trails)
