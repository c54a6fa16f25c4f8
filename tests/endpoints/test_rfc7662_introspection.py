"""RFC 7662 at `/introspect`: what a token is worth, to those who may know."""

from collections.abc import Callable

import pytest

from tests.service import ISSUER, Service, basic

INACTIVE = {"active": False}


def test_s2_2_own_live_token_is_described(service: Service) -> None:
    """All members, times as integers, and what /validate would say of it."""
    token = service.mint(scope="orders:read")
    answer = service.asked_by("/introspect", token=token)
    now = int(service.clock.now)
    jti = answer.json["jti"]
    expected = {
        "active": True,
        "scope": "orders:read",
        "client_id": "demo",
        "sub": "demo",
        "aud": ISSUER,
        "iss": ISSUER,
        "iat": now,
        "exp": now + 3600,
        "jti": jti,
        "token_type": "Bearer",
    }
    assert (200, expected) == (answer.status_code, answer.json)
    assert [int, int, bool] == [type(answer.json[name]) for name in ("iat", "exp", "active")]
    assert jti == service.validate(token).headers["X-Auth-Jti"]


def test_s2_2_several_audiences_are_an_array(service: Service) -> None:
    """`aud` has the form that it has in the token."""
    service.add_client("wide", audiences="urn:a urn:b")
    both = {"resource": ["urn:a", "urn:b"], "grant_type": "client_credentials"}
    token = service.form("/token", both, basic("wide")).json["access_token"]
    assert ["urn:a", "urn:b"] == service.asked_by("/introspect", "wide", token=token).json["aud"]


def foreign(service: Service) -> str:
    service.add_client("other")
    return service.mint("other")


def revoked(service: Service) -> str:
    token = service.mint()
    service.asked_by("/revoke", token=token)
    return token


def expired(service: Service) -> str:
    token = service.mint()
    service.clock.now += 3600
    return token


def killed(service: Service) -> str:
    token = service.mint()
    service.redis.set("notbefore:*", int(service.clock.now))
    return token


def lost(service: Service) -> str:
    token = service.mint()
    service.redis.flushall()
    service.add_client()
    return token


def spent(service: Service) -> str:
    token = service.mint(path="/ott")
    service.validate(token)
    return token


def forged(service: Service) -> str:
    return service.mint()[:-4] + "AAAA"


def of_a_disabled_client(service: Service) -> str:
    service.add_client("other")
    service.redis.hset("client:demo", "scopes", "introspect")
    token = service.mint("other")
    service.redis.hset("client:other", "status", "disabled")
    return token


def nonsense(service: Service) -> str:
    return "nonsense"


@pytest.mark.parametrize(
    "case",
    [foreign, revoked, expired, killed, lost, spent, forged, of_a_disabled_client, nonsense],
)
def test_s2_2_inactive_says_nothing_more(service: Service, case: Callable[[Service], str]) -> None:
    """Neither why, nor whose, nor whether it ever was a token."""
    answer = service.asked_by("/introspect", token=case(service))
    assert (200, INACTIVE) == (answer.status_code, answer.json)


def test_foreign_token_is_shown_to_a_client_that_may_introspect(service: Service) -> None:
    """The allowed scope `introspect` opens other clients' tokens, no other scope does."""
    service.add_client("auditor", scopes="introspect")
    service.add_client("other", scopes="introspection")
    token = service.mint()
    assert "demo" == service.asked_by("/introspect", "auditor", token=token).json["client_id"]
    assert INACTIVE == service.asked_by("/introspect", "other", token=token).json


def test_introspection_never_spends_a_one_time_token(service: Service) -> None:
    """Asking is not using; after the use it is inactive (and the note of the retry stays)."""
    token = service.mint(path="/ott")
    for _ in range(3):
        assert service.asked_by("/introspect", token=token).json["active"] is True
    assert "ok" == service.reason(token, X_Request_ID="r1")
    assert INACTIVE == service.asked_by("/introspect", token=token).json
    assert "ok" == service.reason(token, X_Request_ID="r1")


@pytest.mark.parametrize(
    ("fields", "headers", "status", "error"),
    [
        ({"token": "x"}, {}, 401, "invalid_client"),
        ({"token": "x"}, basic(secret="wrong"), 401, "invalid_client"),
        ({"token": "x"}, {"Authorization": "Bearer x"}, 401, "invalid_client"),
        ({}, basic(), 400, "invalid_request"),
        ({"token": ""}, basic(), 400, "invalid_request"),
        ({"token": ["x", "x"]}, basic(), 400, "invalid_request"),
    ],
)
def test_s2_1_caller_is_authenticated_and_names_one_token(
    service: Service, fields: object, headers: dict[str, str], status: int, error: str
) -> None:
    """A bearer token does not authenticate here, so nobody fishes for tokens with tokens."""
    answer = service.form("/introspect", fields, headers)
    assert (status, error) == (answer.status_code, answer.json["error"])


def test_s2_1_token_belongs_in_the_body(service: Service) -> None:
    """In the URI it would be in every log."""
    token = service.mint()
    asked = service.http.simulate_get(f"/introspect?token={token}", headers=basic())
    posted = service.form(f"/introspect?token={token}", {"token": token}, basic())
    assert [405, 400] == [asked.status_code, posted.status_code]
    assert token not in asked.text + posted.text


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_s2_1_hint_changes_nothing(service: Service, hint: str) -> None:
    """A wrong hint still finds the token."""
    token = service.mint()
    fields = {"token": token, "token_type_hint": hint}
    assert service.asked_by("/introspect", **fields).json["active"] is True


def test_s4_answer_is_not_stored(service: Service) -> None:
    """A kept answer would outlive a revocation."""
    for token in (service.mint(), "x"):
        answer = service.asked_by("/introspect", token=token)
        assert "no-store" == answer.headers.get("Cache-Control")
