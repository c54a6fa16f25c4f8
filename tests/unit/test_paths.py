"""The path that nginx would route a raw request target by, trick by trick."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routes import NotAPath, path_of


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/", "/orders/"),
        ("/orders?x=/admin", "/orders"),
        ("/orders?", "/orders"),
        ("/orders?a?b#c", "/orders"),
        ("/orders#frag", "/orders"),
        ("/orders%3Fx", "/orders?x"),
        ("/orders%23x", "/orders#x"),
        ("/a%20b", "/a b"),
        ("/a+b", "/a+b"),
        ("/%61dmin", "/admin"),
        ("/%41", "/A"),
        ("/%2561dmin", "/%61dmin"),
        ("/a%25", "/a%"),
        ("//orders", "/orders"),
        ("/orders//7///8", "/orders/7/8"),
        ("/orders//", "/orders/"),
        ("///", "/"),
        ("/%2Forders", "/orders"),
        ("/a%2fb", "/a/b"),
        ("/.", "/"),
        ("/./orders", "/orders"),
        ("/orders/.", "/orders/"),
        ("/orders/./7", "/orders/7"),
        ("/public/../admin", "/admin"),
        ("/public/..", "/"),
        ("/public/../", "/"),
        ("/a/b/../../c", "/c"),
        ("/a//../b", "/b"),
        ("/a/.//../b", "/b"),
        ("/public/%2e%2e/admin", "/admin"),
        ("/public/%2E./admin", "/admin"),
        ("/public/..%2fadmin", "/admin"),
        ("/public/%2e%2e%2fadmin", "/admin"),
        ("/public%2f..%2fadmin", "/admin"),
        ("/public/..;/admin", "/public/..;/admin"),
        ("/public/...", "/public/..."),
        ("/.hidden", "/.hidden"),
        ("/..a", "/..a"),
        ("/a..", "/a.."),
        ("/a\\..\\b", "/a\\..\\b"),
        ("/r%C3%A9gion", "/r\u00e9gion"),
        ("/r\u00e9gion", "/r\u00e9gion"),
        ("/%FF", "/\udcff"),
        ("/x?%zz", "/x"),
        ("/x?%00", "/x"),
    ],
)
def test_target_is_resolved_as_nginx_resolves_it(target: str, path: str) -> None:
    """Query cut, escapes decoded once, slashes merged, dots resolved, escaped ones too."""
    assert path == path_of(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "orders",
        "*",
        "?x",
        "#x",
        "http://host/orders",
        "%2Forders",
        "/..",
        "/../admin",
        "/a/../../b",
        "/%2e%2e/admin",
        "/%",
        "/%4",
        "/%zz",
        "/%4g",
        "/% 41",
        "/%\u0664\u0661",
        "/%00",
        "/a%00b",
        "/a%0d%0aX: y",
        "/a%09b",
        "/a%7fb",
        "/a\tb",
        "/a\x00b",
        "/\ud800",
    ],
)
def test_target_that_nginx_would_not_route_is_not_a_path(target: str) -> None:
    """A broken escape, a NUL, a control character, a climb above the root, no path at all."""
    with pytest.raises(NotAPath):
        path_of(target)


pieces = st.sampled_from(
    [
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2F",
        "a",
        "b",
        "%61",
        "%25",
        "%",
        "?",
        "#",
        "%00",
        "\u00e9",
        "%C3%A9",
    ]
)


@given(target=st.lists(pieces, max_size=12).map("".join) | st.text(max_size=20))
def test_resolved_path_has_nothing_left_to_resolve(target: str) -> None:
    """It begins with a slash and has no empty segment and no dot segment, or it is refused."""
    try:
        path = path_of(target)
    except NotAPath:
        return
    first, *segments = path.split("/")
    assert first == ""
    assert not {".", ".."} & set(segments)
    assert "" not in segments[:-1]


@given(target=st.lists(pieces, max_size=12).map("".join))
def test_resolving_a_plain_path_again_changes_nothing(target: str) -> None:
    """Without escapes and queries left in it, a resolved path resolves to itself."""
    try:
        path = path_of(target)
    except NotAPath:
        return
    if not set("%?#") & set(path):
        assert path == path_of(path)
