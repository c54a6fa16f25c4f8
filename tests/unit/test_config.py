"""The environment is read once; whoever made mistakes in it is told all of them at once."""

import dataclasses
from pathlib import Path

import pytest

from app.config import Config, DashboardConfig
from app.errors import ConfigError

GOOD = {"ISSUER": "https://auth.example", "KEYS_DIR": "/keys", "REDIS_URL": "redis://localhost"}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Config.from_environ(environ)
    return str(raised.value).split("; ")


def test_least_environment_gives_the_defaults() -> None:
    """Three variables are enough; every other one has a default."""
    expected = Config(
        issuer="https://auth.example",
        audience="https://auth.example",
        realm="portcullis",
        keys_dir=Path("/keys"),
        redis_url="redis://localhost",
        redis_timeout_ms=150,
        replicas_to_ack=0,
        replicas_ack_timeout_ms=100,
        token_ttl_s=3600,
        leeway_s=0,
        audit_max_entries=100_000,
        heartbeat_ms=250,
        warm_tokens=100_000,
        warm_clients=10_000,
        metrics_dir=None,
        state_dir=None,
        canary_s=5,
        traces="none",
        dashboard=DashboardConfig("redis://localhost", "redis://localhost"),
    )
    assert expected == Config.from_environ(GOOD)


FULL = {
    "ISSUER": "http://127.0.0.1:8080/auth",
    "AUDIENCE": "urn:orders",
    "REALM": "the gate",
    "KEYS_DIR": "keys",
    "REDIS_URL": "unix://app:pass@/run/redis.sock",
    "REDIS_TIMEOUT_MS": "10000",
    "REPLICAS_TO_ACK": "2",
    "REPLICAS_ACK_TIMEOUT_MS": "9999",
    "TOKEN_TTL_S": "86400",
    "LEEWAY_S": "60",
    "AUDIT_MAX_ENTRIES": "1",
    "HEARTBEAT_MS": "500",
    "WARM_TOKENS": "2",
    "WARM_CLIENTS": "3",
    "METRICS_DIR": "/metrics",
    "STATE_DIR": "/state",
    "CANARY_S": "0",
    "TRACES": "otlp",
    "DASHBOARD_REDIS_URL": "unix://dashboard:look@/run/redis.sock",
    "ADMIN_REDIS_URL": "unix://admin:change@/run/redis.sock",
    "ADMIN_TOKEN": "0123456789abcdef0123456789abcdef",
    "ADMIN_HOSTS": "ops.example [fd00::1]",
    "MTLS_URL": "https://mtls.example:8444",
    "JWKS_ORIGINS": "https://keys.example http://127.0.0.1:8000",
    "DPOP_NONCE": "1",
    "DPOP_ORIGINS": "https://api.example http://127.0.0.1:8080",
}
READ = Config(
    "http://127.0.0.1:8080/auth",
    "urn:orders",
    "the gate",
    Path("keys"),
    "unix://app:pass@/run/redis.sock",
    10_000,
    2,
    9_999,
    86_400,
    60,
    1,
    500,
    2,
    3,
    Path("/metrics"),
    Path("/state"),
    0,
    "otlp",
    DashboardConfig(
        "unix://dashboard:look@/run/redis.sock",
        "unix://admin:change@/run/redis.sock",
        "0123456789abcdef0123456789abcdef",
        ("ops.example", "[fd00::1]"),
    ),
    "https://mtls.example:8444",
    ("https://keys.example", "http://127.0.0.1:8000"),
    dpop_needs_nonce=True,
    dpop_origins=("https://api.example", "http://127.0.0.1:8080"),
)


def test_full_environment_is_read_as_written() -> None:
    """Each variable lands in its own field."""
    assert READ == Config.from_environ(FULL)


def test_empty_variable_counts_as_unset() -> None:
    """`TOKEN_TTL_S=` in an env file means the default, `ISSUER=` means missing."""
    assert 3600 == Config.from_environ({**GOOD, "TOKEN_TTL_S": ""}).token_ttl_s
    assert ["ISSUER is not set"] == problems({**GOOD, "ISSUER": ""})


