"""Wrong secrets are counted by client id and address, for a minute, in bounded memory."""

import pytest

from app.errors import TooManyRequests
from app.wrong_secrets import MOST, PERIOD_S, WrongSecrets

NOW = 4_000_000_000.0


def guess(seen: WrongSecrets, client_id: str = "demo", address: str = "192.0.2.1") -> int:
    """Guess once; return 0, or the seconds to wait."""
    try:
        seen.note(client_id, address, NOW)
    except TooManyRequests as error:
        return error.retry_after_s
    return 0


def exhausted() -> WrongSecrets:
    seen = WrongSecrets()
    assert [0] * MOST == [guess(seen) for _ in range(MOST)]
    return seen


def test_thirty_are_borne_and_the_next_is_told_to_wait() -> None:
    """Until the minute that began with the first is over."""
    assert PERIOD_S == guess(exhausted())


@pytest.mark.parametrize(
    ("client_id", "address", "is_free"),
    [
        ("demo", "192.0.2.1", False),
        ("demo", "192.0.2.2", True),
        ("other", "192.0.2.1", True),
        ("demo", "", True),
        ("demo", "no address", True),
    ],
)
def test_count_is_of_one_client_id_and_one_address(
    client_id: str, address: str, is_free: bool
) -> None:
    """Nobody pays for what others guess elsewhere, or in another name."""
    assert is_free == (guess(exhausted(), client_id, address) == 0)


def test_addresses_of_one_ipv6_network_count_together() -> None:
    """Whoever has a /64 has 2**64 addresses in it."""
    seen = WrongSecrets()
    for number in range(MOST):
        assert 0 == guess(seen, address=f"2001:db8::{number:x}")
    assert guess(seen, address="2001:db8::ffff:1")
    assert 0 == guess(seen, address="2001:db8:0:1::1")


@pytest.mark.parametrize(("seconds", "is_free"), [(59.9, False), (60.0, True), (-1.0, True)])
def test_count_begins_anew_after_a_minute(seconds: float, is_free: bool) -> None:
    """Also when the clock was set back: nobody waits for longer than the period."""
    seen = exhausted()
    try:
        seen.note("demo", "192.0.2.1", NOW + seconds)
    except TooManyRequests:
        assert not is_free
    else:
        assert is_free


def test_names_without_end_take_no_memory_without_end() -> None:
    """The oldest are forgotten."""
    seen = WrongSecrets()
    for number in range(12_000):
        guess(seen, f"c{number}")
    assert 10_000 == len(seen._seen)  # noqa: SLF001 - the bound itself
