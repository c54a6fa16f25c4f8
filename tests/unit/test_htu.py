"""URIs that are the same, and those that are not (RFC 3986 §6.2)."""

import pytest

from app.htu import normalized, origin_of


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://a", "http://a/"),
        ("HTTP://A.Example", "http://a.example/"),
        ("http://a:80/", "http://a/"),
        ("https://a:443/x", "https://a/x"),
        ("https://a:80/x", "https://a:80/x"),
        ("http://a:/x", "http://a/x"),
        ("http://a:8080/x", "http://a:8080/x"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://a?x=1", "http://a/"),
        ("http://a/x?y#z", "http://a/x"),
        ("http://a/x#z?y", "http://a/x"),
        ("http://a/%7euser/%41", "http://a/~user/A"),
        ("http://a/%2f%c3%a4", "http://a/%2F%C3%A4"),
        ("http://a/x/./y/../z", "http://a/x/z"),
        ("http://a/x/..", "http://a/"),
        ("http://a/x/.", "http://a/x/"),
        ("http://a/../../x", "http://a/x"),
        ("http://a/%2e%2E/x", "http://a/x"),
        ("http://a//x//", "http://a//x//"),
        ("http://a/x/", "http://a/x/"),
        ("http://a/@:!$&'()*+,;=", "http://a/@:!$&'()*+,;="),
    ],
)
def test_spellings_of_one_uri_become_one(uri: str, expected: str) -> None:
    """Case, default ports, dot segments and needless escapes make no difference."""
    assert expected == normalized(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/x",
        "a/x",
        "//a/x",
        "ftp://a/x",
        "http:///x",
        "http://:80/x",
        "http://user@a/x",
        "http://user:word@a/x",
        "http://a:x/",
        "http://a:800000/",
        "http://a/%",
        "http://a/%4",
        "http://a/%zz",
        "http://a/x y",
        "http://a/x\n",
        "\nhttp://a/x",
        "http://a/\xe4",
        "http://\xe4/",
        "http://a b/",
        "http://a\\b/",
        "http://a%2eb/",
    ],
)
def test_what_is_no_http_uri_is_none(uri: str) -> None:
    """It is never taken for another one."""
    assert normalized(uri) is None


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://API.example:443", "https://api.example"),
        ("https://api.example:8443/x/y", "https://api.example:8443"),
        ("api.example", None),
    ],
)
def test_origin_is_scheme_and_authority(uri: str, expected: str | None) -> None:
    """Without the port that goes without saying."""
    assert expected == origin_of(uri)
