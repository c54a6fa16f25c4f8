"""`/explain`: each check about one call with its outcome, and nothing consumed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.service import Service

CHECKS = ["format", "key", "signature", "claims", "time", "revocation", "client"]


def explain(service: Service, token: str, **fields: str) -> Any:
    answer = service.form("/explain", {"token": token, "method": "GET", "path": "/x", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json


def outcomes(document: Any) -> dict[str, str]:
    return {one["check"]: one["outcome"] for one in document["checks"]}


def detail(document: Any, check: str) -> str:
    (found,) = (one["detail"] for one in document["checks"] if one["check"] == check)
    return str(found)


def test_good_call_passes_every_check(service: Service) -> None:
    """All checks in the order of the gate, all ok."""
    service.redis.hset("routes", "GET /x", "orders:read")
    document = explain(service, service.mint())
    assert (True, "ok") == (document["allowed"], document["reason"])
    expected = dict.fromkeys([*CHECKS, "route", "audience", "scope"], "ok")
    assert expected == outcomes(document)
    assert list(expected) == [one["check"] for one in document["checks"]]
    assert "needs orders:read" == detail(document, "route")
    assert {"check", "outcome", "detail"} == {name for one in document["checks"] for name in one}


def malformed(service: Service) -> str:
    return "x.y"


def unknown_key(service: Service) -> str:
    token = service.mint()
    (service.keys_dir / "keyring").write_text("")
    return "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6Im5vIn0." + token.split(".", 1)[1]


def bad_signature(service: Service) -> str:
    return service.mint()[:-8] + "A" * 8


def expired(service: Service) -> str:
    token = service.mint()
    service.clock.now += 3600
    return token


def revoked(service: Service) -> str:
    token = service.mint()
    service.asked_by("/revoke", token=token)
    return token


def killed(service: Service) -> str:
    token = service.mint()
    service.redis.set("notbefore:*", int(service.clock.now))
    return token


def disabled(service: Service) -> str:
    token = service.mint()
    service.redis.hset("client:demo", "status", "disabled")
    return token


def gone(service: Service) -> str:
    token = service.mint()
    service.redis.delete("client:demo")
    return token


def spent(service: Service) -> str:
    token = service.mint(path="/ott")
    service.validate(token)
    return token


@pytest.mark.parametrize(
    ("case", "check", "reason"),
    [
        (malformed, "format", "malformed"),
        (unknown_key, "key", "unknown_key"),
        (bad_signature, "signature", "bad_signature"),
        (expired, "time", "expired"),
        (revoked, "revocation", "revoked"),
        (killed, "revocation", "revoked"),
        (disabled, "client", "client_disabled"),
        (gone, "client", "client_disabled"),
        (spent, "one-time", "spent"),
    ],
)
def test_refused_check_is_named_with_the_gates_reason(
    service: Service, case: Callable[[Service], str], check: str, reason: str
) -> None:
    """The check that refuses says so, and the verdict is what /validate answers."""
    token = case(service)
    document = explain(service, token, scopes="orders:read")
    assert (False, reason) == (document["allowed"], document["reason"])
    assert "refused" == outcomes(document)[check]
    assert detail(document, check).startswith(f"{reason}: ")
    assert reason == service.reason(token, X_Required_Scope="orders:read")


@pytest.mark.parametrize(
    ("fields", "check", "reason"),
    [
        ({"scopes": "orders:delete"}, "scope", "missing_scope"),
        ({"scopes": "orders:read other"}, "scope", "missing_scope"),
        ({"audience": "urn:other"}, "audience", "wrong_audience"),
        ({"path": "/../x"}, "route", "unknown_route"),
        ({"path": "x"}, "route", "unknown_route"),
        ({"path": "/%zz"}, "route", "unknown_route"),
        ({"path": "/admin"}, "scope", "missing_scope"),
    ],
)
def test_refused_need_is_named(
    service: Service, fields: dict[str, str], check: str, reason: str
) -> None:
    """What the call asks for is checked as the gate does."""
    service.redis.hset("routes", mapping={"GET /x": "", "* /admin": "admin"})
    document = explain(service, service.mint(), **fields)
    assert (False, reason, "refused") == (
        document["allowed"],
        document["reason"],
        outcomes(document)[check],
    )


def test_checks_that_have_nothing_to_go_on_are_skipped(service: Service) -> None:
    """After a refusal the others that can run still do; the first refusal is the verdict."""
    found = outcomes(explain(service, "x.y"))
    assert "refused" == found.pop("format")
    assert {"skipped"} == set(found.values())
    token = service.mint()
    service.redis.hset("client:demo", "status", "disabled")
    service.clock.now += 3600
    document = explain(service, token, audience="urn:other", scopes="no")
    refused = [name for name, outcome in outcomes(document).items() if outcome == "refused"]
    assert ["time", "client", "audience", "scope"] == refused
    assert "expired" == document["reason"]


def test_path_that_the_table_does_not_list_is_left_open(service: Service) -> None:
    """Its location may name a scope of its own; what `@routes` would say is in the detail."""
    document = explain(service, service.mint(), path="/elsewhere")
    assert "skipped" == outcomes(document)["route"]
    assert "403" in detail(document, "route")


@pytest.mark.usefixtures("still_redis")
def test_nothing_is_consumed(service: Service) -> None:
    """Neither the one-time token nor the client's rate, and no audit entry is written."""
    token = service.mint(path="/ott")
    service.add_client(rate_per_s="1")
    service.journal.flush()
    before = service.redis.xlen("audit")
    for _ in range(5):
        document = explain(service, token, scopes="orders:read")
        assert document["allowed"] is True
    assert ["not spent yet", "1 a second; not taken from"] == [
        detail(document, check) for check in ("one-time", "rate")
    ]
    service.journal.flush()
    assert before == service.redis.xlen("audit")
    assert [] == service.redis.keys("rate:*")
    assert ["ok", "rate_limited"] == [service.reason(token) for _ in range(2)]


