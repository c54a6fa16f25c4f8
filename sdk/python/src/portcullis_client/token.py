"""A token and its time, and how an answer of the token endpoint is read (RFC 6749 §5)."""

import json
import math
import random
import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from portcullis_client.errors import InvalidAnswer, OAuthError, TokenError

_EARLIEST_SHARE, _EARLIEST_S = 0.2, 300.0
"""A token is renewed at most this share of its life, or this long, before its end."""

_LONGEST_WAIT_S = 300.0
"""No server makes a client wait longer than this."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_JITTER = random.SystemRandom()  # not repeated in a forked child


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. Times are of the monotonic clock, so the wall clock may be wrong."""

    access_token: str = field(repr=False)
    scope: str
    expires_at: float
    renew_at: float


def read_answer(response: httpx.Response, body: bytes, asked_at: float) -> Token:
    """Return the token in an answer to what was asked at `asked_at`; raise TokenError."""
    document = _document(response, body)
    if response.status_code == httpx.codes.OK:
        return _token(document, asked_at)
    error = document.get("error")
    if isinstance(error, str) and not response.is_redirect:
        description = _printable(document.get("error_description"))
        wait_s = _retry_after_s(response)
        raise OAuthError(_printable(error), description, response.status_code, wait_s)
    raise _no_token("neither a token nor an OAuth error", response)


def _document(response: httpx.Response, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    if response.status_code == httpx.codes.OK:
        raise _no_token("not a JSON object", response)
    return {}


def _token(document: dict[str, Any], asked_at: float) -> Token:
    """Count the life from before the request was sent: it is never longer than the server's."""
    value, life_s = document.get("access_token"), document.get("expires_in")
    if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
        raise InvalidAnswer("access_token is missing or unusable", httpx.codes.OK)
    if str(document.get("token_type")).lower() != "bearer":
        raise InvalidAnswer("token_type is not Bearer", httpx.codes.OK)
    if isinstance(life_s, bool) or not isinstance(life_s, int | float) or not 0 < life_s < math.inf:
        raise InvalidAnswer("expires_in is missing or unusable", httpx.codes.OK)
    early_s = min(life_s * _EARLIEST_SHARE, _EARLIEST_S) * _JITTER.uniform(0.5, 1)
    expires_at = asked_at + life_s
    return Token(value, _printable(document.get("scope")), expires_at, expires_at - early_s)


def _no_token(detail: str, response: httpx.Response) -> TokenError:
    if response.is_redirect:
        detail = "a redirect, which credentials do not follow"
    return InvalidAnswer(detail, response.status_code, _retry_after_s(response))


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds, or a date that is held against the server's own (RFC 9110 §10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        if value.isascii() and value.isdigit():
            wait_s = float(value)
        else:
            until, now = parsedate_to_datetime(value), response.headers.get("Date", "")
            wait_s = (until - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _printable(text: object) -> str:
    """What a server says ends up in logs: one line, and not a long one."""
    return "".join(c for c in text if c.isprintable())[:200] if isinstance(text, str) else ""
