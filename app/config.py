"""The one frozen configuration, read once from the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from app.clients import LONGEST_TTL_S
from app.dpop import DpopRules
from app.errors import ConfigError
from app.htu import origin_of
from app.sentinel_url import SCHEMES, SentinelUrl
from app.topology import start_up_nodes


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """Who may look and who may change something; without an admin token nobody may do the latter.

    The URLs lead to the same Redis as everybody's, with accounts that may do what this needs.
    """

    redis_url: str
    admin_redis_url: str
    admin_token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """What the service needs to know. Times are in the unit that their name ends with."""

    issuer: str
    audience: str
    realm: str
    keys_dir: Path
    redis_url: str
    redis_timeout_ms: int
    replicas_to_ack: int
    replicas_ack_timeout_ms: int
    token_ttl_s: int
    leeway_s: int
    audit_max_entries: int
    heartbeat_ms: int
    warm_tokens: int
    warm_clients: int
    metrics_dir: Path | None
    state_dir: Path | None
    canary_s: int
    traces: str
    dashboard: DashboardConfig
    mtls_url: str | None = None
    """Where nginx asks clients for a certificate; None: nowhere, and no certificate is believed."""

    jwks_origins: tuple[str, ...] = ()
    """Where the keys of clients that have a `jwks_uri` may be fetched."""

    dpop_needs_nonce: bool = False
    dpop_origins: tuple[str, ...] = ()
    """Where calls with a DPoP proof come to, besides the issuer's own origin."""

    @property
    def bases(self) -> tuple[str, ...]:
        """What clients may call this server: its endpoints are below each of these."""
        return (self.issuer, self.mtls_url) if self.mtls_url else (self.issuer,)

    @property
    def dpop(self) -> DpopRules:
        return DpopRules(self.bases, self.dpop_origins, self.dpop_needs_nonce)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read and check the environment; raise ConfigError that names every problem at once."""
        read = _Reader(environ)
        issuer = read.text("ISSUER", check=_problem_with_issuer)
        # A missing issuer is one problem, not two: hence a default of the default.
        config = cls(
            issuer=issuer,
            audience=read.text("AUDIENCE", issuer or "unknown", check=_problem_with_quoted),
            realm=read.text("REALM", "portcullis", check=_problem_with_quoted),
            keys_dir=Path(read.text("KEYS_DIR")),
            redis_url=read.text("REDIS_URL", check=_problem_with_redis_url),
            redis_timeout_ms=read.number("REDIS_TIMEOUT_MS", 150, 1, 10_000),
            replicas_to_ack=read.number("REPLICAS_TO_ACK", 0, 0, 100),
            replicas_ack_timeout_ms=read.number("REPLICAS_ACK_TIMEOUT_MS", 100, 1, 9_999),
            token_ttl_s=read.number("TOKEN_TTL_S", 3_600, 1, LONGEST_TTL_S),
            leeway_s=read.number("LEEWAY_S", 0, 0, 60),
            audit_max_entries=read.number("AUDIT_MAX_ENTRIES", 100_000, 1, 10**9),
            heartbeat_ms=read.number("HEARTBEAT_MS", 250, 10, 10_000),
            warm_tokens=read.number("WARM_TOKENS", 100_000, 1, 10**7),
            metrics_dir=read.path("METRICS_DIR"),
            state_dir=read.path("STATE_DIR"),
            canary_s=read.number("CANARY_S", 5, 0, 3_600),
            traces=read.text("TRACES", "none", check=_problem_with_exporter),
            warm_clients=read.number("WARM_CLIENTS", 10_000, 1, 10**7),
            dashboard=DashboardConfig(
                redis_url=read.account("DASHBOARD_REDIS_URL"),
                admin_redis_url=read.account("ADMIN_REDIS_URL"),
                admin_token=read.text("ADMIN_TOKEN", "", check=_problem_with_admin_token) or None,
                hosts=tuple(read.text("ADMIN_HOSTS", "").split()),
            ),
            dpop_needs_nonce=read.number("DPOP_NONCE", 0, 0, 1) == 1,
            dpop_origins=tuple(read.text("DPOP_ORIGINS", "", check=_problem_with_served).split()),
            mtls_url=read.text("MTLS_URL", "", check=_problem_with_mtls_url) or None,
            jwks_origins=tuple(read.text("JWKS_ORIGINS", "", check=_problem_with_origins).split()),
        )
        if read.problems:
            raise ConfigError("; ".join(read.problems))
        return config


class _Reader:
    """Collects problems instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(
        self,
        name: str,
        default: str | None = None,
        check: Callable[[str], str | None] = lambda _: None,
    ) -> str:
        value = self._environ.get(name) or default
        if value is None:
            self.problems.append(f"{name} is not set")
            return ""
        if problem := check(value):
            self.problems.append(f"{name} {problem}")
        return value

    def account(self, name: str) -> str:
        """The URL of an account of its own on the Redis that everybody uses; theirs when unset."""
        if self._environ.get(name):
            return self.text(name, check=_problem_with_redis_url)
        return self._environ.get("REDIS_URL") or ""

    def path(self, name: str) -> Path | None:
        value = self._environ.get(name)
        return Path(value) if value else None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self._environ.get(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            self.problems.append(f"{name} must be a whole number from {low} to {high}")
            return default
        return int(text)


def _problem_with_issuer(value: str) -> str | None:
    """RFC 8414 §2: a URL with no query or fragment. http is allowed for loopback and tests."""
    parts = _split_url(value)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.netloc:
        return "must be an http(s) URL"
    if parts.query or parts.fragment or value.endswith("/"):
        return "must have no query, no fragment and no trailing slash"
    return _problem_with_quoted(value)


def _problem_with_served(value: str) -> str | None:
    if not all(origin_of(one) and one.count("/") == 2 for one in value.split()):
        return "must be origins such as https://api.example, separated by spaces"
    return None


def _problem_with_mtls_url(value: str) -> str | None:
    if value and not value.startswith("https://"):
        return "must be an https URL"
    return _problem_with_issuer(value) if value else None


def _problem_with_origins(value: str) -> str | None:
    """Keys that came over plain http could be anybody's; only this machine needs no TLS."""
    for one in value.split():
        parts = _split_url(one)
        is_safe = parts is not None and (
            parts.scheme == "https"
            or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})
        )
        if (
            not is_safe
            or parts is None
            or not parts.hostname
            or one != f"{parts.scheme}://{parts.netloc}"
        ):
            return "must be origins such as https://keys.example, separated by spaces"
    return None


