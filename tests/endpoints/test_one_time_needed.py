"""`@once` among the needed scopes: calls that take one-time tokens and no others."""

import pytest

from tests.service import Service

TRANSFER = {"X_Required_Scope": "orders:write @once"}


@pytest.mark.parametrize(
    ("path", "scope", "needed", "reason"),
    [
        ("/ott", "orders:write", "orders:write @once", "ok"),
        ("/ott", "orders:write", "@once orders:write", "ok"),
        ("/ott", "orders:write", "@once", "ok"),
        ("/ott", "orders:read", "orders:write @once", "missing_scope"),
        ("/token", "orders:write", "orders:write @once", "missing_scope"),
        ("/token", "orders:write", "@once", "missing_scope"),
        ("/token", "orders:write", "orders:write", "ok"),
        ("/ott", "orders:write", "orders:write", "ok"),
    ],
)
def test_call_asks_for_scopes_and_for_a_one_time_token(
    service: Service, path: str, scope: str, needed: str, reason: str
) -> None:
    """Both must be there; where no one-time token is asked for, any token goes."""
    token = service.mint(path=path, scope=scope)
    for _ in range(1 if path == "/ott" else 2):  # the second time it is warm
        assert reason == service.reason(token, X_Required_Scope=needed)


def test_one_time_token_is_spent_where_it_is_needed(service: Service) -> None:
    """It passes once, its retry too, and no other request."""
    token = service.mint(path="/ott")
    outcomes = [service.reason(token, **TRANSFER, X_Request_ID=one) for one in ("r1", "r1", "r2")]
    assert ["ok", "ok", "spent"] == outcomes


def test_refused_one_time_token_is_still_good(service: Service) -> None:
    """A missing scope beside `@once` does not spend it."""
    token = service.mint(path="/ott", scope="orders:read")
    assert "missing_scope" == service.reason(token, **TRANSFER)
    assert "ok" == service.reason(token)


def test_route_table_can_ask_for_it(service: Service) -> None:
    """A route's scopes may say `@once` as a location's may."""
    service.redis.hset("routes", "POST /transfers", "orders:write @once")
    asked = {
        "X_Required_Scope": "@routes",
        "X_Original_Method": "POST",
        "X_Original_URI": "/transfers",
    }
    assert "missing_scope" == service.reason(service.mint(), **asked)
    assert "ok" == service.reason(service.mint(path="/ott"), **asked)


def test_scope_of_that_name_is_no_one_time_token(service: Service) -> None:
    """A client that was given a scope `@once` cannot mint its way around with a plain token."""
    service.redis.hset("client:demo", "scopes", "orders:write @once")
    token = service.mint(scope="orders:write @once")
    assert "missing_scope" == service.reason(token, **TRANSFER)


def test_challenge_names_the_scope_and_says_what_else(service: Service) -> None:
    """RFC 6750 §3: `scope` holds what a client can ask /token for, the rest is told in words."""
    answer = service.validate(service.mint(), **TRANSFER)
    expected = (
        'Bearer realm="portcullis", error="insufficient_scope", scope="orders:write",'
        ' error_description="a one-time token is needed"'
    )
    assert (403, expected) == (answer.status_code, answer.headers["WWW-Authenticate"])


def test_explanation_says_what_is_needed(service: Service) -> None:
    """`scripts/token why` judges as the gate does."""
    service.redis.hset("routes", "POST /transfers", "orders:write @once")
    for path, allowed in (("/token", False), ("/ott", True)):
        asked = {"token": service.mint(path=path), "method": "POST", "path": "/transfers"}
        document = service.form("/explain", asked).json
        assert allowed == document["allowed"]
        assert allowed == ("a one-time token" not in str(document["checks"]))
