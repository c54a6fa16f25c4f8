"""RFC 7009 at `/revoke`: who may kill which token, and what they are told."""

from typing import Any

import pytest

from app import tokens
from tests.service import DATASET, ISSUER, SECRET, Service, basic


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_s2_1_client_revokes_its_own_token(service: Service) -> None:
    """200 without a body, and the very next call is refused."""
    token, other = service.mint(), service.mint()
    answer = service.asked_by("/revoke", token=token)
    assert (200, b"") == (answer.status_code, answer.content)
    assert ["revoked", "ok"] == [service.reason(one) for one in (token, other)]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_s2_1_hint_changes_nothing(service: Service, hint: str) -> None:
    """A wrong `token_type_hint` still finds the token."""
    token = service.mint()
    assert 200 == service.asked_by("/revoke", token=token, token_type_hint=hint).status_code
    assert "revoked" == service.reason(token)


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "\u00e9", "a b", "." * 1000, "eyJhbGciOiJub25lIn0.e30."]
)
def test_s2_2_unknown_token_is_answered_like_a_revoked_one(service: Service, token: str) -> None:
    """The purpose is fulfilled: such a token is accepted nowhere."""
    answer = service.asked_by("/revoke", token=token)
    assert (200, b"") == (answer.status_code, answer.content)
    assert [] == service.redis.keys("revoked:*")


def test_s2_2_expired_and_revoked_tokens_are_answered_alike(service: Service) -> None:
    """Revoking twice, or too late, is no error."""
    token = service.mint()
    statuses = [service.asked_by("/revoke", token=token).status_code for _ in range(2)]
    service.clock.now += 3600
    statuses.append(service.asked_by("/revoke", token=token).status_code)
    assert [200, 200, 200] == statuses


def test_s2_1_foreign_token_is_refused_and_stays_good(service: Service) -> None:
    """A token issued to another client: 400 `unauthorized_client`."""
    service.add_client("other")
    token = service.mint()
    answer = service.asked_by("/revoke", "other", token=token)
    assert (400, "unauthorized_client") == (answer.status_code, answer.json["error"])
    assert "ok" == service.reason(token)
    assert [] == service.redis.keys("revoked:*")


def test_bearer_revokes_itself(service: Service) -> None:
    """`Authorization: Bearer T` with no body needs no secret: who holds T may end it."""
    token = service.mint()
    answer = service.http.simulate_post("/revoke", headers=bearer(token))
    assert (200, b"") == (answer.status_code, answer.content)
    again = service.http.simulate_post("/revoke", headers=bearer(token))
    assert (200, "revoked") == (again.status_code, service.reason(token))


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", "x"]
)
def test_bearer_without_a_body_revokes_itself_whatever_type_it_names(
    service: Service, media_type: str
) -> None:
    """Clients that say `Content-Type` by default say it of no body, too."""
    token = service.mint()
    headers = {**bearer(token), "Content-Type": media_type}
    answer = service.http.simulate_post("/revoke", headers=headers)
    assert (200, "revoked") == (answer.status_code, service.reason(token))


def test_bearer_that_sends_parameters_is_refused(service: Service) -> None:
    """Two tokens in one request: which one is meant is not guessed."""
    token, other = service.mint(), service.mint()
    for fields in ({"token": other}, {"token": token}, {"x": "1"}):
        answer = service.form("/revoke", fields, bearer(token))
        assert (400, "invalid_request") == (answer.status_code, answer.json["error"])
    posted = {"client_id": "demo", "client_secret": SECRET, "token": other}
    assert 400 == service.form("/revoke", posted, bearer(token)).status_code
    assert ["ok", "ok"] == [service.reason(one) for one in (token, other)]


@pytest.mark.parametrize("header", ["Bearer x", "Bearer a.b.c"])
def test_bearer_of_no_token_changes_nothing(service: Service, header: str) -> None:
    """A malformed bearer is answered as a malformed `token` is."""
    answer = service.http.simulate_post("/revoke", headers={"Authorization": header})
    assert (200, []) == (answer.status_code, service.redis.keys("revoked:*"))


@pytest.mark.parametrize(
    ("fields", "headers", "status", "error"),
    [
        ({}, {}, 401, "invalid_client"),
        ({"token": "x"}, {}, 401, "invalid_client"),
        ({"token": "x"}, basic(secret="wrong"), 401, "invalid_client"),
        ({}, basic(), 400, "invalid_request"),
        ({"token": ""}, basic(), 400, "invalid_request"),
        ([("token", "x"), ("token", "x")], basic(), 400, "invalid_request"),
    ],
)
def test_s2_1_request_needs_a_client_and_one_token(
    service: Service, fields: Any, headers: dict[str, str], status: int, error: str
) -> None:
    """The client is authenticated first, then the token is looked at."""
    answer = service.form("/revoke", fields, headers)
    assert (status, error) == (answer.status_code, answer.json["error"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_s2_1_only_post_is_served(service: Service, method: str) -> None:
    """A link cannot revoke."""
    answer = service.http.simulate_request(method, "/revoke", headers=basic())
    assert (405, True) == (answer.status_code, "POST" in answer.headers["Allow"])


def test_json_is_taken_too(service: Service) -> None:
    """The same member names in an object."""
    token = service.mint()
    answer = service.http.simulate_post("/revoke", json={"token": token}, headers=basic())
    assert (200, "revoked") == (answer.status_code, service.reason(token))


def test_revocation_lasts_until_nobody_takes_the_token(service: Service) -> None:
    """The key ends a minute, the largest leeway, after the token's `exp`."""
    token = service.mint()
    jti = service.asked_by("/introspect", token=token).json["jti"]
    service.asked_by("/revoke", token=token)
    end_s = int(service.clock.now) + 3600 + 60
    assert end_s == service.redis.expiretime(f"revoked:{jti}")


def test_one_time_token_is_revoked_unspent(service: Service) -> None:
    """It dies like any other, and is told apart from a spent one."""
    token = service.mint(path="/ott")
    service.asked_by("/revoke", token=token)
    assert "revoked" == service.reason(token)


def test_other_signature_of_a_revoked_token_is_revoked(service: Service) -> None:
    """What is revoked is the jti: signing the same claims again revives nothing."""
    now = int(service.clock.now)
    key = service.keys.current().signer(now)
    made = {
        tokens.issue(
            key,
            issuer=ISSUER,
            client_id="demo",
            audience=ISSUER,
            scope="",
            jti=f"{DATASET}.same",
            iat=now,
            exp=now + 60,
        )
        for _ in range(2)
    }
    first, second = made
    service.asked_by("/revoke", token=first)
    assert "revoked" == service.reason(second)


def test_revocation_is_audited_once_per_kill(service: Service) -> None:
    """Who, what and from where; an unknown token leaves no entry."""
    token = service.mint()
    headers = {**basic(), "X-Real-IP": "192.0.2.7", "X-Request-ID": "r-1"}
    service.form("/revoke", {"token": token}, headers)
    service.form("/revoke", {"token": "x"}, headers)
    (revoked,) = service.redis.keys("revoked:*")
    jti = str(revoked).removeprefix("revoked:")
    expected = {
        "event": "revoke",
        "who": "demo",
        "client_id": "demo",
        "jti": jti,
        "from": "192.0.2.7",
        "request_id": "r-1",
    }
    assert [expected] == service.audit("revoke")
