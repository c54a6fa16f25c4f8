"""Every way in which no token can be had. No text here ever holds a secret or a token."""


class TokenError(Exception):
    """No token could be had. `retry_after_s`: what the server asked to wait, if it did."""

    is_transient = False
    """Whether the same request may well succeed a little later."""

    retry_after_s: float | None = None


class OAuthError(TokenError):
    """The token endpoint said no, in the words of RFC 6749 §5.2."""

    def __init__(
        self, error: str, description: str, status: int, retry_after_s: float | None = None
    ) -> None:
        super().__init__(error, description, status, retry_after_s)
        self.error = error
        self.description = description
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_transient = status in TRANSIENT_STATUSES

    def __str__(self) -> str:
        return f"{self.status} {self.error}: {self.description}"


class TokenEndpointUnreachable(TokenError):
    """No answer: no connection, none in time, or none that came to its end."""

    is_transient = True


class InvalidAnswer(TokenError):
    """An answer that is neither a token nor an OAuth error; a redirect is one of these."""

    def __init__(self, detail: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(detail, status, retry_after_s)
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_transient = status in TRANSIENT_STATUSES

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"


TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
