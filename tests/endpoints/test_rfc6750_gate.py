"""RFC 6750 at `/validate`: each answer of the gate, with its status, reason and challenge."""

from collections.abc import Callable

import pytest
from falcon import testing

from tests.service import SECRET, Service

BARE = 'Bearer realm="portcullis"'
INVALID = f'{BARE}, error="invalid_token"'
LACKING = f'{BARE}, error="insufficient_scope"'


def no_token(service: Service) -> testing.Result:
    return service.validate()


def malformed(service: Service) -> testing.Result:
    return service.validate("x.y")


def bad_signature(service: Service) -> testing.Result:
    return service.validate(service.mint()[:-8] + "A" * 8)


def expired(service: Service) -> testing.Result:
    token = service.mint()
    service.clock.now += 3600
    return service.validate(token)


def not_yet_valid(service: Service) -> testing.Result:
    token = service.mint()
    service.clock.now -= 61
    return service.validate(token)


def revoked(service: Service) -> testing.Result:
    token = service.mint()
    service.asked_by("/revoke", token=token)
    return service.validate(token)


def killed(service: Service) -> testing.Result:
    token = service.mint()
    service.redis.set("notbefore:demo", int(service.clock.now))
    return service.validate(token)


def all_killed(service: Service) -> testing.Result:
    token = service.mint()
    service.redis.set("notbefore:*", int(service.clock.now))
    return service.validate(token)


def lost(service: Service) -> testing.Result:
    token = service.mint()
    service.redis.flushall()
    service.add_client()
    return service.validate(token)


def spent(service: Service) -> testing.Result:
    token = service.mint(path="/ott")
    service.validate(token)
    return service.validate(token)


def disabled(service: Service) -> testing.Result:
    token = service.mint()
    service.redis.hset("client:demo", "status", "disabled")
    return service.validate(token)


def gone(service: Service) -> testing.Result:
    token = service.mint()
    service.redis.delete("client:demo")
    return service.validate(token)


def wrong_audience(service: Service) -> testing.Result:
    return service.validate(service.mint(), X_Required_Audience="urn:other")


def missing_scope(service: Service) -> testing.Result:
    return service.validate(service.mint(scope="orders:read"), X_Required_Scope="orders:write x")


def missing_scope_of_a_route(service: Service) -> testing.Result:
    service.redis.hset("routes", "GET /orders", "admin")
    headers = {"X_Original_Method": "GET", "X_Original_URI": "/orders/7?x"}
    return service.validate(service.mint(), X_Required_Scope="@routes", **headers)


def unknown_route(service: Service) -> testing.Result:
    headers = {"X_Original_Method": "GET", "X_Original_URI": "/orders"}
    return service.validate(service.mint(), X_Required_Scope="@routes", **headers)


def scope_named_like_the_route_table(service: Service) -> testing.Result:
    service.redis.hset("client:demo", "scopes", "@routes")
    return service.validate(service.mint(), X_Required_Scope="@routes")


def climbing_path(service: Service) -> testing.Result:
    headers = {"X_Original_Method": "GET", "X_Original_URI": "/../orders"}
    return service.validate(service.mint(), X_Required_Scope="@routes", **headers)


@pytest.mark.parametrize(
    ("case", "status", "reason", "challenge"),
    [
        (no_token, 401, "no_token", BARE),
        (malformed, 401, "malformed", INVALID),
        (bad_signature, 401, "bad_signature", INVALID),
        (expired, 401, "expired", INVALID),
        (not_yet_valid, 401, "not_yet_valid", INVALID),
        (revoked, 401, "revoked", INVALID),
        (killed, 401, "revoked", INVALID),
        (all_killed, 401, "revoked", INVALID),
        (lost, 401, "revoked", INVALID),
        (spent, 401, "spent", INVALID),
        (disabled, 401, "client_disabled", INVALID),
        (gone, 401, "client_disabled", INVALID),
        (wrong_audience, 401, "wrong_audience", INVALID),
        (
            missing_scope,
            403,
            "missing_scope",
            f'{BARE}, error="insufficient_scope", scope="orders:write x"',
        ),
        (
            missing_scope_of_a_route,
            403,
            "missing_scope",
            f'{BARE}, error="insufficient_scope", scope="admin"',
        ),
        (unknown_route, 403, "unknown_route", LACKING),
        (scope_named_like_the_route_table, 403, "unknown_route", LACKING),
        (climbing_path, 403, "unknown_route", LACKING),
    ],
)
def test_s3_refusal_has_status_reason_and_challenge(
    service: Service,
    case: Callable[[Service], testing.Result],
    status: int,
    reason: str,
    challenge: str,
) -> None:
    """No error code when nothing was sent; the needed scope when it is missing; never a body."""
    answer = case(service)
    assert (status, reason, challenge, b"") == (
        answer.status_code,
        answer.headers["X-Auth-Reason"],
        answer.headers["WWW-Authenticate"],
        answer.content,
    )
    assert not any(name.startswith("x-auth-") for name in set(answer.headers) - {"x-auth-reason"})


