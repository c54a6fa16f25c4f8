"""The route table at the gate: which path and method it is asked about, and by whom."""

import pytest

from tests.service import Service

ROUTES = {
    "* /": "",
    "GET /orders": "orders:read",
    "* /orders": "orders:write",
    "* /admin": "admin",
    "* /caf\u00e9": "admin",
    "* /a b": "admin",
    "* /50%": "admin",
    "* /caf%C3%A9": "orders:write",
}


@pytest.fixture
def routed(service: Service) -> Service:
    """`demo` may read orders and nothing else; `* /` is open to any token."""
    service.redis.hset("routes", mapping=ROUTES)  # type: ignore[arg-type]
    return service


def reason(service: Service, target: str, query: str = "", method: str = "GET") -> str:
    """Ask with a token for `orders:read`. `target` is what stands in the header, byte for byte."""
    headers = {
        "Authorization": f"Bearer {service.mint(scope='orders:read')}",
        "X-Required-Scope": "@routes",
        "X-Original-Method": method,
        "X-Original-URI": target,
    }
    answer = service.http.simulate_get("/validate", query_string=query, headers=headers)
    return answer.headers["X-Auth-Reason"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", "ok"),
        ("/orders/7?admin", "ok"),
        ("/admin", "missing_scope"),
        ("/admin?x=/orders", "missing_scope"),
        ("/%61dmin", "missing_scope"),
        ("//admin", "missing_scope"),
        ("/orders/../admin", "missing_scope"),
        ("/orders/%2e%2e/admin", "missing_scope"),
        ("/orders%2f..%2fadmin", "missing_scope"),
        ("/x/..%2fadmin", "missing_scope"),
        ("/caf%C3%A9", "missing_scope"),
        ("/caf\xc3\xa9", "missing_scope"),
        ("/caf%c3\xa9/x", "missing_scope"),
        ("/a%20b", "missing_scope"),
        ("/50%25", "missing_scope"),
        ("/caf%25C3%25A9", "missing_scope"),
        ("/%2561dmin", "ok"),
        ("/ADMIN", "ok"),
        ("/..", "unknown_route"),
        ("/orders/%zz", "unknown_route"),
        ("/orders%00", "unknown_route"),
        ("orders", "unknown_route"),
        ("http://host/orders", "unknown_route"),
        ("", "unknown_route"),
    ],
)
def test_raw_target_is_resolved_before_it_is_looked_up(
    routed: Service, target: str, expected: str
) -> None:
    """From a gateway that passes on what the client sent: no spelling reaches another route."""
    assert expected == reason(routed, target)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "ok"),
        ("/orders/7", "ok"),
        ("/admin", "missing_scope"),
        ("/caf\xc3\xa9", "missing_scope"),
        ("/a b", "missing_scope"),
        ("/50%", "missing_scope"),
        ("/caf%C3%A9", "missing_scope"),
        ("/%61dmin", "ok"),
        ("/orders?admin", "ok"),
        ("", "unknown_route"),
        ("orders", "unknown_route"),
    ],
)
def test_decoded_path_is_looked_up_as_it_stands(routed: Service, path: str, expected: str) -> None:
    """From our nginx, which has decoded and normalised it: nothing is decoded twice."""
    assert expected == reason(routed, path, query="path=decoded")


@pytest.mark.parametrize(
    "query", ["path=raw", "path=decoded&x=1", "x=1&path=decoded", "PATH=decoded"]
)
def test_any_other_query_means_a_raw_target(routed: Service, query: str) -> None:
    """The mode is one exact string."""
    assert "missing_scope" == reason(routed, "/%61dmin", query=query)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", "ok"), ("POST", "missing_scope"), ("get", "missing_scope"), ("", "missing_scope")],
)
def test_method_is_the_clients_original_one(routed: Service, method: str, expected: str) -> None:
    """Not that of the question to /validate; without one only `*` fits."""
    assert expected == reason(routed, "/orders", method=method)


def test_table_is_looked_at_only_where_the_location_says_so(routed: Service) -> None:
    """A location with a scope of its own is not concerned."""
    token = routed.mint(scope="orders:read")
    headers = {"X_Original_Method": "GET", "X_Original_URI": "/admin"}
    assert "ok" == routed.reason(token, X_Required_Scope="orders:read", **headers)


def test_changed_table_counts_for_the_next_call(routed: Service) -> None:
    """Set and delete, from any shell."""
    reasons = [reason(routed, "/admin")]
    routed.redis.hset("routes", "GET /admin", "orders:read")
    reasons.append(reason(routed, "/admin"))
    routed.redis.delete("routes")
    reasons.append(reason(routed, "/admin"))
    assert ["missing_scope", "ok", "unknown_route"] == reasons
