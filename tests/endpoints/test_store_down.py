"""Undecided is refused: what each endpoint says while Redis is away, and after."""

from collections.abc import Callable
from typing import Any

import fakeredis
import pytest
from falcon import testing

from tests.service import Service, basic

GRANT = {"grant_type": "client_credentials"}


def mint(service: Service, token: str) -> testing.Result:
    return service.form("/token", GRANT, basic())


def mint_once(service: Service, token: str) -> testing.Result:
    return service.form("/ott", GRANT, basic())


def revoke(service: Service, token: str) -> testing.Result:
    return service.form("/revoke", {"token": token}, basic())


def revoke_self(service: Service, token: str) -> testing.Result:
    return service.http.simulate_post("/revoke", headers={"Authorization": f"Bearer {token}"})


def introspect(service: Service, token: str) -> testing.Result:
    return service.form("/introspect", {"token": token}, basic())


def explain(service: Service, token: str) -> testing.Result:
    return service.form("/explain", {"token": token, "method": "GET", "path": "/"})


ASKED = [mint, mint_once, revoke, revoke_self, introspect, explain]


@pytest.mark.parametrize("ask", ASKED)
def test_oauth_request_is_told_to_come_back(
    service: Service, redis_server: fakeredis.FakeServer, ask: Callable[..., testing.Result]
) -> None:
    """503 `temporarily_unavailable` with Retry-After, and nothing of what Redis said."""
    token = service.mint()
    redis_server.connected = False
    answer = ask(service, token)
    assert (503, "temporarily_unavailable", "1") == (
        answer.status_code,
        answer.json["error"],
        answer.headers["Retry-After"],
    )
    assert "redis" not in answer.text.lower()


@pytest.mark.parametrize("path", ["/token", "/ott"])
@pytest.mark.parametrize(
    ("headers", "fields", "status"),
    [
        ({}, {}, 401),
        (basic("no such id"), GRANT, 401),
        (basic(), {**GRANT, "client_secret": "x"}, 400),
        (basic("nobody"), GRANT, 503),
        (basic(secret="wrong"), GRANT, 503),
    ],
)
def test_only_what_redis_knows_is_undecided(
    service: Service,
    redis_server: fakeredis.FakeServer,
    path: str,
    headers: dict[str, str],
    fields: dict[str, str],
    status: int,
) -> None:
    """Nobody is told that a client is wrong when nobody could look."""
    redis_server.connected = False
    assert status == service.form(path, fields, headers).status_code


def test_gate_is_undecided_about_good_tokens_only(
    service: Service, redis_server: fakeredis.FakeServer
) -> None:
    """503 with Retry-After for a token that might be good; a forged one is refused as ever."""
    token = service.mint()
    redis_server.connected = False
    answer = service.validate(token)
    assert (503, "store_unavailable", "1", b"") == (
        answer.status_code,
        answer.headers["X-Auth-Reason"],
        answer.headers["Retry-After"],
        answer.content,
    )
    assert "WWW-Authenticate" not in answer.headers
    assert ["no_token", "malformed", "bad_signature"] == [
        service.reason(one) for one in (None, "x", token[:-8] + "A" * 8)
    ]


@pytest.mark.parametrize(
    "headers", [{}, {"X_Required_Scope": "orders:read"}, {"X_Required_Scope": "@routes"}]
)
def test_gate_never_says_yes_while_redis_is_away(
    service: Service, redis_server: fakeredis.FakeServer, headers: dict[str, str]
) -> None:
    """Before it went, while it is away, and back again without a restart."""
    service.redis.hset("routes", "* /", "")
    sent = {**headers, "X_Original_Method": "GET", "X_Original_URI": "/"}
    token, once = service.mint(), service.mint(path="/ott")
    assert "ok" == service.reason(token, **sent)
    redis_server.connected = False
    assert {"store_unavailable"} == {service.reason(one, **sent) for one in (token, once)}
    redis_server.connected = True
    assert ["ok", "ok", "spent"] == [service.reason(one, **sent) for one in (token, once, once)]


def test_revocation_that_was_not_noted_leaves_the_token_good(
    service: Service, redis_server: fakeredis.FakeServer
) -> None:
    """RFC 7009 §2.2.1: after a 503 the client must take the token for good, and retry."""
    token = service.mint()
    redis_server.connected = False
    assert 503 == revoke(service, token).status_code
    redis_server.connected = True
    assert "ok" == service.reason(token)
    assert [200, "revoked"] == [revoke(service, token).status_code, service.reason(token)]


GARBAGE: list[tuple[str, Callable[[Service], Any]]] = [
    ("client is no hash", lambda service: service.redis.set("client:demo", "x")),
    ("secrets are no JSON", lambda service: service.redis.hset("client:demo", "secrets", "{")),
    ("secrets are gone", lambda service: service.redis.hdel("client:demo", "secrets")),
    ("status is gone", lambda service: service.redis.hdel("client:demo", "status")),
    ("ttl is a word", lambda service: service.redis.hset("client:demo", "ttl_s", "long")),
    ("not-before is no string", lambda service: service.redis.hset("notbefore:demo", "a", "b")),
    ("global one is no string", lambda service: service.redis.hset("notbefore:*", "a", "b")),
    ("data set is no hash", lambda service: service.redis.set("dataset", "x")),
]


@pytest.mark.parametrize(("what", "spoil"), GARBAGE, ids=[what for what, _ in GARBAGE])
def test_data_that_cannot_be_read_decides_nothing(
    service: Service, what: str, spoil: Callable[[Service], Any]
) -> None:
    """Neither yes nor no: 503 at the mint and at the gate, until somebody has corrected it."""
    token = service.mint()
    spoil(service)
    assert "store_unavailable" == service.reason(token)
    assert 503 == mint(service, token).status_code


def test_defect_at_the_gate_is_undecided(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Something that nobody thought of: 503 without a body, and a traceback in the log."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of it")

    token = service.mint()
    monkeypatch.setattr(service.store, "learn", fail)
    answer = service.validate(token, X_Request_ID="req-1")
    assert (503, "store_unavailable", b"") == (
        answer.status_code,
        answer.headers["X-Auth-Reason"],
        answer.content,
    )
    (record,) = [one for one in caplog.records if one.message == "undecided"]
    assert "portcullis.auth_request" == record.name
    assert "ZeroDivisionError" in caplog.text


def test_not_before_that_is_no_number_kills(service: Service) -> None:
    """It was set to kill, so it kills; no new tokens either until it is corrected."""
    token = service.mint()
    service.redis.set("notbefore:demo", "yesterday")
    assert "revoked" == service.reason(token)
    assert 503 == service.asked_by("/token", grant_type="client_credentials").status_code