def test_empty_environment_names_what_is_required_and_nothing_else() -> None:
    """A missing issuer is one problem, though the audience would have come from it."""
    expected = ["ISSUER is not set", "KEYS_DIR is not set", "REDIS_URL is not set"]
    assert expected == problems({})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ISSUER", "auth.example", "must be an http(s) URL"),
        ("ISSUER", "ftp://auth.example", "must be an http(s) URL"),
        ("ISSUER", "https://", "must be an http(s) URL"),
        ("ISSUER", "https://a.example:port", "must be an http(s) URL"),
        ("ISSUER", "https://[", "must be an http(s) URL"),
        ("ISSUER", "https://a.example/", "must have no query, no fragment and no trailing slash"),
        ("ISSUER", "https://a.example?x", "must have no query, no fragment and no trailing slash"),
        ("ISSUER", "https://a.example#x", "must have no query, no fragment and no trailing slash"),
        ("ISSUER", "https://a.example/\u00e9", "must be 1 to 256 printable ASCII characters"),
        ("ISSUER", 'https://a.example/"', "must be 1 to 256 printable ASCII characters"),
        ("ISSUER", "https://a.example/" + "x" * 256, "must be 1 to 256 printable ASCII"),
        ("AUDIENCE", "a\\b", "must be 1 to 256 printable ASCII characters"),
        ("AUDIENCE", "a\nb", "must be 1 to 256 printable ASCII characters"),
        ("REALM", 'a", error="', "must be 1 to 256 printable ASCII characters"),
        ("TRACES", "otlp,console", "must be none, otlp or console"),
        (
            "REDIS_URL",
            "localhost:6379",
            "must begin with redis://, rediss://, unix://, sentinel:// or cluster://",
        ),
        (
            "REDIS_URL",
            "http://localhost",
            "must begin with redis://, rediss://, unix://, sentinel:// or cluster://",
        ),
        (
            "REDIS_URL",
            "redis://[",
            "must begin with redis://, rediss://, unix://, sentinel:// or cluster://",
        ),
        ("REDIS_URL", "cluster://host", "is not like cluster://user:password@host:port,host:port"),
        ("REDIS_URL", "redis://host:port", "must begin with redis://"),
        ("DPOP_NONCE", "yes", "must be a whole number from 0 to 1"),
        ("DPOP_ORIGINS", "api.example", "must be origins such as https://api.example"),
        ("DPOP_ORIGINS", "https://a.example https://b.example/x", "must be origins such as"),
        ("REDIS_TIMEOUT_MS", "0", "must be a whole number from 1 to 10000"),
        ("REDIS_TIMEOUT_MS", "10001", "must be a whole number from 1 to 10000"),
        ("TOKEN_TTL_S", "0", "must be a whole number from 1 to 86400"),
        ("TOKEN_TTL_S", "86401", "must be a whole number from 1 to 86400"),
        ("TOKEN_TTL_S", "1e3", "must be a whole number from 1 to 86400"),
        ("TOKEN_TTL_S", "-5", "must be a whole number from 1 to 86400"),
        ("TOKEN_TTL_S", "\u0661\u0662", "must be a whole number from 1 to 86400"),
        ("TOKEN_TTL_S", "9" * 5000, "must be a whole number from 1 to 86400"),
        ("LEEWAY_S", "61", "must be a whole number from 0 to 60"),
        ("LEEWAY_S", "0.5", "must be a whole number from 0 to 60"),
        ("DASHBOARD_REDIS_URL", "localhost", "must begin with redis://"),
        ("ADMIN_REDIS_URL", "http://localhost", "must begin with redis://"),
        ("ADMIN_TOKEN", "0123456789abcdef0123456789abcde", "must be 32 to 256 printable ASCII"),
        ("ADMIN_TOKEN", "0123456789abcdef 0123456789abcdef", "must be 32 to 256 printable ASCII"),
        ("MTLS_URL", "http://mtls.example", "must be an https URL"),
        ("MTLS_URL", "https://mtls.example/", "must have no query, no fragment"),
        ("JWKS_ORIGINS", "https://keys.example/", "must be origins such as"),
        ("JWKS_ORIGINS", "https://keys.example/a", "must be origins such as"),
        ("JWKS_ORIGINS", "keys.example", "must be origins such as"),
        ("JWKS_ORIGINS", "https://", "must be origins such as"),
        ("JWKS_ORIGINS", "http://keys.example", "must be origins such as"),
        ("JWKS_ORIGINS", "https://a.example file:///etc", "must be origins such as"),
        ("AUDIT_MAX_ENTRIES", "many", "must be a whole number from 1 to 1000000000"),
    ],
)
def test_unusable_value_is_named_with_its_rule(name: str, value: str, problem: str) -> None:
    """One bad variable gives one problem, which names the variable and says what it must be."""
    found = problems({**GOOD, "AUDIENCE": "urn:x", name: value})
    assert 1 == len(found)
    assert found[0].startswith(f"{name} {problem}")


def test_many_mistakes_are_reported_together() -> None:
    """Nobody fixes one variable to be told of the next."""
    environ = {
        "ISSUER": "nowhere",
        "AUDIENCE": '"',
        "REALM": "\\",
        "REDIS_URL": "tcp://x",
        "REDIS_TIMEOUT_MS": "soon",
        "TOKEN_TTL_S": "long",
        "LEEWAY_S": "61",
        "AUDIT_MAX_ENTRIES": "0",
    }
    expected = [*environ, "KEYS_DIR"]
    assert sorted(expected) == sorted(one.split()[0] for one in problems(environ))


def test_admin_token_is_not_in_what_a_log_would_show() -> None:
    """Somebody will print the configuration one day."""
    token = "0123456789abcdef0123456789abcdef"
    assert token not in repr(Config.from_environ({**GOOD, "ADMIN_TOKEN": token}))


def test_configuration_cannot_be_changed() -> None:
    """What was read at the start holds until the end."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.from_environ(GOOD).leeway_s = 60  # type: ignore[misc]


class Asked(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def test_every_setting_has_a_line_in_the_readme() -> None:
    """Whatever is read from the environment, a reader of its table knows of."""
    environ = Asked(GOOD)
    Config.from_environ(environ)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert len(environ.names) > 20
    assert set() == {name for name in environ.names if f"\n| `{name}` |" not in readme}
