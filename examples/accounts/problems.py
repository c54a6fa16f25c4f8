"""Every way to say no, as problem details (RFC 9457): a class is its type, status and title."""

import json
from typing import ClassVar

import falcon

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"


class Problem(Exception):
    """The text becomes `detail`; `type` is a name and no address: nothing is to be found there."""

    status: ClassVar[int] = 400
    name: ClassVar[str]
    title: ClassVar[str]


class MalformedRequest(Problem):
    name = "malformed-request"
    title = "The request cannot be understood"


class KeyMissing(Problem):
    name = "idempotency-key-missing"
    title = "Idempotency-Key is missing"

    def __init__(self) -> None:
        super().__init__(
            "send an Idempotency-Key of your own making, 1 to 255 printable characters,"
            " and the same one when you try again"
        )


class KeyReused(Problem):
    status = 422
    name = "idempotency-key-reused"
    title = "Idempotency-Key was used for another request"

    def __init__(self) -> None:
        super().__init__("a key belongs to the request that it first came with")


class NoAccount(Problem):
    """One answer for an account that is not there and for one that is somebody else's."""

    status = 404
    name = "no-such-account"
    title = "There is no such account"

    def __init__(self) -> None:
        super().__init__("it does not exist, or it is not yours")


class InsufficientFunds(Problem):
    status = 409
    name = "insufficient-funds"
    title = "The balance is too low"

    def __init__(self) -> None:
        super().__init__("nothing was booked")


class LimitExceeded(Problem):
    status = 409
    name = "limit-exceeded"
    title = "The bank holds as much as it can count"

    def __init__(self) -> None:
        super().__init__("all balances together are at most 2^53 - 1 cents; nothing was booked")


class Unidentified(Problem):
    """Nothing is in front of the service that says who calls: that is nobody's fault but ours."""

    status = 500
    name = "unidentified"
    title = "Nobody said who is calling"

    def __init__(self) -> None:
        super().__init__("this service must be reached through its gateway alone")


class Unavailable(Problem):
    status = 503
    name = "unavailable"
    title = "The accounts cannot be reached now"

    def __init__(self) -> None:
        super().__init__("try again with the same Idempotency-Key: nothing is booked twice")


def render_problem(
    _req: falcon.Request, resp: falcon.Response, problem: Problem, _params: object
) -> None:
    """Answer with one of the above."""
    _render(resp, problem.status, f"urn:problem:{problem.name}", problem.title, str(problem))
    if isinstance(problem, Unavailable):
        resp.set_header("Retry-After", RETRY_AFTER_S)


def render_http_error(_req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """What Falcon itself refuses, such as a path or a method that is not served; and defects."""
    _render(resp, error.status_code, "about:blank", error.title, error.description)


def _render(resp: falcon.Response, status: int, name: str, title: str, detail: str | None) -> None:
    members = {"type": name, "title": title, "status": status, "detail": detail}
    resp.status = status
    resp.content_type = MEDIA_TYPE
    resp.set_header("Cache-Control", "no-store")
    resp.text = json.dumps({key: value for key, value in members.items() if value is not None})
