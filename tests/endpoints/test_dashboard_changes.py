"""What may be changed on the dashboard, what it says about it, and what the audit trail keeps."""

import json
from typing import Any

import pytest

from tests.dashboard import Dashboard
from tests.service import SECRET

NEW = {
    "client_id": "billing",
    "name": "Billing \u00e9",
    "scopes": " orders:read  invoices:write orders:read ",
    "audiences": "https://api.example",
    "ttl_s": 600,
    "rate_per_s": 50,
}


@pytest.fixture
def admin(dashboard: Dashboard) -> Dashboard:
    dashboard.sign_in()
    return dashboard


def mints(dashboard: Dashboard, client_id: str, secret: str) -> bool:
    """Whether this secret mints a token now."""
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return dashboard.service.form("/token", fields).status_code == 200


def only_entry(dashboard: Dashboard, event: str) -> dict[str, str]:
    """The one entry of an event, without what all of the dashboard's have in common."""
    (entry,) = dashboard.service.audit(event)
    common = {"event": event, "who": "admin", "from": "127.0.0.1", "request_id": "r-1"}
    assert common.items() <= entry.items()
    return {name: value for name, value in entry.items() if name not in common}


def test_created_client_mints_with_the_secret_that_is_shown_once(admin: Dashboard) -> None:
    """All that was asked for is stored, and the trail says what."""
    made = admin.post("api/clients", NEW, expected=201)
    assert mints(admin, "billing", made["client_secret"])
    found = admin.get("api/clients/billing")
    assert made["secret_id"] == found.pop("secrets")[0]["id"]
    assert {
        "client_id": "billing",
        "name": "Billing \u00e9",
        "status": "active",
        "scopes": "orders:read invoices:write",
        "audiences": "https://api.example",
        "ttl_s": 600,
        "rate_per_s": 50,
    }.items() <= found.items()
    expected = {"client_id": "billing", "detail": "scopes orders:read invoices:write"}
    assert expected == only_entry(admin, "client_create")


def test_least_registration_takes_the_servers_defaults(admin: Dashboard) -> None:
    """An id and a scope are enough; the id is the name."""
    admin.post("api/clients", {"client_id": "a", "scopes": "b"}, expected=201)
    found = admin.get("api/clients/a")
    assert ("a", "", None, None) == tuple(
        found[name] for name in ("name", "audiences", "ttl_s", "rate_per_s")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_id": "-x"},
        {"client_id": "a:b"},
        {"client_id": "x" * 65},
        {"client_id": None},
        {"client_id": ["a"]},
        {"scopes": ""},
        {"scopes": "  "},
        {"scopes": 'a"b'},
        {"scopes": "a\tb"},
        {"scopes": "\u00e9"},
        {"scopes": "x" * 2049},
        {"name": "x" * 129},
        {"name": "a\nb"},
        {"name": "\ud800"},
        {"audiences": "a\\b"},
        {"audiences": "x" * 1025},
        {"ttl_s": 0},
        {"ttl_s": 86_401},
        {"ttl_s": "600"},
        {"ttl_s": 1.5},
        {"ttl_s": True},
        {"rate_per_s": 1_000_001},
    ],
    ids=repr,
)
def test_registration_that_cannot_be_is_refused(admin: Dashboard, changes: dict[str, Any]) -> None:
    """One line says why, and nothing has been stored."""
    answer = admin.post("api/clients", {**NEW, **changes}, expected=400)
    assert "invalid_request" == answer["error"]
    assert ["client:demo"] == admin.service.redis.keys("client:*")
    assert [] == admin.service.audit("client_create")


def test_taken_id_is_refused_and_its_client_untouched(admin: Dashboard) -> None:
    """Nobody is overwritten."""
    before = admin.service.redis.hgetall("client:demo")
    answer = admin.post("api/clients", {**NEW, "client_id": "demo"}, expected=409)
    assert "client_exists" == answer["error"]
    assert before == admin.service.redis.hgetall("client:demo")


def test_disabled_client_is_refused_until_it_is_enabled(admin: Dashboard) -> None:
    """Its tokens with it; both go into the trail, and doing it twice does not."""
    token = admin.service.mint()
    for _ in range(2):
        assert "disabled" == admin.post("api/clients/demo/disable")["status"]
    assert "client_disabled" == admin.service.reason(token)
    assert "status disabled (was active)" == only_entry(admin, "client_disable")["detail"]
    admin.post("api/clients/demo/enable")
    assert "ok" == admin.service.reason(token)
    assert "status active (was disabled)" == only_entry(admin, "client_enable")["detail"]


