"""How a body is read: forms by RFC 6749 appendix B, JSON by the same rules, and its limits."""

import json

import pytest
from falcon import testing

from tests.service import SECRET, Service, basic

GRANT = "grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"
FIELDS = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": SECRET}
LIMIT = 16 * 1024


def post(service: Service, body: bytes | str, media_type: str | None = FORM) -> tuple[int, str]:
    """POST to /token with the demo client's Basic header; return status and error."""
    raw = body.encode() if isinstance(body, str) else body
    headers = basic() if media_type is None else {**basic(), "Content-Type": media_type}
    answer = service.http.simulate_post("/token", body=raw, headers=headers)
    return answer.status_code, answer.json.get("error", "ok")


OK, INVALID, SCOPE = (200, "ok"), (400, "invalid_request"), (400, "invalid_scope")


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (FORM, OK),
        (FORM.upper(), OK),
        (f"{FORM}; charset=utf-8", OK),
        (f"{FORM};charset=UTF-8;x=y", OK),
        (f" {FORM} ", OK),
        (f"{FORM}x", INVALID),
        ("multipart/form-data; boundary=x", INVALID),
        ("text/plain", INVALID),
        ("application/xml", INVALID),
        ("*/*", INVALID),
        ("", INVALID),
        (";", INVALID),
        (None, INVALID),
        (f"{FORM}, {FORM}", INVALID),
        ("application/json", INVALID),
    ],
)
def test_media_type_is_one_of_two(
    service: Service, media_type: str | None, expected: tuple[int, str]
) -> None:
    """A form or JSON, whatever parameters follow; nothing is guessed from the body."""
    assert expected == post(service, GRANT, media_type)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{GRANT}&scope=orders%3aread", OK),
        (f"{GRANT}&scope=orders:read+orders:write", OK),
        (f"{GRANT}&scope=orders:read%20orders:write", OK),
        (f"{GRANT}&scope=orders:read%2Borders:write", SCOPE),
        (f"{GRANT}&scope=%zz", SCOPE),
        (f"{GRANT}&scope=%", SCOPE),
        (f"{GRANT}&scope=%00", SCOPE),
        (f"{GRANT}&scope=%C3%A9", SCOPE),
        (f"{GRANT}&scope=%ff", INVALID),
        (f"{GRANT}&scope=%ED%A0%80", INVALID),
        (f"{GRANT}&%ff=x", INVALID),
        (f"{GRANT}&x=\u00e9", INVALID),
        (GRANT.encode() + b"&x=\xff", INVALID),
        (f"{GRANT}&x=%00", OK),
        (f"{GRANT}&=", OK),
        (f"{GRANT}&=x", OK),
        (f"{GRANT}&x", OK),
        (f"{GRANT}&", OK),
        (f"&{GRANT}", OK),
        (f"{GRANT}&&x=1", OK),
        (f"{GRANT};x=1", (400, "unsupported_grant_type")),
        (f"{GRANT}&x=1&X=1", OK),
        (f"{GRANT}&x=1&x=2", INVALID),
        (f"{GRANT}&x=&x=", INVALID),
        (f"{GRANT}&x&x", INVALID),
        (f"{GRANT}&=1&=2", INVALID),
        (f"{GRANT}&scope=&scope=orders:read", INVALID),
        (f"{GRANT}&sc%6fpe=orders:read&scope=orders:read", INVALID),
        (f"{GRANT}&" + "&".join(f"x{n}=" for n in range(99)), OK),
        (f"{GRANT}&" + "&".join(f"x{n}=" for n in range(100)), INVALID),
        (f"{GRANT}&" + "&" * 200, INVALID),
        (GRANT.replace("_", "%5F"), OK),
        (GRANT.upper(), INVALID),
        ("\ufeff" + GRANT, INVALID),
        ("", INVALID),
        (json.dumps(FIELDS), INVALID),
    ],
)
def test_form_is_read_strictly(
    service: Service, body: bytes | str, expected: tuple[int, str]
) -> None:
    """Each name once, UTF-8 under the escapes, 100 fields at most; `+` and %20 are a space."""
    assert expected == post(service, body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"grant_type":"client_credentials"}', OK),
        ('{"grant_type":"client_credentials","scope":""}', OK),
        ('{"grant_type":"client_credentials","scope":null}', OK),
        ('{"grant_type":"client_credentials","unknown":"x"}', OK),
        ('{"grant_type":"client_credentials","unknown":{"a":[1,2,{}]}}', OK),
        ('{"grant_type":"client_credentials","unknown":1e999}', OK),
        ('{"grant_type":"client_credentials","scope":"\\ud800"}', SCOPE),
        ('{"grant_type":"client_credentials","scope":"\\u0000"}', SCOPE),
        ('{"grant_type":"client_credentials","scope":["orders:read"]}', INVALID),
        ('{"grant_type":"client_credentials","scope":5}', INVALID),
        ('{"grant_type":"client_credentials","scope":true}', INVALID),
        ('{"grant_type":"client_credentials","scope":{}}', INVALID),
        ('{"grant_type":["client_credentials"]}', INVALID),
        ('{"grant_type":"client_credentials","resource":5}', INVALID),
        ('{"grant_type":"client_credentials","resource":[5]}', INVALID),
        ('{"grant_type":"client_credentials","resource":[["x"]]}', INVALID),
        ('{"grant_type":"client_credentials","resource":{}}', INVALID),
        ('{"grant_type":"client_credentials","resource":[]}', OK),
        ('{"grant_type":"client_credentials","resource":["x"]}', (400, "invalid_target")),
        ('{"grant_type":"client_credentials","resource":"\\ud800"}', (400, "invalid_target")),
        ('{"grant_type":"password","grant_type":"client_credentials"}', INVALID),
        ('{"grant_type":"client_credentials","x":1,"x":1}', INVALID),
        ('{"grant_type":"client_credentials","resource":"a","resource":"b"}', INVALID),
        ('{"grant_type":"client_credentials","sc\\u006fpe":"","scope":""}', INVALID),
        ('{"grant_type":null}', INVALID),
        ("{}", INVALID),
        ("[]", INVALID),
        ('["grant_type"]', INVALID),
        ('"client_credentials"', INVALID),
        ("null", INVALID),
        ("", INVALID),
        ("{", INVALID),
        ('{"grant_type":"client_credentials"', INVALID),
        ('{"grant_type":"client_credentials",}', INVALID),
        ("{'grant_type':'client_credentials'}", INVALID),
        ('{"grant_type":"client_credentials"} x', INVALID),
        ('\ufeff{"grant_type":"client_credentials"}', INVALID),
        (b'{"grant_type":"client_credentials","x":"\xff"}', INVALID),
        ('{"grant_type":"client_credentials"}'.encode("utf-16"), INVALID),
        ('{"x":' + "[" * 7000 + "]" * 7000 + "}", INVALID),
        ("[" * 16_000, INVALID),
        ('{"a":' * 3000, INVALID),
        ('{"x":' + "9" * 5000 + "}", INVALID),
        (GRANT, INVALID),
    ],
)
def test_json_is_read_strictly(
    service: Service, body: bytes | str, expected: tuple[int, str]
) -> None:
    """One object in UTF-8, each member once, strings where they are known, the rest ignored."""
    assert expected == post(service, body, "application/json")


