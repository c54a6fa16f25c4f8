"""How an error leaves the house: JSON for OAuth requests, headers alone for the gateway."""

import logging
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import falcon
import pytest
from falcon import testing

from app import errors, rendering


def answer_to_gateway(refusal: errors.Refused) -> testing.Result:
    """What nginx gets when a call is refused."""

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(*rendering.render_refusal(refusal, "the gate"))
        return ()

    return testing.TestClient(app).simulate_get("/")


def answer_to(error: Exception) -> testing.Result:
    """What a caller gets when an endpoint raises `error`."""

    class Endpoint:
        def on_get(self, _req: falcon.Request, _resp: falcon.Response) -> None:
            raise error

    app = falcon.App()
    app.add_error_handler(Exception, rendering.render_surprise)
    renderer = rendering.ErrorRenderer("the gate")
    app.add_error_handler(falcon.HTTPError, renderer.http_error)
    app.add_error_handler(errors.OAuthError, renderer.oauth_error)
    app.add_route("/", Endpoint())
    return testing.TestClient(app).simulate_get("/")


@pytest.mark.parametrize(
    ("error", "status", "body", "headers"),
    [
        (
            errors.InvalidScope("too much"),
            400,
            {"error": "invalid_scope", "error_description": "too much"},
            {},
        ),
        (
            errors.InvalidClient(used_header=True),
            401,
            {"error": "invalid_client", "error_description": "client authentication failed"},
            {"WWW-Authenticate": 'Basic realm="the gate"'},
        ),
        (
            errors.StoreUnavailable("inner detail"),
            503,
            {
                "error": "temporarily_unavailable",
                "error_description": "the server cannot answer now; try again shortly",
            },
            {"Retry-After": "1"},
        ),
    ],
)
def test_oauth_error_is_json_that_nobody_stores(
    error: Exception, status: int, body: dict[str, str], headers: dict[str, str]
) -> None:
    """RFC 6749 §5.2: error and description, no-store, and the error's own headers."""
    answer = answer_to(error)
    assert (status, body) == (answer.status_code, answer.json)
    wanted = {"Cache-Control": "no-store", "Pragma": "no-cache", **headers}
    assert wanted == {name: answer.headers.get(name) for name in wanted}
    assert "application/json" == answer.headers["Content-Type"]


@pytest.mark.parametrize(
    ("error", "status", "challenge"),
    [
        (errors.NoToken(), 401, 'Bearer realm="the gate"'),
        (errors.Expired("x"), 401, 'Bearer realm="the gate", error="invalid_token"'),
        (
            errors.MissingScope("a b"),
            403,
            'Bearer realm="the gate", error="insufficient_scope", scope="a b"',
        ),
        (
            errors.MissingScope("", needs_once=True),
            403,
            'Bearer realm="the gate", error="insufficient_scope",'
            ' error_description="a one-time token is needed"',
        ),
        (errors.UnknownRoute("x"), 403, 'Bearer realm="the gate", error="insufficient_scope"'),
        (errors.RateLimited(7, 5), 429, None),
        (errors.Undecided("x"), 503, None),
    ],
)
def test_refusal_is_headers_without_a_body(
    error: errors.Refused, status: int, challenge: str | None
) -> None:
    """RFC 6750 §3; nginx keeps a connection only after a bodyless answer."""
    answer = answer_to_gateway(error)
    assert (status, b"") == (answer.status_code, answer.content)
    assert (error.reason, challenge) == (
        answer.headers["X-Auth-Reason"],
        answer.headers.get("WWW-Authenticate"),
    )


@pytest.mark.parametrize(
    ("error", "retry_after"), [(errors.RateLimited(7, 5), "7"), (errors.Undecided("x"), "1")]
)
def test_refusal_that_will_pass_says_when(error: errors.Refused, retry_after: str) -> None:
    """RFC 9110 §10.2.3, in whole seconds."""
    assert retry_after == answer_to_gateway(error).headers["Retry-After"]


@pytest.mark.parametrize("needed", ['a"b', "a\\b", "a\r\nX: y", "\u4e2d", chr(0xDCFF), "\x00"])
def test_scope_that_no_header_can_hold_is_left_out(needed: str) -> None:
    """A slip in the route table must not break the answer, or put a header of its own into it."""
    challenge = answer_to_gateway(errors.MissingScope(needed)).headers["WWW-Authenticate"]
    assert 'Bearer realm="the gate", error="insufficient_scope"' == challenge


@pytest.mark.parametrize(
    "error", [errors.Expired("inner detail"), errors.Undecided("inner detail")]
)
def test_text_of_a_refusal_stays_inside(error: errors.Refused) -> None:
    """The client of the gateway learns the code, not the finding."""
    answer = answer_to_gateway(error)
    assert not any("inner detail" in value for value in answer.headers.values())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (falcon.HTTPNotFound(), 404),
        (falcon.HTTPMethodNotAllowed(["POST"]), 405),
        (falcon.HTTPInvalidHeader("bad", "Content-Length"), 400),
    ],
)
def test_refusal_of_the_framework_has_the_rfcs_form(error: falcon.HTTPError, status: int) -> None:
    """A path or method that is not served is told in the same form as everything else."""
    answer = answer_to(error)
    assert (status, "invalid_request") == (answer.status_code, answer.json["error"])
    assert {"error", "error_description"} == set(answer.json)


def test_defect_is_a_bare_500_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Never a stack trace on the wire."""
    caplog.set_level(logging.ERROR, "portcullis")
    answer = answer_to(RuntimeError("inner detail"))
    expected: dict[str, Any] = {"error": "server_error", "error_description": "unexpected error"}
    assert (500, expected) == (answer.status_code, answer.json)
    assert "inner detail" in caplog.text
