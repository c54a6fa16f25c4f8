"""REPLICAS_TO_ACK: what callers are told of a change that too few replicas have."""

from typing import Any

import pytest

from tests.dashboard import Dashboard
from tests.fake_line import AskingLine
from tests.service import Service

NEW = {"client_id": "billing", "scopes": "a"}
CHANGES = [
    ("api/clients", NEW, "client_create"),
    ("api/clients/demo/disable", {}, "client_disable"),
    ("api/clients/off/enable", {}, "client_enable"),
    ("api/clients/demo/rotate", {}, "client_rotate"),
    ("api/clients/demo/revoke", {}, "revoke_client"),
    ("api/revocations", {"jti": "0a1b2c3d.x"}, "revoke"),
    ("api/revocations", {"all": True}, "revoke_all"),
]


@pytest.fixture
def lacking(service: Service) -> Service:
    """One replica is needed, and there is none."""
    service.store.replicas.needed = 1
    return service


@pytest.fixture
def admin(dashboard: Dashboard) -> Dashboard:
    """Somebody who has signed in where one replica is needed, and there is none."""
    dashboard.sign_in()
    dashboard.service.add_client("off", status="disabled")
    dashboard.service.store.replicas.needed = 1
    return dashboard


def test_revocation_that_may_be_lost_is_503_and_made(lacking: Service) -> None:
    """The caller is told that it is done and may be lost; it counts, and the trail has it."""
    token = lacking.mint()
    answer = lacking.asked_by("/revoke", token=token)
    assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
    assert "temporarily_unavailable" == answer.json["error"]
    assert "it is done, but may yet be lost" in answer.json["error_description"]
    assert "revoked" == lacking.reason(token)
    assert 1 == len(lacking.audit("revoke"))


def test_revocation_that_is_tried_again_is_acknowledged_when_replicas_have_it(
    lacking: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RFC 7009 §2.2.1 has clients do."""
    token = lacking.mint()
    assert 503 == lacking.asked_by("/revoke", token=token).status_code
    monkeypatch.setattr(AskingLine, "replicas", 1)
    assert 200 == lacking.asked_by("/revoke", token=token).status_code


def test_call_with_a_one_time_token_that_only_the_primary_knows_is_spent_is_refused(
    lacking: Service,
) -> None:
    """503, because another primary might take it again; it is spent all the same."""
    token = lacking.mint(path="/ott")
    reasons = [lacking.reason(token, X_Request_ID=request) for request in ("r1", "r2")]
    assert ["store_unavailable", "spent"] == reasons


@pytest.mark.parametrize(("path", "document", "event"), CHANGES)
def test_change_on_the_dashboard_that_may_be_lost_is_503_and_in_the_trail(
    admin: Dashboard, path: str, document: dict[str, Any], event: str
) -> None:
    """It is made, so the trail has to know."""
    told = admin.post(path, document, expected=503)
    assert "it is done, but may yet be lost" in told["error_description"]
    assert 1 == len(admin.service.audit(event))


def test_change_that_is_tried_again_is_not_passed_off_as_safe(
    admin: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time there is nothing to change, and still no replica that has it."""
    for _ in range(2):
        admin.post("api/clients/demo/disable", expected=503)
    assert 1 == len(admin.service.audit("client_disable"))
    monkeypatch.setattr(AskingLine, "replicas", 1)
    assert "disabled" == admin.post("api/clients/demo/disable")["status"]
