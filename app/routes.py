"""Which scopes a request needs by the route table: the longest matching prefix decides."""

import re
from collections.abc import Mapping

from app.errors import UnknownRoute

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


class NotAPath(UnknownRoute):
    """No route can have it. The token may be good: whoever shows it is not told to get another."""


def scopes_for(routes: Mapping[str, str], method: str, path: str) -> str:
    """Return the scopes that `routes` asks for, "" for any valid token.

    `routes` maps "METHOD /prefix" to space-separated scopes; `*` stands for any method and yields
    to an exact method at the same prefix. A prefix matches as an nginx prefix location does: by
    its characters, on the decoded and normalised path. A field without a method or a path is a
    slip of somebody's hand and no route. Raises UnknownRoute.
    """
    best = -1, False
    needed = None
    for field, scopes in routes.items():
        route_method, _, prefix = field.partition(" ")
        rank = len(prefix), route_method == method
        is_route = route_method != "" and prefix.startswith("/")
        if is_route and rank > best and route_method in {method, "*"} and path.startswith(prefix):
            best, needed = rank, scopes
    if needed is None:
        raise UnknownRoute(f"no route for {method} {path}")
    return needed


def path_of(request_target: str) -> str:
    """Return the path that nginx would route a raw request target by.

    As ngx_http_parse_complex_uri does: the query is cut, escapes are decoded once, then slashes
    are merged and dot segments resolved, escaped ones included. Bytes that are not UTF-8 become
    surrogate escapes, as they do in the route table. Raises NotAPath for what nginx answers with
    400: a control character or a space, a broken escape, an escaped NUL, a climb above the root;
    and for a path that has a control character, which the include does not let through either.
    """
    try:
        target = request_target.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise NotAPath("the request target is no text") from error
    raw = re.split(rb"[?#]", target, maxsplit=1)[0]
    is_whole = raw.startswith(b"/") and b"%" not in _ESCAPE.sub(b"", raw) and b"%00" not in raw
    if not is_whole or re.search(rb"[\x00-\x20\x7f]", target):
        raise NotAPath("the request target is not a path")
    segments: list[bytes] = []
    parts = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), raw).split(b"/")[1:]
    for part in parts[:-1]:
        _resolve(segments, part)
    last = parts[-1]
    if last in {b".", b".."}:
        _resolve(segments, last)
        last = b""
    path = b"/" + b"".join(segment + b"/" for segment in segments) + last
    if re.search(rb"[\x00-\x1f\x7f]", path):
        raise NotAPath("the path has a control character")
    return text_of(path)


def text_of(raw: bytes) -> str:
    """Return bytes as the text by which the route table knows them, byte for byte."""
    return raw.decode("utf-8", "surrogateescape")


def _resolve(segments: list[bytes], part: bytes) -> None:
    if part == b"..":
        if not segments:
            raise NotAPath("the path climbs above the root")
        segments.pop()
    elif part not in {b"", b"."}:
        segments.append(part)
