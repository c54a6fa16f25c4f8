"""One-time tokens in Redis: armed, spent by one request, and gone in time."""

import threading

import pytest

from app.store import Store
from tests.service import Clock
from tests.store.conftest import Backend

NOW = 4_000_000_000


def test_armed_token_is_unspent_until_its_end(backend: Backend) -> None:
    """Redis forgets it then."""
    backend.store.arm("j", NOW + 100)
    assert backend.store.is_unspent("j")
    assert NOW + 100 == backend.ends_at("ott:j")
    assert not backend.store.is_unspent("other")


def test_first_request_spends_and_may_be_retried(backend: Backend) -> None:
    """The same id again is the same use; any other one is refused."""
    backend.store.arm("j", NOW)
    spent = [backend.store.spend("j", one) for one in ("r1", "r1", "r2", "r1", "")]
    assert ["ok", "ok", "spent", "ok", "spent"] == spent
    assert not backend.store.is_unspent("j")


def test_use_without_an_id_has_no_retry(backend: Backend) -> None:
    """Two nameless requests are two requests."""
    backend.store.arm("j", NOW)
    assert ["ok", "spent"] == [backend.store.spend("j", "") for _ in range(2)]
    assert -2 == backend.ends_at("spent:{ott:j}")


def test_token_that_was_never_armed_cannot_be_spent(backend: Backend) -> None:
    """Nor one whose note Redis has lost."""
    assert "spent" == backend.store.spend("j", "r1")
    assert [] == backend.redis.keys("*")


def test_note_of_who_spent_it_ends_within_a_minute(backend: Backend) -> None:
    """A retry comes within seconds."""
    backend.store.arm("j", NOW)
    backend.store.spend("j", "r1")
    assert 0 < backend.redis.ttl("spent:{ott:j}") <= 60


def test_retry_does_not_prolong_the_note(backend: Backend) -> None:
    """Otherwise one id could be used for ever."""
    backend.store.arm("j", NOW)
    backend.store.spend("j", "r1")
    backend.redis.expire("spent:{ott:j}", 20)
    assert "ok" == backend.store.spend("j", "r1")
    assert backend.redis.ttl("spent:{ott:j}") <= 20


def test_tokens_do_not_share_their_uses(backend: Backend) -> None:
    """One request may spend two tokens."""
    for jti in ("a", "b"):
        backend.store.arm(jti, NOW)
    assert ["ok", "ok"] == [backend.store.spend(jti, "r1") for jti in ("a", "b")]


@pytest.mark.parametrize("has_ids", [True, False])
def test_fifty_requests_at_once_spend_it_once(backend: Backend, has_ids: bool) -> None:
    """Exactly one of them, whichever worker it meets."""
    outcomes: list[str] = []
    barrier = threading.Barrier(50)

    def use(store: Store, request_id: str) -> None:
        store.ping()
        barrier.wait()
        outcomes.append(store.spend("j", request_id))

    backend.store.arm("j", NOW)
    workers = [Store(backend.new_line(), clock=Clock()) for _ in range(50)]
    threads = [
        threading.Thread(target=use, args=(store, f"r{n}" if has_ids else ""))
        for n, store in enumerate(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (50, 1) == (len(outcomes), outcomes.count("ok"))


def test_revoked_token_is_not_good_for_any_use(backend: Backend) -> None:
    """The question that spends it also asks whether it is revoked."""
    backend.store.arm("j", NOW)
    backend.store.revoke("j", NOW, "test")
    assert ["revoked", "revoked"] == [backend.store.spend("j", one) for one in ("r1", "r2")]
