"""Nonces: good for a while, on every worker, and nobody else can make one."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.keys import KeyRing, load_keyring
from app.nonces import STEP_S, is_fresh, new_nonce
from tests.forgery import NOW
from tests.service import add_key


def test_nonce_is_fresh_for_a_step_and_the_next(ring: KeyRing) -> None:
    """A client that asks each minute never meets an old one."""
    nonce = new_nonce(ring, NOW)
    assert [True, True, False] == [is_fresh(nonce, ring, NOW + n * STEP_S) for n in (0, 1, 2)]


def test_nonce_of_a_slightly_faster_clock_is_fresh(ring: KeyRing) -> None:
    """Gateways that agree within a second do not send clients from one to the other."""
    assert is_fresh(new_nonce(ring, NOW + STEP_S), ring, NOW + STEP_S - 1)
    assert not is_fresh(new_nonce(ring, NOW + 2 * STEP_S), ring, NOW)


@pytest.mark.parametrize("forged", ["", "x", "A" * 22, "ä", "\ud800"])
def test_forged_nonce_is_not_fresh(ring: KeyRing, forged: str) -> None:
    """Nor is anything that is no nonce at all."""
    assert not is_fresh(forged, ring, NOW)


def test_nonce_of_another_keyring_is_not_fresh(ring: KeyRing, tmp_path: Path) -> None:
    """Whoever has not our keys cannot make one."""
    add_key(tmp_path / "keys", "es256")
    assert not is_fresh(new_nonce(load_keyring(tmp_path / "keys"), NOW), ring, NOW)


def test_nonce_outlives_a_rotation(ring: KeyRing) -> None:
    """A worker that signs with the next key takes those that the one before has made."""
    before = KeyRing(ring.keys[:-1])
    assert is_fresh(new_nonce(before, NOW), ring, NOW)


def test_nonce_is_made_with_a_key_that_all_workers_have_by_now(ring: KeyRing) -> None:
    """One that is published and does not sign yet may be unknown to another worker."""
    future = replace(ring.keys[-1], kid="next", signs_from_s=NOW + 1, nonce_key=b"next")
    assert new_nonce(ring, NOW) == new_nonce(KeyRing((*ring.keys, future)), NOW)
    assert is_fresh(new_nonce(KeyRing((future,)), NOW), KeyRing((future,)), NOW)


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "HS256"])
def test_every_kind_of_key_makes_nonces_of_its_own(alg: str, tmp_path: Path) -> None:
    """The same in two workers that load the same keyring; a key never makes an empty one."""
    add_key(tmp_path / "keys", "a", alg)
    first, second = load_keyring(tmp_path / "keys"), load_keyring(tmp_path / "keys")
    assert new_nonce(first, NOW) == new_nonce(second, NOW)
    assert 32 == len(first.keys[0].nonce_key)
    assert repr(first.keys[0].nonce_key) not in repr(first.keys[0])
