"""The live view: it opens with the last minutes, and follows what happens."""

import contextlib
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from app.admin.history import History
from tests.browser.conftest import WAIT_MS
from tests.browser.watched_page import Watched
from tests.stack import Stack, until
from tests.wire import request

CHARTS = [
    "Decisions",
    "Time to decide",
    "Refusals by reason",
    "Tokens found in memory",
    "Minted and revoked",
    "Time to mint",
    "CPU",
    "Memory",
    "Revocation announced",
    "Redis round trip",
    "Redis commands",
    "Redis memory",
]

NOTHING = {"\u2013", "0"}


@contextlib.contextmanager
def load(stack: Stack) -> Iterator[None]:
    """Calls of every kind, some hundred a second, for as long as this is open."""
    is_over = threading.Event()
    token, dead = stack.mint(), stack.mint()
    stack.revoke(dead)

    def call() -> None:
        with stack.connect() as connection:
            while not is_over.wait(0.05):
                tokens = [token] * 8 + [dead, "x.y", None]
                connection.send(b"".join(request("GET", "/demo/any", token=one) for one in tokens))
                for _ in tokens:
                    connection.receive()
                answer = stack.asked_by(stack.demo, "/token", grant_type="client_credentials")
                assert answer.status in {200, 503}  # what it has too much of, it turns away

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.fixture(scope="module")
def busy(stack: Stack) -> Iterator[None]:
    with load(stack):
        yield


def legend(page: Page, chart: str, line: str) -> str:
    """What a chart's legend says of one of its lines."""
    figure = page.get_by_role("figure").filter(has=page.get_by_role("heading", name=chart))
    return figure.get_by_role("button", name=line).locator("b").inner_text()


def is_drawn(page: Page, chart: str, line: str) -> bool:
    return legend(page, chart, line) not in NOTHING


def test_page_asks_nobody_but_the_gateway(watched: Watched) -> None:
    """It works without a network; `watched` holds it to no error and no breach of the CSP."""
    page = watched.go()
    expect(page.get_by_role("heading", name="Live", exact=True)).to_be_visible()
    for chart in CHARTS:
        expect(page.get_by_role("heading", name=chart, exact=True)).to_be_visible()
    assert {"samples", "about"} <= {
        one.url.rpartition("/")[2].split("?")[0] for one in watched.requests
    }


@pytest.mark.usefixtures("busy")
def test_charts_follow_the_load(watched: Watched) -> None:
    """Decisions, refusals by reason, latency, memory, workers: each shows what happens now."""
    page = watched.go()
    for chart, line in [
        ("Decisions", "allowed"),
        ("Decisions", "refused"),
        ("Time to decide", "p99"),
        ("Refusals by reason", "revoked"),
        ("Refusals by reason", "malformed"),
        ("Refusals by reason", "no_token"),
        ("Tokens found in memory", "hit rate"),
        ("Minted and revoked", "minted"),
        ("CPU", "worker 1"),
        ("Memory", "worker 2"),
        ("Redis round trip", "round trip"),
    ]:
        until(lambda chart=chart, line=line: is_drawn(page, chart, line), WAIT_MS / 1000, line)  # type: ignore[misc]
    drawn = page.get_by_role("img", name="Decisions:").get_attribute("aria-label")
    plot = page.get_by_role("img", name="Decisions:")
    until(lambda: plot.get_attribute("aria-label") != drawn, WAIT_MS / 1000, "the chart moves")
    expect(page.locator("#tiles")).to_contain_text("2 of 2")
    expect(page.locator("#tiles")).to_contain_text("never")


def kept(history: History) -> int:
    return sum(len(stretch.rows) for stretch in history.since(0))


@pytest.mark.usefixtures("busy")
def test_page_that_was_just_opened_shows_the_last_minutes(watched: Watched, stack: Stack) -> None:
    """The gateway keeps the history, so the first answer fills the charts."""
    history = History(stack.run_dir / "metrics" / "history")
    until(lambda: kept(history) > 3, WAIT_MS / 1000, "samples are taken")
    with watched.page.expect_response("**/api/samples*") as first:
        watched.go()
    parts = first.value.json()["parts"]
    assert sum(len(part["rows"]) for part in parts) > 3


@pytest.mark.usefixtures("busy")
def test_line_can_be_hidden_and_time_be_chosen(watched: Watched) -> None:
    """By button, and the button says what is so."""
    page = watched.go()
    button = page.get_by_role("button", name="allowed")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="2 min").click()
    expect(page.get_by_role("button", name="2 min")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="5 min")).to_have_attribute("aria-pressed", "false")