def test_rotated_secret_leaves_the_old_one_its_grace(admin: Dashboard) -> None:
    """Both mint until the grace is over, then the new one alone."""
    made = admin.post("api/clients/demo/rotate", {"grace_s": 60})
    assert "aaaa0001" == made["previous"]["secret_id"]
    assert mints(admin, "demo", made["client_secret"])
    assert mints(admin, "demo", SECRET)
    admin.service.clock.now += 60
    assert mints(admin, "demo", made["client_secret"])
    assert not mints(admin, "demo", SECRET)
    entry = only_entry(admin, "client_rotate")
    assert f"secret {made['secret_id']}; secret aaaa0001 is good until" in entry["detail"]


def test_rotation_without_grace_ends_the_old_secret_at_once(admin: Dashboard) -> None:
    """A secret that has leaked."""
    made = admin.post("api/clients/demo/rotate", {"grace_s": 0})
    assert made["previous"] is None
    assert not mints(admin, "demo", SECRET)
    assert only_entry(admin, "client_rotate")["detail"].endswith("no other secret is good")


@pytest.mark.parametrize("grace_s", [-1, 2_592_001, "60", 1.5, True])
def test_grace_that_cannot_be_is_refused(admin: Dashboard, grace_s: object) -> None:
    """Nothing has been rotated."""
    admin.post("api/clients/demo/rotate", {"grace_s": grace_s}, expected=400)
    assert mints(admin, "demo", SECRET)


def test_revoked_client_keeps_no_token_and_mints_new_ones(admin: Dashboard) -> None:
    """All of one client, and nobody else's."""
    admin.service.add_client("other")
    token, others = admin.service.mint(), admin.service.mint("other")
    mark_s = admin.post("api/clients/demo/revoke")["not_before_s"]
    assert ["revoked", "ok"] == [admin.service.reason(one) for one in (token, others)]
    assert "ok" == admin.service.reason(admin.service.mint())
    expected = {"client_id": "demo", "detail": f"issued up to {mark_s}"}
    assert expected == only_entry(admin, "revoke_client")


def test_everything_can_be_revoked_at_once(admin: Dashboard) -> None:
    """Every token of every client."""
    admin.service.add_client("other")
    tokens = [admin.service.mint(), admin.service.mint("other")]
    admin.post("api/revocations", {"all": True})
    assert ["revoked", "revoked"] == [admin.service.reason(one) for one in tokens]
    assert set(only_entry(admin, "revoke_all")) == {"detail"}


@pytest.mark.parametrize("by", ["token", "jti"])
def test_one_token_can_be_revoked(admin: Dashboard, by: str) -> None:
    """By itself or by its `jti`; the entry names the `jti`, and never the token."""
    token, other = admin.service.mint(), admin.service.mint()
    jti = admin.service.validate(token).headers["X-Auth-Jti"]
    admin.post("api/revocations", {by: token if by == "token" else jti})
    assert ["revoked", "ok"] == [admin.service.reason(one) for one in (token, other)]
    entry = only_entry(admin, "revoke")
    assert jti == entry["jti"]
    assert ("demo" if by == "token" else None) == entry.get("client_id")
    assert token not in json.dumps(entry)
    assert 3600 <= admin.service.redis.ttl(f"revoked:{jti}")


def test_expired_token_needs_no_revoking(admin: Dashboard) -> None:
    """Nothing is stored for it."""
    token = admin.service.mint()
    admin.service.clock.now += 3600
    assert admin.post("api/revocations", {"token": token})["expired"]
    assert [] == admin.service.redis.keys("revoked:*")


@pytest.mark.parametrize(
    "document",
    [{}, {"all": 1}, {"all": "yes"}, {"jti": "a b"}, {"jti": 5}, {"token": "x.y.z"}, {"token": ""}],
    ids=repr,
)
def test_revocation_of_nothing_in_particular_is_refused(
    admin: Dashboard, document: dict[str, object]
) -> None:
    """A slip must not kill every token."""
    admin.post("api/revocations", document, expected=400)
    assert [] == admin.service.redis.keys("revoked:*") + admin.service.redis.keys("notbefore:*")


@pytest.mark.parametrize("name", ["disable", "enable", "rotate", "revoke"])
def test_client_that_is_not_there_cannot_be_changed(admin: Dashboard, name: str) -> None:
    """Nor does it come to be."""
    assert "no_such_client" == admin.post(f"api/clients/nobody/{name}", expected=404)["error"]
    admin.post(f"api/clients/a*b/{name}", expected=400)
    assert [] == admin.service.redis.keys("*nobody*")


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', "\xff", "[" * 9000])
def test_body_that_is_no_object_is_refused(admin: Dashboard, body: str) -> None:
    """Whatever came instead of JSON."""
    headers = {"Content-Type": "application/json"}
    answer = admin.ask("POST", "api/clients", headers=headers, body=body.encode("latin-1"))
    assert (400, "invalid_request") == (answer.status_code, answer.json["error"])


def test_body_over_16_kib_is_refused(admin: Dashboard) -> None:
    """Nobody registers a novel."""
    admin.post("api/clients", {**NEW, "more": "x" * 17_000}, expected=413)
