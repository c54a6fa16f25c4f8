"""The token endpoint: one request for a token (RFC 6749 §4.4), and no more of them than is kind."""

import ipaddress
import random
from collections.abc import Callable, Mapping
from functools import cached_property
from urllib.parse import quote, urlsplit

import httpx

from portcullis_client.errors import InvalidAnswer, TokenEndpointUnreachable, TokenError
from portcullis_client.token import Token, read_answer

_LONGEST_ANSWER = 64 * 1024
"""Bytes."""

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.25, 15.0
_JITTER = random.SystemRandom()


class TokenEndpoint:
    """Asks for tokens. Safe to be used by many threads at once."""

    def __init__(
        self,
        url: str,
        client_id: str,
        client_secret: Callable[[], str],
        fields: Mapping[str, str | list[str]],
        new_http: Callable[[], httpx.Client],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._fields = {"grant_type": "client_credentials", **fields}
        self._new_http = new_http
        self._clock = clock
        self._sleep = sleep

    def mint(self, timeout_s: float) -> Token:
        """Return a new token; raise TokenError.

        What may pass is tried again, after a pause that grows, or as long as the server asks, as
        far as `timeout_s` allows.
        """
        deadline, failures = self._clock() + timeout_s, 0
        while True:
            left_s = deadline - self._clock()
            try:
                # A connection that has died silently takes half of the time, not all of it.
                return self._ask(max(0.001, min(left_s, timeout_s / 2)))
            except TokenError as error:
                failures += 1
                pause_s = pause_after(error, failures)
                if not error.is_transient or self._clock() + pause_s >= deadline:
                    raise
            self._sleep(pause_s)

    def close(self) -> None:
        if "_http" in vars(self):
            self._http.close()

    @cached_property
    def _http(self) -> httpx.Client:
        """Made when it is needed: reading the trusted certificates takes tens of milliseconds."""
        return self._new_http()

    def _ask(self, timeout_s: float) -> Token:
        asked_at = self._clock()
        trouble = "no answer in time"
        auth = self._basic()
        try:
            with self._http.stream(
                "POST",
                self._url,
                data=self._fields,
                headers={"Accept": "application/json"},
                auth=auth,
                follow_redirects=False,
                timeout=timeout_s,
            ) as response:
                body = self._body(response, until=asked_at + timeout_s)
            if body is not None:
                return read_answer(response, body, asked_at)
        except httpx.HTTPError as error:
            trouble = f"{type(error).__name__}: {error}"
        # Raised out here, the error has no context: httpx's own holds the request and its secret.
        raise TokenEndpointUnreachable(trouble)

    def _basic(self) -> httpx.BasicAuth:
        """RFC 6749 §2.3.1: both are form-encoded first."""
        try:
            secret = self._client_secret()
        except Exception as error:
            raise TokenError(f"client_secret() raised {type(error).__name__}") from error
        return httpx.BasicAuth(quote(self._client_id, safe=""), quote(secret, safe=""))

    def _body(self, response: httpx.Response, until: float) -> bytes | None:
        """Return the body, None when it drips in so slowly that time is up."""
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LONGEST_ANSWER:
                raise InvalidAnswer("the answer is too long", response.status_code)
            if self._clock() >= until:
                return None
        return body


def pause_after(error: TokenError, failures: int) -> float:
    """Return how long to leave the server alone: as it asked, and a growing, random time more."""
    longest_s = min(_FIRST_DELAY_S * 2 ** min(failures, 10), _LONGEST_DELAY_S)
    return (error.retry_after_s or 0) + _JITTER.uniform(longest_s / 2, longest_s)


def checked_url(url: str, *, is_once: bool, allow_http: bool) -> str:
    """Return the URL to ask; raise ValueError for one that credentials should not be sent to."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("token_url is not an http or https URL")
    if parts.username is not None or parts.fragment:
        raise ValueError("token_url holds credentials or a fragment")
    if parts.scheme == "http" and not (allow_http or _is_loopback(parts.hostname)):
        raise ValueError("token_url is not https; allow_http=True sends the secret in the clear")
    if is_once and parts.path.endswith("/token"):
        return parts._replace(path=parts.path.removesuffix("/token") + "/ott").geturl()
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
