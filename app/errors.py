"""Every way to say no. An error class is its wire code (RFC 6749 §5.2, RFC 6750 §3.1)."""

from typing import ClassVar

_LONGEST_RETRY_S = 3_600


class ConfigError(Exception):
    """The environment or a file named by it cannot be used; the text says all that is wrong."""


def rate_limit_headers(retry_after_s: int, rate_per_s: int | None) -> list[tuple[str, str]]:
    """Return Retry-After (RFC 9110 §10.2.3) and, for a client's own rate, the RateLimit fields.

    As in draft-ietf-httpapi-ratelimit-headers: quota and window, what remains, seconds until more.
    """
    headers = [("Retry-After", str(retry_after_s))]
    if rate_per_s:
        headers.append(("RateLimit-Policy", f'"client";q={rate_per_s};w=1'))
        headers.append(("RateLimit", f'"client";r=0;t={retry_after_s}'))
    return headers


class OAuthError(Exception):
    """Answered with a JSON body by the token, revocation and introspection endpoints.

    The text becomes `error_description`; it never holds a secret or a token.
    """

    status: ClassVar[int] = 400
    error: ClassVar[str]
    client_id: str = ""
    """Whose request it was, once that is known for certain; for logs only."""

    def headers(self, realm: str) -> dict[str, str]:  # noqa: ARG002 - those who challenge need it
        return {}


class InvalidRequest(OAuthError):
    error = "invalid_request"


class RequestTooLarge(InvalidRequest):
    status = 413


class InvalidClient(OAuthError):
    """One answer for whatever is wrong with a client's credentials; `detail` is for the log."""

    status = 401
    error = "invalid_client"

    def __init__(self, *, used_header: bool = False, detail: str = "") -> None:
        super().__init__("client authentication failed")
        self.used_header = used_header
        self.detail = detail

    def headers(self, realm: str) -> dict[str, str]:
        """RFC 6749 §5.2: the challenge matches the scheme that the client used."""
        return {"WWW-Authenticate": f'Basic realm="{realm}"'} if self.used_header else {}


class InvalidScope(OAuthError):
    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """RFC 8707 §2."""

    error = "invalid_target"


class UnauthorizedClient(OAuthError):
    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    error = "unsupported_grant_type"


class TemporarilyUnavailable(OAuthError):
    """What is wrong is the server's, and may pass. `detail` is for the log, `text` for callers."""

    status = 503
    error = "temporarily_unavailable"
    text: ClassVar[str] = "the server cannot answer now; try again shortly"

    def __init__(self, detail: str) -> None:
        super().__init__(self.text)
        self.detail = detail

    def headers(self, realm: str) -> dict[str, str]:  # noqa: ARG002
        return {"Retry-After": "1"}


class TooManyRequests(OAuthError):
    """RFC 6585 §4. `rate_per_s` None: the limit is not the client's own."""

    status = 429
    error = "temporarily_unavailable"

    def __init__(self, retry_after_s: int, rate_per_s: int | None = None) -> None:
        super().__init__("too many requests; try again after the time in Retry-After")
        self.retry_after_s = retry_after_s
        self.rate_per_s = rate_per_s

    def headers(self, realm: str) -> dict[str, str]:  # noqa: ARG002
        return dict(rate_limit_headers(self.retry_after_s, self.rate_per_s))


class StoreUnavailable(TemporarilyUnavailable):
    """Redis did not answer, or answered with an error. Nothing may be assumed from it."""

    def __init__(self, detail: str = "the store is unavailable") -> None:
        super().__init__(detail)


class NoSigningKey(TemporarilyUnavailable):
    """Every key of the keyring is published, and none may sign yet."""


class MintedDead(TemporarilyUnavailable):
    """A not-before that was typed by hand is not in the past yet: the token would be dead."""

    def __init__(self, for_s: float) -> None:
        super().__init__("a not-before kills what is minted now")
        self.for_s = int(min(for_s, _LONGEST_RETRY_S))

    def headers(self, realm: str) -> dict[str, str]:  # noqa: ARG002
        return {"Retry-After": str(self.for_s)}


class Refused(Exception):
    """A call that the gateway must not let through. `reason` is for logs only.

    The text says what was found, for people who ask why; it never reaches the caller.
    """

    status: ClassVar[int] = 401
    error: ClassVar[str | None] = "invalid_token"
    reason: ClassVar[str]


class NoToken(Refused):
    """RFC 6750 §3.1: a request without credentials is told no error code."""

    error = None
    reason = "no_token"


class Malformed(Refused):
    reason = "malformed"


class BadSignature(Refused):
    reason = "bad_signature"


class UnknownKey(Refused):
    reason = "unknown_key"


class WrongType(Refused):
    reason = "wrong_type"


class WrongIssuer(Refused):
    reason = "wrong_issuer"


class WrongAudience(Refused):
    reason = "wrong_audience"


class Expired(Refused):
    reason = "expired"


class NotYetValid(Refused):
    reason = "not_yet_valid"


class WrongProof(Refused):
    reason = "wrong_proof"


class Revoked(Refused):
    reason = "revoked"


class Spent(Refused):
    reason = "spent"


class ClientDisabled(Refused):
    reason = "client_disabled"


class MissingScope(Refused):
    """`needed` is the space-separated scope that the challenge names (RFC 6750 §3).

    With `needs_once` it must be the scope of a one-time token.
    """

    status = 403
    error = "insufficient_scope"
    reason = "missing_scope"

    def __init__(self, needed: str, *, needs_once: bool = False) -> None:
        wanted = [needed] if needed else []
        wanted += ["a one-time token"] if needs_once else []
        super().__init__(f"needs {' and '.join(wanted)}")
        self.needed = needed
        self.needs_once = needs_once


class UnknownRoute(Refused):
    status = 403
    error = "insufficient_scope"
    reason = "unknown_route"


class RateLimited(Refused):
    status = 429
    error = None
    reason = "rate_limited"

    def __init__(self, retry_after_s: int, rate_per_s: int) -> None:
        super().__init__(f"over the client's rate; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
        self.rate_per_s = rate_per_s


class Overloaded(Refused):
    """More comes than can be answered in time."""

    status = 503
    error = None
    reason = "overloaded"
    retry_after_s = 1


class Undecided(Refused):
    """Nothing is known for certain, so the call is not let through."""

    status = 503
    error = None
    reason = "store_unavailable"
    retry_after_s = 1
