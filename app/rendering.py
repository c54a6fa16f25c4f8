"""The wire form of every error: JSON for OAuth requests, headers alone for the gateway."""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import falcon

from app.correlation import sane_request_id
from app.dpop_errors import NonceNeeded, WrongDpopProof
from app.errors import (
    InvalidRequest,
    MissingScope,
    OAuthError,
    Overloaded,
    RateLimited,
    Refused,
    Undecided,
    rate_limit_headers,
)
from app.proof_key import PROOF_ALGORITHMS
from app.refusals import Refusals

BODYLESS = [("Content-Length", "0"), ("Content-Type", "text/plain")]
_STATUS_LINES = {
    401: "401 Unauthorized",
    403: "403 Forbidden",
    429: "429 Too Many Requests",
    503: "503 Service Unavailable",
}

# What a slip in the route table has made unfit for a header is left out of it.
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")

log = logging.getLogger("portcullis")


@dataclass(frozen=True, slots=True)
class ErrorRenderer:
    """Errors of the OAuth endpoints as JSON, and a note of them for people.

    `realm` stands in the challenges.
    """

    realm: str
    refusals: Refusals | None = None
    clock: Callable[[], float] = time.time

    def oauth_error(
        self, req: falcon.Request, resp: falcon.Response, error: OAuthError, _params: object
    ) -> None:
        """RFC 6749 §5.2."""
        resp.status = error.status
        resp.media = {"error": error.error, "error_description": str(error)}
        resp.set_headers(error.headers(self.realm))
        forbid_storing(resp)
        if self.refusals and self.refusals.is_due(error.error, self.clock()):
            self.refusals.note(
                error,
                client_id=error.client_id,
                method=req.method,
                target=req.path,
                request_id=sane_request_id(req.get_header("X-Request-ID")),
            )

    def http_error(
        self, req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: object
    ) -> None:
        """What Falcon itself refuses, such as a method or a path that is not served."""
        self.oauth_error(req, resp, InvalidRequest(error.title), params)
        resp.status = error.status
        resp.set_headers(error.headers or {})


def render_surprise(
    req: falcon.Request, resp: falcon.Response, error: Exception, _params: object
) -> None:
    """A defect. The log has the traceback; the caller learns nothing."""
    log.error("unexpected error in %s %s", req.method, req.path, exc_info=error)
    resp.status = falcon.HTTP_500
    resp.media = {"error": "server_error", "error_description": "unexpected error"}
    forbid_storing(resp)


def render_busy() -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status line, headers and body for a request that is turned away unread."""
    body = b'{"error": "temporarily_unavailable", "error_description": "too busy; try again"}'
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Pragma", "no-cache"),
        ("Retry-After", "1"),
    ]
    return _STATUS_LINES[503], headers, body


def render_refusal(
    refusal: Refused, realm: str, *, is_dpop: bool = False
) -> tuple[str, list[tuple[str, str]]]:
    """Return status line and headers of a refusal, as WSGI wants them.

    RFC 6750 §3, RFC 9449 §7.1: the challenge; RFC 9110 §10.2.3: Retry-After. Bodyless, because
    nginx keeps its connection only then; the reason is for nginx's log.
    """
    headers = [("X-Auth-Reason", refusal.reason), *BODYLESS]
    if isinstance(refusal, RateLimited):
        headers += rate_limit_headers(refusal.retry_after_s, refusal.rate_per_s)
    elif isinstance(refusal, Overloaded | Undecided):
        headers.append(("Retry-After", str(refusal.retry_after_s)))
    else:
        scheme = "DPoP" if is_dpop or isinstance(refusal, WrongDpopProof) else "Bearer"
        headers.append(("WWW-Authenticate", _challenge(refusal, realm, scheme)))
    if isinstance(refusal, NonceNeeded):
        headers.append(("DPoP-Nonce", refusal.nonce))
    return _STATUS_LINES[refusal.status], headers


def _challenge(refusal: Refused, realm: str, scheme: str) -> str:
    challenge = f'{scheme} realm="{realm}"'
    if refusal.error:
        challenge += f', error="{refusal.error}"'
    if isinstance(refusal, MissingScope):
        if refusal.needed and _QUOTABLE.fullmatch(refusal.needed):
            challenge += f', scope="{refusal.needed}"'
        if refusal.needs_once:
            # No scope that a client could ask /token for: it has to be told in words.
            challenge += ', error_description="a one-time token is needed"'
    if scheme == "DPoP":
        challenge += f', algs="{" ".join(PROOF_ALGORITHMS)}"'
    return challenge


def forbid_storing(resp: falcon.Response) -> None:
    """RFC 6749 §5.1: neither tokens nor refusals may be kept by a cache."""
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Pragma", "no-cache")
