"""/validate on the ops listener, as other gateways ask it, on the real stack."""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.mixed_load import read
from tests.stack import Credentials, Stack, until
from tests.wire import Answer, Connection, ask, request

REALM = 'Bearer realm="portcullis"'
INVALID = f'{REALM}, error="invalid_token"'


def asked(
    stack: Stack, token: str | None, method: str = "GET", target: str = "/validate", **names: str
) -> Answer:
    """Ask /validate; header names with `_` for `-`."""
    headers = {name.replace("_", "-"): value for name, value in names.items()}
    return ask(stack.ops_address, request(method, target, headers, token=token))


def reason(answer: Answer) -> tuple[int, str | None]:
    """Status and reason, after a look at what holds for every answer: it has no body."""
    assert b"" == answer.body
    assert answer.status == 204 or "0" == answer.header("Content-Length")
    assert "Content-Type" not in answer.names()
    return answer.status, answer.header("X-Auth-Reason")


@pytest.fixture
def other(stack: Stack) -> Iterator[Credentials]:
    """A client of a test's own."""
    yield stack.client_create("validated", "demo:read", audiences="https://orders.example")
    stack.script("client", "delete", "validated", "--yes")


def test_allowed_call_is_told_who_is_calling(stack: Stack) -> None:
    """204 with the four identity headers and the reason ok."""
    token = stack.mint()
    told = read(token)
    for method in ("GET", "POST"):
        answer = asked(stack, token, method, X_Required_Scope="demo:read demo:write")
        assert (204, "ok") == reason(answer)
        assert ("demo", "demo:read demo:write", told.jti, str(told.exp)) == tuple(
            answer.header(f"X-Auth-{name}") for name in ("Client-Id", "Scope", "Jti", "Expires")
        )


def test_each_refusal_has_its_status_reason_and_challenge(stack: Stack, other: Credentials) -> None:
    """The table of contract section 4, but for time, rate and outage."""
    good, spent, revoked = stack.mint(scope="demo:read"), stack.mint(path="/ott"), stack.mint()
    stack.call("/demo/read", spent)
    stack.revoke(revoked)
    disabled = stack.mint(other)
    stack.script("client", "disable", other[0])
    header, payload, signature = good.split(".")
    lacking = f'{REALM}, error="insufficient_scope"'
    cases = [
        (None, "", 401, "no_token", REALM),
        ("x", "", 401, "malformed", INVALID),
        (f"{header}.{payload}.{signature[::-1]}", "", 401, None, INVALID),
        (revoked, "", 401, "revoked", INVALID),
        (spent, "", 401, "spent", INVALID),
        (disabled, "", 401, "client_disabled", INVALID),
        (good, "demo:write", 403, "missing_scope", f'{lacking}, scope="demo:write"'),
        (good, "demo:read demo:write", 403, "missing_scope", None),
        (good, "@routes", 403, "unknown_route", lacking),
    ]
    for token, scope, status, why, challenge in cases:
        answer = asked(
            stack,
            token,
            X_Required_Scope=scope,
            X_Original_URI="/nowhere",
            X_Original_Method="GET",
        )
        assert (status, why or reason(answer)[1]) == reason(answer)
        assert challenge in {None, answer.header("WWW-Authenticate")}


@pytest.mark.parametrize("length", [1, 8_000, 9_000, 20_000, 50_000])
def test_token_of_any_length_is_malformed_and_answered_without_a_body(
    stack: Stack, length: int
) -> None:
    """Some are refused by the app's HTTP parser before the app sees them, some by nginx."""
    answer = asked(stack, "x" * length)
    assert (401, "malformed") == reason(answer)
    assert [INVALID] == answer.all("WWW-Authenticate")


def test_scheme_is_case_insensitive_and_the_only_one(stack: Stack) -> None:
    """RFC 9110 §11.1; another scheme is no token."""
    token = stack.mint()
    for scheme, status in (("bearer", 204), ("BEARER", 204), ("Basic", 401), ("Bearerx", 401)):
        assert status == asked(stack, None, Authorization=f"{scheme} {token}").status, scheme


def test_token_lives_until_its_exp_and_not_a_second_longer(stack: Stack) -> None:
    """A warm token dies by the clock alone."""
    client = stack.client_create("brief", "demo:read", ttl_s="2")
    with Connection(stack.ops_address) as connection:

        def asked_again(token: str) -> Answer:
            return connection.ask(request("GET", "/validate", token=token))

        def warm() -> str | None:
            token = stack.mint(client)
            return token if asked_again(token).status == 204 else None

        token = until(warm, what="a token that has not ended before it is asked about")
        answer = asked_again(token)
        while time.time() < read(token).exp:
            assert 204 == answer.status
            answer = asked_again(token)
        assert (401, "expired") == reason(asked_again(token))
    stack.script("client", "delete", "brief", "--yes")


