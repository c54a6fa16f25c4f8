"""Keys come and go: published before they sign, kept until their last token is dead."""

import logging
import os
from pathlib import Path

import pytest

from app.clients import LONGEST_TTL_S
from app.errors import ConfigError, NoSigningKey, UnknownKey
from app.keys import KeyRing, KeyRingFile, load_keyring
from app.verifier import Verifier
from tests.forgery import NOW, good_header, good_payload, sign
from tests.service import ISSUER, Clock, add_key

SIGNS_FROM = 1_000_000
LONGEST_LEEWAY_S = 60
LAST_BREATH = SIGNS_FROM + LONGEST_TTL_S + LONGEST_LEEWAY_S


@pytest.fixture
def rotating(keys_dir: Path) -> KeyRing:
    """Key `old` signs from the start, key `new` from SIGNS_FROM."""
    add_key(keys_dir, "old", "ES256", 0)
    add_key(keys_dir, "new", "EdDSA", SIGNS_FROM)
    return load_keyring(keys_dir)


@pytest.fixture
def watched(keys_dir: Path) -> tuple[KeyRingFile, Clock]:
    """A keyring of one key `a`, watched by a clock that stands still."""
    add_key(keys_dir, "a")
    clock = Clock(0.0)
    return KeyRingFile(keys_dir, clock), clock


def kids(ring: KeyRing) -> list[str]:
    return [key.kid for key in ring.keys]


@pytest.mark.parametrize(
    ("now", "signer"),
    [(0, "old"), (SIGNS_FROM - 0.001, "old"), (SIGNS_FROM, "new"), (SIGNS_FROM + 10**9, "new")],
)
def test_key_signs_from_its_very_second(rotating: KeyRing, now: float, signer: str) -> None:
    """The newest key whose time has come signs, and no other."""
    assert signer == rotating.signer(now).kid


def test_keyring_with_no_key_ready_cannot_sign(keys_dir: Path) -> None:
    """A key is never used before its time, even when it is the only one."""
    add_key(keys_dir, "a", "ES256", SIGNS_FROM)
    ring = load_keyring(keys_dir)
    with pytest.raises(NoSigningKey):
        ring.signer(SIGNS_FROM - 1)
    assert "a" == ring.signer(SIGNS_FROM).kid


@pytest.mark.parametrize(
    ("now", "published"),
    [
        (0, ["old", "new"]),
        (SIGNS_FROM, ["old", "new"]),
        (LAST_BREATH - 1, ["old", "new"]),
        (LAST_BREATH, ["new"]),
    ],
)
def test_key_is_published_before_it_signs_and_until_its_last_token_is_dead(
    rotating: KeyRing, now: float, published: list[str]
) -> None:
    """Publish first, sign later; retire when no token of it can be accepted any more."""
    assert published == [jwk["kid"] for jwk in rotating.published(now)]


def test_key_verifies_exactly_as_long_as_it_is_published(rotating: KeyRing) -> None:
    """What the JWK set does not show is not accepted here either."""
    assert "old" == rotating.find("old", LAST_BREATH - 1).kid
    with pytest.raises(UnknownKey):
        rotating.find("old", LAST_BREATH)
    assert "new" == rotating.find("new", LAST_BREATH + 10**9).kid


def test_each_key_of_three_ends_by_its_own_successor(keys_dir: Path) -> None:
    """A key's end is counted from the next one's start, in time order, not in file order."""
    for kid, signs_from_s in (("third", 2 * SIGNS_FROM), ("first", 0), ("second", SIGNS_FROM)):
        add_key(keys_dir, kid, "HS256", signs_from_s)
    ring = load_keyring(keys_dir)
    overlap_s = LONGEST_TTL_S + LONGEST_LEEWAY_S
    ends = [SIGNS_FROM + overlap_s, 2 * SIGNS_FROM + overlap_s, float("inf")]
    assert ["first", "second", "third"] == kids(ring)
    assert ends == [key.verifies_until_s for key in ring.keys]


def test_later_line_wins_when_two_keys_sign_from_the_same_second(keys_dir: Path) -> None:
    """Two rotations within one second leave the last one signing."""
    add_key(keys_dir, "a", "HS256", 5)
    add_key(keys_dir, "b", "HS256", 5)
    assert "b" == load_keyring(keys_dir).signer(5).kid