def _problem_with_quoted(value: str) -> str | None:
    """These values stand between quotes in headers."""
    if not re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,256}", value):
        return "must be 1 to 256 printable ASCII characters without quote or backslash"
    return None


def _problem_with_exporter(value: str) -> str | None:
    """The names are OpenTelemetry's."""
    return None if value in {"none", "otlp", "console"} else "must be none, otlp or console"


def _problem_with_redis_url(value: str) -> str | None:
    if value.startswith("cluster:"):
        return _problem_with_start_up_nodes(value)
    if value.startswith(SCHEMES):
        return SentinelUrl.problem(value)
    parts = _split_url(value)
    if parts is None or parts.scheme not in {"redis", "rediss", "unix"}:
        return "must begin with redis://, rediss://, unix://, sentinel:// or cluster://"
    return None


def _problem_with_start_up_nodes(value: str) -> str | None:
    try:
        start_up_nodes(value)
    except ValueError as error:
        return f"is {error}"
    return None


def _problem_with_admin_token(value: str) -> str | None:
    """It travels in a JSON string and must not be guessed: `openssl rand -hex 32` makes one."""
    if value and not re.fullmatch(r"[\x21-\x7e]{32,256}", value):
        return "must be 32 to 256 printable ASCII characters without spaces"
    return None


def _split_url(value: str) -> SplitResult | None:
    """Return the parts of a URL; None for what is not one, such as a port that is a word."""
    try:
        parts = urlsplit(value)
        return parts if parts.port != 0 else None
    except ValueError:
        return None