def test_audience_is_the_clients_own_or_the_one_that_the_route_asks(
    stack: Stack, other: Credentials
) -> None:
    """RFC 9068 §4: a token is for its audience; a location may ask for another."""
    token = stack.mint(other)
    for audience, expected in (
        ("", (204, "ok")),
        ("https://orders.example", (204, "ok")),
        ("https://billing.example", (401, "wrong_audience")),
        (stack.url, (401, "wrong_audience")),
    ):
        assert expected == reason(asked(stack, token, X_Required_Audience=audience))


def test_client_over_its_rate_waits_as_long_as_it_is_told(stack: Stack) -> None:
    """429 with Retry-After on both listeners; a refused call costs nothing."""
    client = stack.client_create("hasty", "demo:read", rate_per_s="5")
    token = stack.mint(client)
    began = time.monotonic()
    answers = [asked(stack, token) for _ in range(12)]
    while answers[-1].status == 204 and time.monotonic() < began + 60:
        answers.append(asked(stack, token))
    allowed = sum(answer.status == 204 for answer in answers)
    took_s = time.monotonic() - began
    assert 5 <= allowed <= 5 + 5 * took_s + 1
    limited = next(answer for answer in answers if answer.status != 204)
    assert (429, "rate_limited") == reason(limited)
    assert "1" == limited.header("Retry-After")
    shown = stack.call("/demo/read", token)
    if shown.status != 200:
        assert (429, "1") == (shown.status, shown.header("Retry-After"))
        assert '"client";q=5;w=1' == shown.header("RateLimit-Policy")
        assert '"client";r=0;t=1' == shown.header("RateLimit")
        assert "temporarily_unavailable" == shown.json()["error"]
    assert 403 == stack.call("/demo/write", token, "POST").status
    until(lambda: asked(stack, token).status == 204)
    stack.script("client", "delete", "hasty", "--yes")


RAW_TARGETS = [
    ("/demo/routed/read", 204),
    ("/demo/routed/read?x=/../../write", 204),
    ("/demo/routed/write/../read", 204),
    ("/demo/routed/%72ead", 204),
    ("//demo///routed/./read", 204),
    ("/demo/routed/write/%2e%2e/read", 204),
    ("/demo/routed/read/../write", 403),
    ("/demo/routed/re", 403),
    ("/demo/routed/READ", 403),
    ("/demo/routed/read%00", 403),
    ("/demo/routed/%zz", 403),
    ("/../demo/routed/read", 403),
    ("http://h/demo/routed/read", 403),
    ("", 403),
]


@pytest.mark.parametrize(("target", "status"), RAW_TARGETS)
def test_raw_target_is_normalised_before_it_is_looked_up(
    stack: Stack, target: str, status: int
) -> None:
    """Without nginx's own $uri the app decodes, merges and resolves; what it cannot is refused."""
    names = {
        "X_Required_Scope": "@routes",
        "X_Original_Method": "GET",
        "X_Original_URI": target,
    }
    assert status == asked(stack, stack.mint(), **names).status


def test_query_cannot_pass_for_the_include(stack: Stack) -> None:
    """`?path=decoded` is nginx's to say: on the ops listener it changes nothing."""
    names = {
        "X_Required_Scope": "@routes",
        "X_Original_Method": "GET",
        "X_Original_URI": "/demo/routed/read/../else",
    }
    answer = asked(stack, stack.mint(), target="/validate?path=decoded", **names)
    assert (403, "unknown_route") == reason(answer)


def test_body_and_other_headers_of_a_question_are_ignored(stack: Stack) -> None:
    """Nothing but the headers of section 4 counts; a body neither helps nor harms."""
    token = stack.mint()
    data = request("POST", "/validate", {"Expect": "", "Range": "bytes=0-0"}, b"x" * 5_000_000)
    head, _, body = data.partition(b"\r\n\r\n")
    sent = head + b"\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n" + body
    assert (204, "ok") == reason(ask(stack.ops_address, sent))


def test_validate_is_not_on_the_public_listener(stack: Stack) -> None:
    """Neither by its own name nor by that of the internal location."""
    token = stack.mint()
    for path in ("/validate", "/_portcullis/validate", "//_portcullis/validate", "/explain"):
        assert stack.call(path, token).status in {403, 404}, path


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_of_the_ops_listener(stack: Stack, path: str) -> None:
    """Alive, and each dependency by name."""
    asked_for = request("GET", path)
    answer = until(
        lambda: found if (found := ask(stack.ops_address, asked_for)).status == 200 else None
    )
    assert "ok" == answer.json()["status"]
    if path == "/health/ready":
        assert {"redis": "ok", "feed": "ok"}.items() <= answer.json()["dependencies"].items()


def test_explain_says_why_and_spends_nothing(stack: Stack) -> None:
    """Each check with its outcome; a one-time token is still good afterwards."""
    token = stack.mint(path="/ott", scope="demo:read")
    done = stack.script("token", "why", token, "GET", "/demo/routed/read", "--json")
    assert '"allowed":true' in done.stdout.replace(" ", "")
    assert 200 == stack.call("/demo/routed/read", token).status
