"""Whatever is sent: a documented status in the RFC's form, and nothing secret in the answer."""

import itertools
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from falcon import testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forgery import encode, respelled
from tests.service import SECRET, Service, basic

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PATHS = ["/token", "/ott", "/revoke", "/introspect", "/explain"]
ERRORS = {
    400: {
        *("invalid_request", "invalid_scope", "invalid_target"),
        *("unauthorized_client", "unsupported_grant_type"),
    },
    401: {"invalid_client"},
    413: {"invalid_request"},
}
NAMES = [
    *("grant_type", "client_id", "client_secret", "scope", "resource", "token"),
    *("token_type_hint", "method", "path", "scopes", "audience", "unknown", ""),
]

latin_1 = st.text(st.characters(max_codepoint=255), max_size=60)
values = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["client_credentials", "demo", SECRET, "orders:read", "https://auth.example"]),
    st.sampled_from(["\x00", "\ud800", "%00", "x" * 3000, "@routes", "../..", "*", "GET", "/"]),
)
pairs = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=6,
)


def check(answer: testing.Result, *secrets: str) -> None:
    """The claim of this file, for one answer of an OAuth endpoint."""
    shown = answer.text + "".join(f"{name}: {value}" for name, value in answer.headers.items())
    assert not any(secret in shown for secret in secrets)
    if answer.status_code == 200:
        return
    assert answer.status_code in ERRORS, answer.text
    assert {"error", "error_description"} == set(answer.json)
    assert answer.json["error"] in ERRORS[answer.status_code]
    assert "no-store" == answer.headers["Cache-Control"]
    assert ("WWW-Authenticate" in answer.headers) <= (answer.status_code == 401)


def check_refused(answer: testing.Result) -> None:
    """The claim of this file, for one answer of the gate to what is no token."""
    assert (401, b"") == (answer.status_code, answer.content)
    assert answer.headers["X-Auth-Reason"] in {
        *("no_token", "malformed", "bad_signature", "unknown_key", "wrong_type"),
    }
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="portcullis"')


def written_as_form(fields: list[tuple[str, str]]) -> bytes:
    text = "&".join(
        f"{quote_plus(name)}={quote_plus(value.encode('utf-8', 'surrogatepass'))}"
        for name, value in fields
    )
    return text.encode()


@given(path=st.sampled_from(PATHS), fields=pairs, has_header=st.booleans())
@settings(max_examples=300)
def test_any_form_gets_a_documented_answer(
    lasting_service: Service, path: str, fields: list[tuple[str, str]], has_header: bool
) -> None:
    """Any names, repeated or not, with any values."""
    headers = {"Content-Type": FORM, **(basic() if has_header else {})}
    body = written_as_form(fields)
    check(lasting_service.http.simulate_post(path, body=body, headers=headers), SECRET)


@given(path=st.sampled_from(PATHS), document=json_values, has_header=st.booleans())
@settings(max_examples=300)
def test_any_json_gets_a_documented_answer(
    lasting_service: Service, path: str, document: Any, has_header: bool
) -> None:
    """Any document, members of any type."""
    headers = {"Content-Type": JSON, **(basic() if has_header else {})}
    body = json.dumps(document)
    check(lasting_service.http.simulate_post(path, body=body, headers=headers), SECRET)


@given(
    path=st.sampled_from(PATHS),
    body=st.binary(max_size=200) | st.binary(max_size=3).map(lambda part: part * 6000),
    media_type=st.sampled_from([FORM, JSON, "text/plain", "", f"{JSON}; charset=x"]) | latin_1,
)
@settings(max_examples=200)
def test_any_bytes_get_a_documented_answer(
    lasting_service: Service, path: str, body: bytes, media_type: str
) -> None:
    """Any body under any content type that a header can hold."""
    printable = "".join(one for one in media_type if one.isprintable())
    headers = {**basic(), "Content-Type": printable}
    check(lasting_service.http.simulate_post(path, body=body, headers=headers), SECRET)


@given(path=st.sampled_from([*PATHS, "/revoke"]), header=latin_1 | latin_1.map("Basic {}".format))
@settings(max_examples=200)
def test_any_authorization_gets_a_documented_answer(
    lasting_service: Service, path: str, header: str
) -> None:
    """Any bytes as the header of an OAuth request."""
    headers = {"Content-Type": FORM, "Authorization": header}
    body = b"grant_type=client_credentials&token=x&method=GET&path=/"
    check(lasting_service.http.simulate_post(path, body=body, headers=headers))


@given(pair=st.binary(max_size=60) | st.text(max_size=30).map(lambda text: f"demo:{text}".encode()))
@settings(max_examples=200)
def test_any_basic_credentials_are_refused_alike(lasting_service: Service, pair: bytes) -> None:
    """Any bytes inside the base64 that are not the client's own."""
    header = {"Authorization": f"Basic {encode(pair)}" + "=" * (-len(encode(pair)) % 4)}
    answer = lasting_service.form("/token", "grant_type=client_credentials", header)
    assert (answer.status_code, answer.json["error"]) in {
        (401, "invalid_client"),
        (429, "temporarily_unavailable"),  # the same id too often
    }


