"""Which route of the table decides: the longest prefix, and at that prefix the exact method."""

import pytest

from app.errors import UnknownRoute
from app.routes import scopes_for

TABLE = {
    "GET /orders": "orders:read",
    "POST /orders": "orders:write",
    "* /orders": "orders:any",
    "* /orders/admin": "orders:admin",
    "GET /public": "",
    "* /api/": "api",
    "GET /api/v2/": "api2",
    "GET /r\u00e9gion": "region",
}


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/orders", "orders:read"),
        ("POST", "/orders", "orders:write"),
        ("DELETE", "/orders", "orders:any"),
        ("GET", "/orders/7", "orders:read"),
        ("GET", "/orders-old", "orders:read"),
        ("GET", "/orders/admin", "orders:admin"),
        ("POST", "/orders/admin/x", "orders:admin"),
        ("GET", "/public/page", ""),
        ("GET", "/api/v1", "api"),
        ("GET", "/api/v2/x", "api2"),
        ("PUT", "/api/v2/x", "api"),
        ("GET", "/api/v2", "api"),
        ("GET", "/r\u00e9gion/x", "region"),
    ],
)
def test_longest_prefix_decides_and_method_beats_star(method: str, path: str, scopes: str) -> None:
    """A longer `*` beats a shorter method; at one prefix the method beats `*`."""
    for table in (TABLE, dict(reversed(TABLE.items()))):
        assert scopes == scopes_for(table, method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "orders"),
        ("GET", "/order"),
        ("GET", "/Orders"),
        ("GET", "/api"),
        ("POST", "/public"),
        ("get", "/public"),
        ("", "/public"),
        ("GET ", "/public"),
    ],
)
def test_request_without_a_route_is_unknown(method: str, path: str) -> None:
    """No match is a refusal; methods and paths have their case."""
    with pytest.raises(UnknownRoute):
        scopes_for(TABLE, method, path)


def test_empty_table_knows_no_route() -> None:
    """A data set that lost its routes opens nothing."""
    with pytest.raises(UnknownRoute):
        scopes_for({}, "GET", "/")


@pytest.mark.parametrize(
    "field", ["", "*", "* ", "GET", "GET ", "/orders", "GET orders", " /orders"]
)
def test_field_without_a_method_or_a_path_is_no_route(field: str) -> None:
    """A slip of the hand in redis-cli must not become a route for everything."""
    for method in ("GET", "*", ""):
        with pytest.raises(UnknownRoute):
            scopes_for({field: ""}, method, "/orders")


def test_route_of_the_root_is_the_last_resort() -> None:
    """`* /` catches what nothing else matches."""
    table = {**TABLE, "* /": "fallback"}
    assert ["fallback", "orders:read"] == [
        scopes_for(table, "GET", path) for path in ("/other", "/orders")
    ]
