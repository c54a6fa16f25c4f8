"""The URI of a request as a DPoP proof names it, made comparable (RFC 3986 §6.2, RFC 9449 §4.3)."""

import re

_URI = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>(?:/[\x21-\x22\x24-\x3e\x40-\x7e]*)?)(?:[?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_ESCAPE = re.compile(r"%([0-9a-f]{2})?", re.IGNORECASE)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def normalized(uri: str) -> str | None:
    """Return scheme, authority and path in one spelling; None for what is no http(s) URI.

    Query and fragment are no part of it.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        return None
    try:
        path = _ESCAPE.sub(_escape, parts["path"])
    except ValueError:
        return None
    scheme, host, port = parts["scheme"].lower(), parts["host"].lower(), parts["port"]
    if port and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{_without_dots(path) or '/'}"


def origin_of(uri: str) -> str | None:
    """Return scheme and authority in one spelling; None for what is no http(s) URI."""
    whole = normalized(uri)
    return "/".join(whole.split("/")[:3]) if whole else None


def _escape(found: re.Match[str]) -> str:
    """What needs no escape has none, and what has one is in capitals; raise ValueError."""
    if found[1] is None:
        raise ValueError("a % that escapes nothing")
    plain = chr(int(found[1], 16))
    return plain if _UNRESERVED.fullmatch(plain) else found[0].upper()


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments, 1):
        if segment == "..":
            del kept[-1:]
        if segment not in {".", ".."}:
            kept.append(segment)
        elif number == len(segments):
            kept.append("")
    return "".join(f"/{segment}" for segment in kept)
