"""The dashboard through nginx: on the ops listener, under its own names, and nowhere else."""

import json

import pytest

from tests.stack import Stack, until
from tests.wire import ask, request


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/api/clients", "/admin/main.js"])
def test_public_listener_has_no_dashboard(stack: Stack, path: str) -> None:
    """Whoever can reach the gateway cannot reach this."""
    assert 404 == stack.call(path).status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9090"])
def test_foreign_name_leads_nowhere(stack: Stack, host: str) -> None:
    """DNS rebinding ends at nginx already."""
    for path in ("/admin/", "/admin/api/clients"):
        assert 421 == ask(stack.ops_address, request("GET", path, host=host)).status


def test_page_of_another_port_of_this_machine_is_foreign(stack: Stack) -> None:
    """nginx passes on the host with its port, so an origin is compared whole."""
    for origin, status in [(stack.ops_url, 200), (stack.url, 403), ("null", 403)]:
        own = stack.ops_url.removeprefix("http://")
        raw = request("GET", "/admin/api/about", {"Origin": origin}, host=own)
        assert status == ask(stack.ops_address, raw).status


def test_looking_leaves_no_line_in_the_access_log(stack: Stack) -> None:
    """The page asks every other second; what it changes is logged as everything is."""
    for path in ("samples", "audit", "refusals", "about"):
        assert 200 == ask(stack.ops_address, request("GET", f"/admin/api/{path}")).status
    last = ask(stack.ops_address, request("GET", "/health/live")).header("X-Request-ID") or ""
    until(lambda: stack.access_log(request_id=last), what="what came after them is logged")
    logged = {entry["path"] for entry in stack.access_log()}
    assert not {"/admin/api/samples", "/admin/api/audit", "/admin/api/refusals"} & logged


def test_without_admin_token_the_app_has_no_account_to_change_with(stack: Stack) -> None:
    """What is not there cannot be stolen."""
    assert not {"ADMIN_TOKEN", "ADMIN_REDIS_URL"} & set(stack.settings("app.env"))
    headers = {"Content-Type": "application/json"}
    for path in ("session", "clients", "revocations", "clients/demo/disable"):
        body = json.dumps({"token": "", "all": True}).encode()
        answer = ask(stack.ops_address, request("POST", f"/admin/api/{path}", headers, body))
        assert (403, "read_only") == (answer.status, answer.json()["error"])
