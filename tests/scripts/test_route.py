"""scripts/route: the table that @routes consults."""

import pytest

from tests.scripts.ops import Ops, answer_on_terminal


def routes(ops: Ops) -> dict[str, str]:
    return {
        field.decode(): scopes.decode() for field, scopes in ops.redis.hgetall("routes").items()
    }


@pytest.mark.parametrize(
    ("method", "path", "scopes", "stored"),
    [
        ("GET", "/orders", "orders:read", "orders:read"),
        ("*", "/", "a  b a", "a b"),
        ("PROPFIND", "/dav/", "", ""),
        ("POST", "/caf\u00e9/\u65e5\u672c", "a", "a"),
        ("GET", '/it\'s "quoted"\\'.replace(" ", "-"), "a", "a"),
        ("GET", "/$(id)/`id`/*/[a]", "a", "a"),
        ("GET", "/a..b/.hidden/..c", "a", "a"),
        ("GET", "/100%", "a", "a"),
    ],
)
def test_set_stores_the_route_as_given(
    ops: Ops, method: str, path: str, scopes: str, stored: str
) -> None:
    """The field is METHOD and path with a space between; the scopes stand once each."""
    assert {"method": method, "path": path, "scopes": stored} == ops.json(
        "route", "set", method, path, scopes
    )
    assert {f"{method} {path}": stored} == routes(ops)
    assert [{"method": method, "path": path, "scopes": stored}] == ops.json("route", "list")


def test_set_again_replaces(ops: Ops) -> None:
    """A route has one answer."""
    ops.done("route", "set", "GET", "/orders", "a")
    assert "GET /orders needs b\n" == ops.done("route", "set", "GET", "/orders", "b")
    assert {"GET /orders": "b"} == routes(ops)


def test_list_is_sorted_by_path(ops: Ops) -> None:
    """A table of methods, paths and scopes; any valid token is said in words."""
    for method, path, scopes in (("POST", "/b", "w"), ("GET", "/b", "r"), ("*", "/a", "")):
        ops.done("route", "set", method, path, scopes)
    assert [
        "METHOD  PATH  SCOPES",
        "*       /a    (any valid token)",
        "GET     /b    r",
        "POST    /b    w",
    ] == ops.done("route", "list").splitlines()
    assert ["/a", "/b", "/b"] == [route["path"] for route in ops.json("route", "list")]


def test_list_of_none_is_friendly(ops: Ops) -> None:
    """No routes: a line that says how to make one, and an empty array."""
    assert "There are no routes yet" in ops.done("route", "list")
    assert [] == ops.json("route", "list")


def test_delete_removes_one_route(ops: Ops) -> None:
    """The others stay; a second time there is none to delete."""
    ops.redis.hset("routes", mapping={"GET /a": "x", "GET /a/b": "x"})
    assert {"method": "GET", "path": "/a", "deleted": True} == ops.json(
        "route", "delete", "GET", "/a", "--yes"
    )
    assert {"GET /a/b": "x"} == routes(ops)
    assert "there is no route 'GET /a'" in ops.refusal("route", "delete", "GET", "/a", "--yes")


def test_delete_takes_what_set_would_refuse(ops: Ops) -> None:
    """A broken route that came another way can be removed."""
    ops.redis.hset("routes", "get //x%20", "a")
    ops.done("route", "delete", "get", "//x%20", "--yes")
    assert {} == routes(ops)


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
def test_delete_asks(ops: Ops, answer: str, status: int) -> None:
    """On a terminal, by name."""
    ops.redis.hset("routes", "GET /a", "x")
    ended, stderr = answer_on_terminal(ops, answer, "route", "delete", "GET", "/a")
    assert status == ended
    assert "Delete route 'GET /a'? [y/N]" in stderr
    assert (status == 1) == bool(routes(ops))


def test_changes_are_recorded(ops: Ops) -> None:
    """Set and delete, each with the route."""
    ops.done("route", "set", "GET", "/a", "x y")
    ops.done("route", "set", "*", "/a", "")
    ops.done("route", "delete", "GET", "/a", "--yes")
    assert [
        ("route_set", "GET /a needs x y"),
        ("route_set", "* /a needs any valid token"),
        ("route_delete", "GET /a"),
    ] == [(entry["event"], entry["detail"]) for entry in ops.audit()]
    assert {"ops:sam"} == {entry["who"] for entry in ops.audit()}
