"""What the service writes, and that every perishable key of it ends."""

from app.journal import Journal, Use
from app.lua import Script
from tests.store.conftest import Backend

NOW = 4_000_000_000
YEAR_S = 365 * 86_400
LASTING = {"dataset", "audit"}


def test_revocation_ends_a_minute_after_the_token(backend: Backend) -> None:
    """The largest leeway is a minute; the value is the reason."""
    backend.store.revoke("j", NOW + 100, "why")
    assert ("why", NOW + 160) == (backend.redis.get("revoked:j"), backend.ends_at("revoked:j"))
    assert backend.store.learn(jti="j").is_revoked


def test_revocation_counts_for_every_worker_once_it_is_done(backend: Backend) -> None:
    """The next question of anybody sees it."""
    backend.store.revoke("j", NOW, "x")
    (reply,) = backend.new_line().ask(("EXISTS", "revoked:j"))
    assert 1 == reply


def test_every_perishable_key_has_an_end(backend: Backend) -> None:
    """All that the service ever writes, in one heap."""
    journal = Journal(backend.new_line(), most_entries=100)
    backend.store.learn(world=True)
    backend.store.revoke("j", NOW, "x")
    for jti in ("spent", "kept"):
        backend.store.arm(jti, NOW)
    backend.store.spend("spent", "r")
    journal.note({"event": "mint"}, Use("demo", "secret", NOW))
    journal.close()
    # In one question, because the state of a rate ends within two seconds.
    ask, look = backend.store.line.ask, (("KEYS", "*"), ("PTTL", "rate:demo"))
    _, found, left_ms = Script("rate_limit").run(ask, ["rate:demo"], (5, 1), after=look)
    keys = [str(key) for key in found]
    kinds = {"revoked:j", "ott:kept", "spent:{ott:spent}", "rate:demo", "used:demo", *LASTING}
    assert kinds == set(keys)
    endless = {key for key in keys if backend.redis.ttl(key) == -1}
    assert LASTING == endless
    assert 0 < left_ms <= 2000


def test_use_of_a_secret_is_kept_for_a_year(backend: Backend) -> None:
    """Apart from the client, which changes only when a person changes it."""
    journal = Journal(backend.new_line(), most_entries=100)
    for use in (
        Use("demo", "a", NOW),
        Use("demo", "a", NOW + 5),
        Use("demo", "b", NOW),
        Use("other", "a", NOW),
    ):
        journal.note({"event": "mint"}, use)
    journal.close()
    found = {
        client_id: backend.redis.hgetall(f"used:{client_id}") for client_id in ("demo", "other")
    }
    assert {"demo": {"a": str(NOW + 5), "b": str(NOW)}, "other": {"a": str(NOW)}} == found
    assert YEAR_S - 60 <= backend.redis.ttl("used:demo") <= YEAR_S
