"""A keyring with a key of each algorithm, all of them good at NOW."""

from pathlib import Path

import pytest

from app.keys import ALGORITHMS, Key, KeyRing, load_keyring
from tests.forgery import NOW
from tests.service import add_key


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """One key per algorithm; its kid is the algorithm in small letters. The last one signs."""
    keys_dir: Path = tmp_path_factory.mktemp("ring") / "keys"
    for age_s, alg in enumerate(reversed(ALGORITHMS)):
        add_key(keys_dir, alg.lower(), alg, NOW - 1000 + age_s)
    return load_keyring(keys_dir)


@pytest.fixture
def key(ring: KeyRing) -> Key:
    """The ES256 key."""
    return ring.find("es256", NOW)