def test_secret_with_half_a_surrogate_pair_is_a_wrong_one(service: Service) -> None:
    """JSON can write what UTF-8 cannot."""
    body = json.dumps({**FIELDS, "client_secret": "\ud800"})
    headers = {"Content-Type": "application/json"}
    answer = service.http.simulate_post("/token", body=body, headers=headers)
    assert (401, "invalid_client") == (answer.status_code, answer.json["error"])


@pytest.mark.parametrize("path", ["/token", "/ott", "/revoke", "/introspect", "/explain"])
@pytest.mark.parametrize("media_type", [FORM, "application/json", "text/plain"])
def test_body_over_the_limit_is_413(service: Service, path: str, media_type: str) -> None:
    """16 KiB and one byte, before anything of it is read as a form or JSON."""
    headers = {**basic(), "Content-Type": media_type}
    answer = service.http.simulate_post(path, body=b"x" * (LIMIT + 1), headers=headers)
    assert (413, "invalid_request") == (answer.status_code, answer.json["error"])


def test_body_of_exactly_the_limit_is_read(service: Service) -> None:
    """The limit belongs to what is allowed."""
    body = f"{GRANT}&x=".ljust(LIMIT, "y")
    assert [OK, (413, "invalid_request")] == [post(service, one) for one in (body, body + "y")]


def raw(service: Service, path: str, body: bytes = b"", **environ: str) -> tuple[str, bytes]:
    """Call the WSGI application with an environment that no well-behaved server makes."""
    headers = {**basic(), "Content-Type": FORM} if body else {}
    made = testing.create_environ(path, method="POST", body=body, headers=headers)
    made.update(environ)
    capture = testing.StartResponseMock()
    answer = b"".join(service.http.app(made, capture))
    return str(capture.status), answer


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(len(GRANT)), "200 OK"),
        (str(len(GRANT) - 5), "400 Bad Request"),
        (str(len(GRANT) + 1), "400 Bad Request"),
        ("0", "400 Bad Request"),
        ("", "400 Bad Request"),
        ("-1", "400 Bad Request"),
        ("1e3", "400 Bad Request"),
        ("0x10", "400 Bad Request"),
        ("nonsense", "400 Bad Request"),
        ("99999999999999999999", "413 Content Too Large"),
        (str(LIMIT + 1), "413 Content Too Large"),
    ],
)
def test_content_length_that_lies_gains_nothing(service: Service, length: str, status: str) -> None:
    """Too short cuts the form, too long is noticed, and what is no number is refused."""
    found, body = raw(service, "/token", GRANT.encode(), CONTENT_LENGTH=length)
    assert (status, "200" in status) == (found, b"access_token" in body)


@pytest.mark.parametrize("header", ["Bearer ", "Bearer   ", "bearer \t", "Bearer"])
def test_bearer_without_a_token_at_revoke_is_no_defect(service: Service, header: str) -> None:
    """A server that keeps trailing spaces gets the same kind of answer."""
    found, _ = raw(service, "/revoke", HTTP_AUTHORIZATION=header)
    assert found in {"200 OK", "401 Unauthorized"}