def test_allowed_call_is_told_who_is_calling(service: Service) -> None:
    """204 with client, scope, jti and end, and no body."""
    token = service.mint(scope="orders:read")
    answer = service.validate(token, X_Required_Scope="orders:read")
    shown = service.asked_by("/introspect", token=token).json
    expected = {
        "x-auth-reason": "ok",
        "x-auth-client-id": "demo",
        "x-auth-scope": "orders:read",
        "x-auth-jti": shown["jti"],
        "x-auth-expires": str(shown["exp"]),
    }
    assert (204, b"") == (answer.status_code, answer.content)
    assert expected == {
        name: value for name, value in answer.headers.items() if name.startswith("x-auth-")
    }
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_s2_1_scheme_has_no_case(service: Service, scheme: str) -> None:
    """RFC 9110 §11.1."""
    header = {"Authorization": f"{scheme} {service.mint()}"}
    assert 204 == service.http.simulate_get("/validate", headers=header).status_code


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer {}", "ok"),
        ("Bearer   {}  ", "ok"),
        ("Bearer", "no_token"),
        ("Bearer ", "no_token"),
        ("", "no_token"),
        ("Basic {}", "no_token"),
        ("DPoP {}", "wrong_proof"),
        ("{}", "no_token"),
        ("Bearer\t{}", "no_token"),
        ("Bearer,{}", "no_token"),
        ("BearerX {}", "no_token"),
        ("Bearer {} x", "malformed"),
        ("Bearer {},Bearer {}", "malformed"),
        ("Bearer x {}", "malformed"),
        ('Bearer "{}"', "malformed"),
        ("Bearer token={}", "malformed"),
        ("Bearer {}\u00e9", "malformed"),
        ("Bearer {}\x00", "malformed"),
        (f"Bearer {SECRET}", "malformed"),
    ],
)
def test_s2_1_header_is_the_scheme_and_one_token(
    service: Service, header: str, reason: str
) -> None:
    """Two headers arrive joined with a comma; neither of them is chosen."""
    token = service.mint()
    header = header.replace("{}", token)
    answer = service.http.simulate_get("/validate", headers={"Authorization": header})
    assert reason == answer.headers["X-Auth-Reason"]


def test_s2_2_s2_3_token_in_a_form_or_a_query_is_not_seen(service: Service) -> None:
    """Only the header counts: a query ends in logs, and the body belongs to the upstream."""
    token = service.mint()
    asked = service.http.simulate_get(f"/validate?access_token={token}")
    formed = service.form("/validate", {"access_token": token})
    cookie = service.http.simulate_get("/validate", headers={"Cookie": f"access_token={token}"})
    for answer in (asked, formed, cookie):
        assert (401, "no_token") == (answer.status_code, answer.headers["X-Auth-Reason"])


def test_body_is_ignored(service: Service) -> None:
    """GET or POST, whatever the body is."""
    header = {"Authorization": f"Bearer {service.mint()}", "Content-Type": "application/json"}
    post = service.http.simulate_post("/validate", body="{" * 100_000, headers=header)
    get = service.http.simulate_get("/validate", body="x" * 100_000, headers=header)
    assert [204, 204] == [post.status_code, get.status_code]


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("has_token", [True, False])
def test_other_method_is_never_allowed(service: Service, method: str, has_token: bool) -> None:
    """A gateway that passes the client's own method on must not take an answer to it for a yes."""
    headers = {"Authorization": f"Bearer {service.mint()}"} if has_token else {}
    answer = service.http.simulate_request(method, "/validate", headers=headers)
    assert 405 == answer.status_code
