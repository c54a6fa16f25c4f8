"""RFC 8707 and RFC 9068: whom a token is for, from the mint to the gate."""

import json
from typing import Any

import pytest

from tests.forgery import claims_of, decode
from tests.service import ISSUER, Service, basic

ORDERS, STOCK = "https://orders.example/v1", "https://stock.example"


@pytest.fixture
def wide(service: Service) -> Service:
    """Client `wide` may be granted two audiences; the first is its default."""
    service.add_client("wide", audiences=f"{ORDERS} {STOCK}")
    return service


def ask(service: Service, client_id: str, *resources: str) -> Any:
    fields = [("grant_type", "client_credentials"), *(("resource", one) for one in resources)]
    return service.form("/token", fields, basic(client_id))


@pytest.mark.parametrize(
    ("client_id", "resources", "audience"),
    [
        ("demo", [], ISSUER),
        ("demo", [ISSUER], ISSUER),
        ("wide", [], ORDERS),
        ("wide", [STOCK], STOCK),
        ("wide", [STOCK, ORDERS], [STOCK, ORDERS]),
        ("wide", [ORDERS, ORDERS], ORDERS),
        ("wide", ["", ORDERS], ORDERS),
    ],
)
def test_s2_resource_becomes_the_audience(
    wide: Service, client_id: str, resources: list[str], audience: str | list[str]
) -> None:
    """Repeatable, an empty one counts as absent, one audience is a plain string."""
    answer = ask(wide, client_id, *resources)
    assert audience == claims_of(answer.json["access_token"])["aud"]


@pytest.mark.parametrize(
    ("client_id", "resources"),
    [
        ("demo", [ORDERS]),
        ("wide", [ISSUER]),
        ("wide", [ORDERS, ISSUER]),
        ("wide", [f"{ORDERS}#x"]),
        ("wide", [f"{ORDERS}/"]),
        ("wide", ["orders"]),
        ("wide", ["//orders.example/v1"]),
        ("wide", ["https://["]),
        ("wide", [f"{ORDERS} {STOCK}"]),
    ],
)
def test_s2_resource_outside_the_clients_is_an_invalid_target(
    wide: Service, client_id: str, resources: list[str]
) -> None:
    """One wrong resource and no token, not even for the right ones."""
    answer = ask(wide, client_id, *resources)
    assert (400, "invalid_target") == (answer.status_code, answer.json["error"])


def test_json_names_several_resources_in_an_array(wide: Service) -> None:
    """JSON's own way of repeating; a single string is fine too."""
    for resource, audience in (([STOCK, ORDERS], [STOCK, ORDERS]), (STOCK, STOCK)):
        body = {"grant_type": "client_credentials", "resource": resource}
        answer = wide.http.simulate_post("/token", json=body, headers=basic("wide"))
        assert audience == claims_of(answer.json["access_token"])["aud"]


@pytest.mark.parametrize(
    ("resources", "needed", "reason"),
    [
        ([], None, "ok"),
        ([], ORDERS, "ok"),
        ([], STOCK, "wrong_audience"),
        ([], ISSUER, "wrong_audience"),
        ([STOCK], None, "ok"),
        ([STOCK], STOCK, "ok"),
        ([STOCK, ORDERS], ORDERS, "ok"),
        ([STOCK], ORDERS, "wrong_audience"),
        ([STOCK], f"{STOCK}/", "wrong_audience"),
        ([STOCK], f"{STOCK} {ORDERS}", "wrong_audience"),
    ],
)
def test_rfc9068_s4_gate_takes_a_token_for_the_audience_it_names(
    wide: Service, resources: list[str], needed: str | None, reason: str
) -> None:
    """A location with an audience takes that one; without one, what the client may be granted."""
    token = ask(wide, "wide", *resources).json["access_token"]
    headers = {"X_Required_Audience": needed} if needed else {}
    assert reason == wide.reason(token, **headers)


def test_audience_taken_from_a_client_is_refused_where_none_is_named(wide: Service) -> None:
    """What a client may no longer be granted no longer passes by default."""
    token = ask(wide, "wide", STOCK).json["access_token"]
    wide.redis.hset("client:wide", "audiences", ORDERS)
    assert "wrong_audience" == wide.reason(token)
    assert "ok" == wide.reason(token, X_Required_Audience=STOCK)


@pytest.mark.parametrize("path", ["/token", "/ott"])
def test_rfc9068_s2_token_has_every_claim_of_the_profile(service: Service, path: str) -> None:
    """Header `at+jwt`, alg and kid; iss exp aud sub client_id iat jti scope; once where it fits."""
    token = service.mint(path=path, scope="orders:read")
    header = json.loads(decode(token.split(".")[0]))
    claims = claims_of(token)
    assert {"typ": "at+jwt", "alg": "ES256", "kid": "es-1"} == header
    now = int(service.clock.now)
    expected = {
        "iss": ISSUER,
        "sub": "demo",
        "client_id": "demo",
        "aud": ISSUER,
        "iat": now,
        "exp": now + 3600,
        "jti": claims["jti"],
        "scope": "orders:read",
        **({"once": True} if path == "/ott" else {}),
    }
    assert expected == claims