def test_changed_keyring_is_read_again_within_a_tenth_of_a_second(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """A rotation needs no restart, and costs ten looks a second."""
    keys, clock = watched
    add_key(keys_dir, "b")
    clock.now = 0.099
    assert ["a"] == kids(keys.current())
    clock.now = 0.1
    assert ["a", "b"] == kids(keys.current())


def test_token_of_a_key_that_joined_a_moment_ago_is_good(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """The worker that minted it has looked before the one that is asked: nobody waits a second."""
    keys, _ = watched
    verifier = Verifier(keys, Clock(NOW), issuer=ISSUER, leeway_s=0)
    add_key(keys_dir, "b")
    key = load_keyring(keys_dir).find("b", NOW)
    token = sign(key, good_header(key), good_payload())
    assert ["a"] == kids(keys.current())
    assert verifier.verify(token) == verifier.signed_claims(token)


def test_unknown_kid_has_neither_an_unchanged_nor_a_bad_keyring_read_again(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes up a kid costs no more than a look at the file's date."""
    caplog.set_level(logging.INFO, "portcullis.keys")
    keys, clock = watched
    add_key(keys_dir, "b")
    rings = [keys.look_again() for _ in range(3)]
    assert [["a", "b"]] * 3 == [kids(ring) for ring in rings]
    assert ["keyring reloaded: 2 keys"] == [one.getMessage() for one in caplog.records]
    good = (keys_dir / "keyring").read_text()
    for text in ("nonsense\n", f"{good}# corrected\n"):
        (keys_dir / "keyring").write_text(text)
        assert keys.look_again() is rings[0]
    clock.now = 1.0
    assert keys.current() is not rings[0]


def test_replaced_keyring_is_noticed_by_its_inode(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """A file moved into place with the same size and time is another file still."""
    keys, clock = watched
    add_key(keys_dir, "b")
    before = (keys_dir / "keyring").stat()
    clock.now = 1.0
    assert ["a", "b"] == kids(keys.current())
    (keys_dir / "next").write_text("b ES256 0\na ES256 0\n")
    os.utime(keys_dir / "next", ns=(before.st_mtime_ns, before.st_mtime_ns))
    (keys_dir / "next").replace(keys_dir / "keyring")
    clock.now = 2.0
    assert ["b", "a"] == kids(keys.current())


@pytest.mark.parametrize(
    "text",
    ["", "nonsense\n", "a ES256 0\nmissing ES256 1\n", "a EdDSA 0\n", "a ES256 0\na ES256 1\n"],
)
def test_unreadable_change_keeps_the_last_good_ring(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in the file costs a line in the log once, not the service."""
    keys, clock = watched
    (keys_dir / "keyring").write_text(text)
    for clock.now in (1.0, 2.0, 3.0):
        assert ["a"] == kids(keys.current())
    assert ["keyring not reloaded"] == [one.getMessage()[:20] for one in caplog.records]


def test_keyring_that_vanished_keeps_the_last_good_ring(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """A directory that is gone for a moment is no reason to forget the keys."""
    keys, clock = watched
    (keys_dir / "keyring").rename(keys_dir / "away")
    clock.now = 1.0
    assert ["a"] == kids(keys.current())


def test_corrected_keyring_is_read_after_a_bad_one(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    """The next change is looked at again, and said to have been read."""
    caplog.set_level(logging.INFO, "portcullis.keys")
    keys, clock = watched
    good = (keys_dir / "keyring").read_text()
    (keys_dir / "keyring").write_text("nonsense\n")
    clock.now = 1.0
    keys.current()
    (keys_dir / "keyring").write_text(f"# corrected\n{good}")
    add_key(keys_dir, "b")
    clock.now = 2.0
    assert ["a", "b"] == kids(keys.current())
    assert "keyring reloaded: 2 keys" == caplog.records[-1].getMessage()


def test_retired_key_is_unknown_at_the_next_look(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """Taking a key's line out kills its tokens at once."""
    keys, clock = watched
    add_key(keys_dir, "b")
    (keys_dir / "keyring").write_text("b ES256 0\n")
    clock.now = 1.0
    with pytest.raises(UnknownKey):
        keys.current().find("a", 0)


def test_keyring_that_is_bad_at_the_start_stops_the_start(keys_dir: Path) -> None:
    """There is no last good ring yet."""
    with pytest.raises(ConfigError):
        KeyRingFile(keys_dir)


def test_key_that_comes_after_its_line_is_in_force_when_it_is_there(
    keys_dir: Path, watched: tuple[KeyRingFile, Clock]
) -> None:
    """Files that are copied from another machine come in any order."""
    keys, clock = watched
    add_key(keys_dir, "b")
    (keys_dir / "b.pem").rename(keys_dir / "on its way")
    clock.now = 1.0
    assert ["a"] == kids(keys.current())
    (keys_dir / "on its way").rename(keys_dir / "b.pem")
    clock.now = 2.0
    assert ["a", "b"] == kids(keys.current())
