"""Ways past the question: what answers before auth_request, or without it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .finding import Finding
from .nginx_config import Directive
from .protection import Protected, location_of, protected_locations

SETTINGS = ("$portcullis_scope", "$portcullis_audience", "$portcullis_pass_token")
INCLUDE = "portcullis-protect.conf"


def find(root: Directive) -> Iterator[Finding]:
    protected = protected_locations(root)
    for one in protected:
        yield from _answers_first(one)
        yield from _moves_away(one, protected)
        yield from _holes(one)
        if one.is_portcullis:
            yield from _misplaced_settings(one)
            yield from _hidden_refusals(one)
    for server in {id(one.server): one.server for one in protected}.values():
        yield from _server_answers(server)
        yield from _server_settings(server)
        yield from _server_rewrites(server, protected)


def finding(at: Directive, problem: str, remedy: str) -> Finding:
    return Finding(at.file, at.line, problem, remedy)


def _answers_first(one: Protected) -> Iterator[Finding]:
    """The rewrite phase comes before the access phase. A 4xx or 5xx gives nothing away."""
    for directive in one.own():
        is_redirect = directive.name == "rewrite" and (
            directive.args[-1] in {"redirect", "permanent"}
            or re.match(r"https?://|\$scheme", directive.args[1])
        )
        if is_redirect or (directive.name == "return" and _gives_away(directive)):
            yield finding(
                directive,
                f"`{directive.title()}` answers in the protected {one.location.title()} "
                "before the token is looked at",
                "move it to a location of its own, or let the upstream say it",
            )


def _gives_away(directive: Directive) -> bool:
    code = directive.args[0]
    return not re.fullmatch(r"[45]\d\d", code)


def _moves_away(one: Protected, protected: list[Protected]) -> Iterator[Finding]:
    guarded = [each.location for each in protected]
    for directive in one.own():
        if directive.name != "rewrite" or directive.args[-1] in {"break", "redirect", "permanent"}:
            continue
        literal = re.split(r"[$?]", directive.args[1])[0]
        target = location_of(one.server, literal)
        if target is not None and target not in guarded:
            yield finding(
                directive,
                f"`{directive.title()}` leads out of the protected {one.location.title()} "
                f"to {target.title()}, which asks nobody",
                f"protect {target.title()} as well, or use `break`",
            )


def _holes(one: Protected) -> Iterator[Finding]:
    for directive in one.location.walk():
        if directive.name == "auth_request" and directive.args == ["off"]:
            yield finding(
                directive,
                f"`auth_request off` opens a hole in the protected {one.location.title()}",
                "move what is public to a location outside of it",
            )
    satisfy = one.location.effective("satisfy")
    if satisfy and satisfy[0].args == ["any"]:
        yield finding(
            satisfy[0],
            f"`satisfy any` lets {one.location.title()} be entered without a token",
            "use `satisfy all`",
        )


def _misplaced_settings(one: Protected) -> Iterator[Finding]:
    own = [each for each in one.location.block if each.name in {"set", "auth_request"}]
    includes = [i for i, each in enumerate(own) if each.args[0] == "$portcullis_kept_scope"]
    if not includes:
        yield finding(
            one.location,
            f"{one.location.title()} inherits auth_request but not the scope it needs, "
            "so it refuses every call",
            f"`set $portcullis_scope` and include {INCLUDE} in it too",
        )
        return
    for each in own[includes[0] :]:
        if each.args[0] in SETTINGS:
            yield finding(
                each,
                f"`set {each.args[0]}` stands below the include of {INCLUDE}, "
                "which has read it already",
                "move it above the include",
            )


def _hidden_refusals(one: Protected) -> Iterator[Finding]:
    for page in one.location.effective("error_page"):
        if "403" in page.args[:-1] and page.args[-1] != "$portcullis_answer":
            yield finding(
                page,
                f"`{page.title()}` takes the place of the refusals of {one.location.title()}",
                "take 403 out of it; the location's own `deny` is answered with a plain 403",
            )


def _server_answers(server: Directive) -> Iterator[Finding]:
    for directive in server.block:
        conditional = [(each, True) for each in directive.block if directive.name == "if"]
        for each, is_conditional in [(directive, False), *conditional]:
            if each.name != "return" or not _gives_away(each):
                continue
            if not is_conditional or each.args[0].startswith("2"):
                yield finding(
                    each,
                    f"`{each.title()}` in server {{ }} answers for its protected locations too",
                    "move it to a location of its own",
                )


def _server_settings(server: Directive) -> Iterator[Finding]:
    for each in server.effective("set"):
        if each.args[0] in SETTINGS:
            yield finding(
                each,
                f"`set {each.args[0]}` in server {{ }} also holds where a location says nothing, "
                'or ""',
                "set it in each protected location, above the include",
            )


def _server_rewrites(server: Directive, protected: list[Protected]) -> Iterator[Finding]:
    """The server's rewrites run once more for the question itself, which then goes elsewhere."""
    asked = {one.location.value("auth_request") for one in protected if one.server is server}
    for each in server.walk():
        in_server = each.parent is server or (each.parent and each.parent.name == "if")
        if each.name != "rewrite" or not in_server or each.enclosing("location"):
            continue
        for uri in sorted(asked):
            if _matches(each.args[0], uri):
                yield finding(
                    each,
                    f"`{each.title()}` in server {{ }} catches the question to {uri} as well, "
                    "and what it leads to then decides",
                    "move the rewrite into a location",
                )


def _matches(pattern: str, uri: str) -> bool:
    try:
        return re.search(pattern, uri) is not None
    except re.error:
        return False
