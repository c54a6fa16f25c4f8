"""What the route table decides about is what nginx routes: no spelling of a path comes between."""

import json
import re
from collections.abc import Iterator

import pytest

from app.routes import NotAPath, path_of
from tests.e2e.request_targets import Probe, Seen, probe, targets
from tests.stack import Credentials, Stack
from tests.wire import Answer, ask, pipeline, request

PREFIX = "/demo/routed/"
ROUTES = [PREFIX + rest for rest in ("", "a", "a/", "a/b", "A", "ab", "a;", "a%", "é", "\\", "...")]
"""Each asks for a scope that nobody has, so that the refusal tells which one was chosen."""

TARGETS = targets(PREFIX.encode(), 5_000)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NEEDED = re.compile(r'scope="scope:([0-9]+)"')


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """An nginx with the prefixes of the route table as locations, and nothing else."""
    with probe(tmp_path_factory.mktemp("probe"), ROUTES) as found:
        yield found


@pytest.fixture(scope="module")
def seen(bare: Probe) -> list[Seen | None]:
    """What nginx makes of TARGETS."""
    return bare.see(TARGETS)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Credentials]:
    """A client that may nothing, while the table has ROUTES and no others."""
    before = json.loads(stack.script("route", "list", "--json").stdout)
    for route in before:
        stack.script("route", "delete", route["method"], route["path"], "--yes")
    for number, path in enumerate(ROUTES):
        stack.script("route", "set", "*", path, f"scope:{number}")
    yield stack.client_create("routing", "nothing")
    for path in ROUTES:
        stack.script("route", "delete", "*", path, "--yes")
    for route in before:
        stack.script("route", "set", route["method"], route["path"], route["scopes"])
    stack.script("client", "delete", "routing", "--yes")


def test_corpus_has_what_nginx_takes_and_what_it_refuses(seen: list[Seen | None]) -> None:
    """The tricks are not all refused at the door, and not all let in; each prefix is reached."""
    refused = sum(one is None for one in seen)
    assert 1_000 < refused < 4_000
    assert {str(number) for number in range(len(ROUTES))} <= {one.location for one in seen if one}


def test_path_of_equals_the_uri_of_nginx(seen: list[Seen | None]) -> None:
    """`path_of` gives nginx's $uri, or refuses: what nginx refuses, and control characters.

    A target without a path (`http://host?a`, which nginx takes for `/`) is refused too.
    """
    for target, one in zip(TARGETS, seen, strict=True):
        if one is None:
            assert path_or_none(target) is None, target
        elif _CONTROL.search(one.uri) or one.request_uri.startswith(b"?"):
            assert path_or_none(one.request_uri) is None, target
        else:
            assert one.uri == path_or_none(one.request_uri), target


def test_route_table_chooses_the_location_that_nginx_would(
    stack: Stack, client: Credentials, seen: list[Seen | None]
) -> None:
    """Through the gateway each trick is asked for the scope of the prefix that nginx matches."""
    token = stack.mint(client)
    requests = [request("GET", target, token=token) for target in TARGETS]
    answers = pipeline(stack.address, requests)
    for target, one, answer in zip(TARGETS, seen, answers, strict=True):
        assert expected(one) == decided(answer), target


def test_other_gateways_raw_target_is_decided_like_nginx_itself_does(
    stack: Stack, client: Credentials, seen: list[Seen | None]
) -> None:
    """/validate of the ops listener takes $request_uri as it came and finds the same route."""
    token = stack.mint(client)
    raw = [one for one in seen if one and one.location][:1_500]
    requests = [
        request(
            "GET",
            "/validate",
            {
                "X-Required-Scope": "@routes",
                "X-Original-Method": "GET",
                "X-Original-URI": one.request_uri.decode("latin-1"),
            },
            token=token,
        )
        for one in raw
    ]
    for one, answer in zip(raw, pipeline(stack.ops_address, requests), strict=True):
        challenge = answer.header("WWW-Authenticate") or ""
        if _CONTROL.search(one.uri):
            assert challenge.endswith('error="insufficient_scope"')
        else:
            assert f'scope="scope:{one.location}"' in challenge, one


@pytest.mark.parametrize(
    ("method", "needed"),
    [("GET", "m:get"), ("HEAD", "m:any"), ("PURGE", "m:any"), ("DELETE", "m:any")],
)
def test_method_of_its_own_beats_any_at_the_same_prefix(
    stack: Stack, client: Credentials, method: str, needed: str
) -> None:
    """The method is compared as it is; HEAD is no GET."""
    stack.script("route", "set", "*", PREFIX + "m", "m:any")
    stack.script("route", "set", "GET", PREFIX + "m", "m:get")
    asked = request(
        "GET",
        "/validate",
        {
            "X-Required-Scope": "@routes",
            "X-Original-Method": method,
            "X-Original-URI": PREFIX + "m",
        },
        token=stack.mint(client),
    )
    challenge = ask(stack.ops_address, asked).header("WWW-Authenticate")
    for one in ("*", "GET"):
        stack.script("route", "delete", one, PREFIX + "m", "--yes")
    assert f'scope="{needed}"' in str(challenge)


def test_longer_prefix_of_another_method_does_not_hide_a_shorter_one(
    stack: Stack, client: Credentials
) -> None:
    """Only routes for the request's method compete for the longest prefix."""
    stack.script("route", "set", "POST", PREFIX + "a/b/c", "post:only")
    answer = stack.call(PREFIX + "a/b/c", stack.mint(client))
    stack.script("route", "delete", "POST", PREFIX + "a/b/c", "--yes")
    assert f"scope:{ROUTES.index(PREFIX + 'a/b')}" == decided(answer)


def path_or_none(target: bytes) -> bytes | None:
    """`path_of` on the bytes of a target; None when it refuses."""
    try:
        return path_of(target.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    except NotAPath:
        return None


def expected(one: Seen | None) -> str:
    """What the gateway must do with a target that nginx sees so.

    A control character, or a space at the end, cannot go to the app: no route has it.
    """
    if one is None:
        return "400"
    if not one.location:
        return "404"
    is_passed_on = not _CONTROL.search(one.uri) and not one.uri.endswith(b" ")
    return f"scope:{one.location}" if is_passed_on else "unknown route"


def decided(answer: Answer) -> str:
    """The status; of a refused call the scope that was asked for."""
    if answer.status != 403:
        return str(answer.status)
    found = _NEEDED.search(answer.header("WWW-Authenticate") or "")
    return f"scope:{found[1]}" if found else "unknown route"