def test_token_is_neither_answered_nor_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the explanation has the token already; nobody else gets it."""
    caplog.set_level(0)
    token = service.mint()
    for case in (token, token[:-4] + "AAAA"):
        document = explain(service, case)
        assert not any(part in str(document) + caplog.text for part in case.split(".")[1:])


@pytest.mark.parametrize("missing", ["token", "method", "path"])
def test_needed_field_that_is_missing_is_named(service: Service, missing: str) -> None:
    """400 with the field's name."""
    fields = {"token": "x", "method": "GET", "path": "/x"}
    del fields[missing]
    answer = service.form("/explain", fields)
    expected = {"error": "invalid_request", "error_description": f"{missing} is required"}
    assert (400, expected) == (answer.status_code, answer.json)


@pytest.mark.parametrize("text", [chr(0xD800), chr(0xDCFF), chr(0x4E2D), chr(0), chr(34)])
@pytest.mark.parametrize("field", ["scopes", "audience", "method", "path"])
def test_odd_characters_are_explained_too(service: Service, field: str, text: str) -> None:
    """JSON can ask in any characters and gets an answer in JSON."""
    fields = {"token": service.mint(), "method": "GET", "path": "/x", field: text}
    headers = {"Content-Type": "application/json"}
    answer = service.http.simulate_post("/explain", body=json.dumps(fields), headers=headers)
    assert (200, bool) == (answer.status_code, type(answer.json["allowed"]))


def test_odd_bytes_in_the_route_table_are_explained_too(service: Service) -> None:
    """What somebody put there with redis-cli is shown, not stumbled over."""
    service.redis.hset("routes", mapping={b"GET /x": b"\xff"})
    document = explain(service, service.mint())
    assert (False, "missing_scope") == (document["allowed"], document["reason"])
