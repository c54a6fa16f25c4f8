"""sentinel:// URLs, which redis-py does not know."""

import pytest

from app.sentinel_url import SentinelUrl


def test_shortest_url_has_defaults() -> None:
    """One sentinel at its usual port, nobody to log in as, database 0."""
    expected = SentinelUrl(("redis://a.example:26379",), "gate", None, None, 0)
    assert expected == SentinelUrl.parse("sentinel://a.example/gate")


def test_full_url_is_read_as_written() -> None:
    """Everything percent-encoded is decoded, and encoded again where redis-py reads it."""
    found = SentinelUrl.parse(
        "sentinel://app:p%40ss%2F@[::1]:1,b:2/my-gate.1/3?sentinel_user=u%3A&sentinel_password=%2F"
    )
    sentinels = ("redis://u%3A:%2F@[::1]:1", "redis://u%3A:%2F@b:2")
    assert SentinelUrl(sentinels, "my-gate.1", "app", "p@ss/", 3) == found


def test_password_alone_is_that_of_the_default_user() -> None:
    """As in redis://:password@host."""
    found = SentinelUrl.parse("sentinel://:secret@a/gate?sentinel_password=s")
    expected = (None, "secret", ("redis://:s@a:26379",))
    assert expected == (found.user, found.password, found.sentinels)


def test_tls_is_for_the_sentinels_and_for_redis() -> None:
    """In redis-py's own words; without TLS they mean nothing."""
    found = SentinelUrl.parse(
        "sentinels://app:p%2F@a:1/gate/2?ssl_ca_certs=%2Fca.pem&sentinel_password=s"
    )
    assert ("rediss://:s@a:1?ssl_ca_certs=%2Fca.pem",) == found.sentinels
    assert "rediss://?ssl_ca_certs=%2Fca.pem" == found.base
    assert "rediss://app:p%2F@b:6379/2?ssl_ca_certs=%2Fca.pem" == found.redis_at("b:6379")
    plain = SentinelUrl.parse("sentinel://app:p%2F@a:1/gate/2")
    assert ("redis://", "redis://app:p%2F@b:1/2") == (plain.base, plain.redis_at("b:1"))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sentinel://", "must be sentinel://"),
        ("sentinel://a:26379", "must be sentinel://"),
        ("sentinel:///gate", "must be sentinel://"),
        ("sentinel://a/two words", "must be sentinel://"),
        ("sentinel://a/gate/x", "must be sentinel://"),
        ("sentinel://p/w@a/gate", "must be sentinel://"),
        ("sentinel://a:port/gate", "no host:port: a:port"),
        ("sentinel://a:0/gate", "no host:port: a:0"),
        ("sentinel://a:65536/gate", "no host:port: a:65536"),
        ("sentinel://a,,b/gate", "no host:port: "),
        ("sentinel://a/gate?db=3", "in its query, no more"),
        ("sentinel://a/gate?sentinel_user", "in its query, no more"),
        ("sentinel://a/gate?ssl_ca_certs=x", "in its query, no more"),
        ("sentinels://a/gate?ssl=x", "ssl_ names in its query, no more"),
    ],
)
def test_url_that_cannot_be_meant_is_refused(url: str, problem: str) -> None:
    """The problem says what was expected and shows no password."""
    found = SentinelUrl.problem(url)
    assert found
    assert problem in found
    assert "p/w" not in found
