"""Which locations auth_request protects, and which location each of them asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from .nginx_config import Directive


@dataclass(frozen=True)
class Protected:
    """A location that asks before it serves. `asks` is the location that the question goes to."""

    location: Directive
    server: Directive
    asks: Directive | None
    is_portcullis: bool

    def own(self) -> Iterator[Directive]:
        """What stands in the location itself and in its `if` blocks, not in a nested location."""
        return _outside_locations(self.location)


def protected_locations(root: Directive) -> list[Protected]:
    found = []
    for location in root.walk():
        server = location.enclosing("server")
        uri = location.value("auth_request", "off")
        if location.name != "location" or server is None or uri == "off":
            continue
        asks = location_of(server, uri)
        # An auth_request in server { } holds for the location that it asks, too: never twice.
        if asks is not location:
            found.append(Protected(location, server, asks, _is_portcullis(uri, asks)))
    return found


def location_of(server: Directive, uri: str) -> Directive | None:
    """The location that serves `uri` in a server, regular expressions left aside."""
    serving = [one for one in server.walk() if one.name == "location" and _rank(one, uri) >= 0]
    return max(serving, key=lambda one: _rank(one, uri), default=None)


def upstream_of(passing: Directive) -> tuple[str, Directive | None]:
    """The name that a proxy_pass goes to, and the upstream block of that name."""
    name = urlsplit(passing.args[0]).netloc
    top: Directive = passing
    while top.parent:
        top = top.parent
    named = (one for one in top.walk() if one.name == "upstream" and one.args == [name])
    return name, next(named, None)


def _rank(location: Directive, uri: str) -> int:
    *modifier, path = location.args
    if modifier == ["="]:
        return 1 << 20 if uri == path else -1
    is_prefix = modifier in ([], ["^~"]) and not path.startswith("@")
    return len(path) if is_prefix and uri.startswith(path) else -1


def _is_portcullis(uri: str, asks: Directive | None) -> bool:
    passes = [one.args[0] for one in asks.children("proxy_pass")] if asks else []
    return uri.startswith("/_portcullis/") or any(
        urlsplit(one).netloc == "portcullis" or urlsplit(one).path.endswith("/validate")
        for one in passes
    )


def _outside_locations(level: Directive) -> Iterator[Directive]:
    for each in level.block:
        yield each
        if each.name != "location":
            yield from _outside_locations(each)
