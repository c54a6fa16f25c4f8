"""Who the dashboard listens to, and what each of its answers carries."""

import json

import pytest

from app.admin.guard import HEADERS
from tests.dashboard import ADMIN_TOKEN, HOST, Dashboard

PAGES = ["", "api/about", "api/samples", "api/clients", "api/audit", "api/refusals"]
CHANGES = [
    "api/clients",
    *(f"api/clients/demo/{name}" for name in ("disable", "enable", "rotate", "revoke")),
    "api/revocations",
]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", [*PAGES, "no-such-thing"])
def test_every_answer_is_protected_from_other_pages(dashboard: Dashboard, path: str) -> None:
    """A strict CSP, no framing, no sniffing, no referrer: on errors too."""
    answer = dashboard.ask("GET", path)
    assert HEADERS == {name: answer.headers[name.lower()] for name in HEADERS}
    assert ("no-cache" if path == "" else "no-store") == answer.headers["cache-control"]


def test_csp_lets_in_nothing_but_the_page_itself() -> None:
    """No inline code, no other origin, no form that leaves the page."""
    assert {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    } == dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9090", "127.0.0.1.evil.example", ""]
)
@pytest.mark.parametrize("path", PAGES)
def test_foreign_name_is_refused(dashboard: Dashboard, path: str, host: str) -> None:
    """A page that makes the browser look its own name up here (DNS rebinding) sees nothing."""
    assert 421 == dashboard.ask("GET", path, headers={"Host": host}).status_code


@pytest.mark.parametrize("host", [HOST, "localhost:9090", "LocalHost", "[::1]:9090", "[::1]"])
def test_loopback_by_any_name_is_ours(dashboard: Dashboard, host: str) -> None:
    """However the browser spells this machine."""
    assert 200 == dashboard.ask("GET", "api/about", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", CHANGES)
def test_other_page_changes_nothing_even_with_a_session(
    dashboard: Dashboard, path: str, headers: dict[str, str]
) -> None:
    """CSRF: also not from another port of this machine."""
    dashboard.sign_in()
    answer = dashboard.ask("POST", path, headers={**JSON, **headers}, body='{"all": true}')
    assert (403, "foreign_page") == (answer.status_code, answer.json["error"])


def test_own_page_may_ask(dashboard: Dashboard) -> None:
    """What the browser adds to a fetch of the page's own."""
    headers = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert 200 == dashboard.ask("GET", "api/about", headers=headers).status_code


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", ""])
@pytest.mark.parametrize("path", CHANGES)
def test_form_is_no_way_to_change_anything(
    dashboard: Dashboard, path: str, media_type: str
) -> None:
    """Another page can send a form without being asked about it, JSON it cannot."""
    dashboard.sign_in()
    headers = {"Content-Type": media_type}
    answer = dashboard.ask("POST", path, headers=headers, body=json.dumps({"all": True}))
    assert (400, "invalid_request") == (answer.status_code, answer.json["error"])


@pytest.mark.parametrize("path", CHANGES)
def test_nobody_changes_anything_without_signing_in(dashboard: Dashboard, path: str) -> None:
    """Not even with the admin token itself: it is good for signing in alone."""
    assert "not_signed_in" == dashboard.post(path, {"all": True}, expected=401)["error"]
    dashboard.session = ADMIN_TOKEN
    assert "not_signed_in" == dashboard.post(path, {"all": True}, expected=401)["error"]


@pytest.mark.parametrize("path", [*CHANGES, "api/session"])
def test_without_an_admin_token_it_is_read_only(looking: Dashboard, path: str) -> None:
    """ADMIN_TOKEN unset: there is nothing to sign in to."""
    assert "read_only" == looking.post(path, {"token": "", "all": True}, expected=403)["error"]
    about = looking.get("api/about")
    assert (False, False) == (about["can_change"], about["is_signed_in"])


@pytest.mark.parametrize("path", ["../main.py", "%2e%2e/main.py", "vendor/../../site.py", "api"])
def test_only_the_pages_own_files_are_served(dashboard: Dashboard, path: str) -> None:
    """A path is looked up in a table, never on the disk."""
    assert 404 == dashboard.ask("GET", path).status_code


def test_file_that_has_not_changed_is_not_sent_again(dashboard: Dashboard) -> None:
    """A strong ETag, and 304 for who has it."""
    first = dashboard.ask("GET", "")
    assert first.headers["etag"].startswith('"')
    again = dashboard.ask("GET", "", headers={"If-None-Match": first.headers["etag"]})
    assert (304, "") == (again.status_code, again.text)
    other = dashboard.ask("GET", "", headers={"If-None-Match": '"other"'})
    assert (200, first.text) == (other.status_code, other.text)