@given(header=latin_1 | latin_1.map("Bearer {}".format))
@settings(max_examples=300)
def test_any_bearer_is_refused_at_the_gate(lasting_service: Service, header: str) -> None:
    """Never a 2xx, never a 5xx, never a body."""
    headers = {"Authorization": header}
    check_refused(lasting_service.http.simulate_get("/validate", headers=headers))


@given(
    scope=latin_1,
    audience=latin_1,
    method=latin_1,
    target=latin_1,
    request_id=latin_1,
)
@settings(max_examples=300)
def test_any_question_about_a_good_token_gets_an_answer(
    lasting_service: Service, **asked: str
) -> None:
    """Headers that only a gateway sends may be odd too: still one of the gate's answers."""
    names = {
        "scope": "X-Required-Scope",
        "audience": "X-Required-Audience",
        "method": "X-Original-Method",
        "target": "X-Original-URI",
        "request_id": "X-Request-ID",
    }
    printable = {
        name: "".join(c for c in asked[key] if c.isprintable()) for key, name in names.items()
    }
    token = lasting_service.mint()
    headers = {**printable, "Authorization": f"Bearer {token}"}
    for scope in (printable["X-Required-Scope"], "@routes"):
        sent = {**headers, "X-Required-Scope": scope}
        answer = lasting_service.http.simulate_get("/validate", headers=sent)
        assert answer.status_code in {204, 401, 403}
        assert b"" == answer.content
        assert token not in str(dict(answer.headers))


@pytest.mark.parametrize("path", ["/token", "/ott"])
def test_changed_good_token_never_passes_nor_revives(service: Service, path: str) -> None:
    """Cut, swapped, grown, respelled: refused while it is good, and after it was revoked."""
    token = service.mint(path=path)
    first, second = token.split("."), service.mint(path=path).split(".")
    swapped = [".".join(mixed) for mixed in itertools.permutations(first) if list(mixed) != first]
    crossed = [f"{first[0]}.{second[1]}.{first[2]}", f"{first[0]}.{first[1]}.{second[2]}"]
    cut = [token[:end] for end in range(0, len(token), 9)]
    grown = [f"{token}{more}" for more in ("A", "=", ".", "..", ".A", "%00", "\u00e9")]
    changed = [*swapped, *crossed, *cut, *grown, *respelled(token)]
    for is_revoked in (False, True):
        if is_revoked:
            service.asked_by("/revoke", token=token)
        for other in changed:
            check_refused(service.validate(other))
    assert "revoked" == service.reason(token)


@pytest.mark.parametrize("target", ["*", "", "http:"])
def test_target_that_is_no_path_is_served_by_nobody(service: Service, target: str) -> None:
    """`OPTIONS *` is one (RFC 9112 §3.2.4). A front that is not ours may pass it on."""
    environ = {**testing.create_environ("/", method="OPTIONS"), "PATH_INFO": target}
    started = testing.StartResponseMock()
    service.http.app(environ, started)
    assert "404 Not Found" == started.status


@pytest.mark.parametrize("path", PATHS)
def test_no_error_echoes_a_token_or_a_secret(service: Service, path: str) -> None:
    """Whatever is wrong, the answer and its headers repeat nothing that was sent in confidence."""
    token = service.mint()
    wrong = "sensitive-secret-0123456789"
    service.add_client("other")
    check(service.form(path, {"token": token, "grant_type": token}, basic("other")), token)
    for fields in (
        {"token": token, "token_": token},
        [("token", token), ("token", token)],
        {"token": token, "client_secret": wrong, "client_id": "demo"},
        {"token": token, "client_secret": wrong, "client_id": wrong},
        {"grant_type": token, "scope": token, "resource": token, "path": token},
        {"grant_type": "client_credentials", "scope": wrong, "resource": wrong},
    ):
        for headers in ({}, basic(), basic(secret=wrong), basic(wrong), {"Authorization": wrong}):
            check(service.form(path, fields, headers), token, wrong, SECRET)


def test_no_error_is_logged_with_a_token_or_a_secret(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """`jti` and `client_id` are enough for a log."""
    caplog.set_level(0)
    token = service.mint()
    service.redis.hset("client:other", "status", "active")
    for path in PATHS:
        service.form(path, {"token": token, "grant_type": "client_credentials"}, basic())
        service.form(path, {"token": token, "x": "1"}, basic("other"))
    service.validate(token, X_Required_Scope="@routes")
    service.redis.set("client:demo", "no hash")
    service.validate(token)
    assert not any(part in caplog.text for part in (SECRET, *token.split(".")[1:]))
