"""Key sets by `jwks_uri`: where they may come from, and that no request waits for them."""

from collections.abc import Callable
from threading import Event

import pytest

from app.errors import InvalidClient, TemporarilyUnavailable
from app.remote_keys import RemoteKeys
from tests.identities import key_set, new_key, public_jwk
from tests.processes import until
from tests.service import Clock

ORIGIN = "https://keys.example"
URI = f"{ORIGIN}/billing.json"
FIRST = key_set(public_jwk(new_key(), kid="k1"))
SECOND = key_set(public_jwk(new_key(), kid="k2"))


class Place:
    """Where keys are; it says what a test wants it to say, and counts."""

    def __init__(self) -> None:
        self.text: str | Exception = FIRST
        self.asked = 0
        self.is_free = Event()
        self.is_free.set()

    def fetch(self, _uri: str) -> str:
        assert self.is_free.wait(30)
        self.asked += 1
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def keys(place: Place, clock: Clock) -> RemoteKeys:
    return RemoteKeys((ORIGIN,), place.fetch, clock)


def kids(keys: RemoteKeys, uri: str = URI) -> list[str | None]:
    """Return the names of the keys that are known; none when none are."""
    try:
        return [key.kid for key in keys.find(uri).keys]
    except TemporarilyUnavailable:
        return []


def known(keys: RemoteKeys, expected: str) -> Callable[[], bool]:
    return lambda: kids(keys) == [expected]


def test_request_does_not_wait_for_keys(keys: RemoteKeys, place: Place) -> None:
    """The first one is told to try again; once the keys are there, they are kept."""
    place.is_free.clear()
    assert [[], []] == [kids(keys), kids(keys)]
    place.is_free.set()
    until(known(keys, "k1"), what="keys are fetched")
    assert ["k1"] * 3 == [kids(keys)[0] for _ in range(3)]
    assert 1 == place.asked


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.example/billing.json",
        "https://keys.example.evil.example/",
        "https://keys.example@evil.example/",
        "https://user@keys.example/",
        "https://keys.example:8443/",
        "http://keys.example/",
        "HTTPS://evil.example/",
        "file:///etc/passwd",
        "//keys.example/",
        "https://[",
        "",
    ],
)
def test_keys_elsewhere_are_not_asked_for(keys: RemoteKeys, place: Place, uri: str) -> None:
    """Who may write a client's record cannot make the gateway ask just anybody."""
    with pytest.raises(InvalidClient):
        keys.find(uri)
    assert 0 == place.asked


def test_keys_are_fetched_anew_after_a_while(keys: RemoteKeys, place: Place, clock: Clock) -> None:
    """Five minutes; meanwhile those that are known serve on."""
    until(known(keys, "k1"), what="keys are fetched")
    place.text = SECOND
    clock.now += 299
    assert ["k1"] == kids(keys)
    clock.now += 2
    until(known(keys, "k2"), what="keys are fetched anew")


def test_keys_are_good_for_an_hour_when_their_place_is_gone(
    keys: RemoteKeys, place: Place, clock: Clock
) -> None:
    """Then nobody knows whether they still are."""
    until(known(keys, "k1"), what="keys are fetched")
    place.text = OSError("gone")
    clock.now += 3599
    assert ["k1"] == kids(keys)
    clock.now += 2
    assert [] == kids(keys)


@pytest.mark.parametrize("text", ["", "{", "<html>", key_set({"kty": "oct", "k": "AAAA"})])
def test_what_are_no_keys_change_nothing(
    keys: RemoteKeys, place: Place, clock: Clock, text: str
) -> None:
    """A broken document takes no good keys away, nor is it asked for in a loop."""
    until(known(keys, "k1"), what="keys are fetched")
    place.text = text
    clock.now += 301
    assert ["k1"] == kids(keys)
    until(lambda: place.asked == 2, what="they are fetched anew")
    clock.now += 4
    assert ["k1"] == kids(keys)
    assert 2 == place.asked
    place.text = SECOND
    clock.now += 2
    until(known(keys, "k2"), what="they are fetched anew again")


def test_unknown_key_is_looked_for_once_a_minute(
    keys: RemoteKeys, place: Place, clock: Clock
) -> None:
    """A client that has a new key gets in soon; whoever makes up names causes no storm."""
    until(known(keys, "k1"), what="keys are fetched")
    clock.now += 30
    keys.look_again(URI)
    place.text = SECOND
    clock.now += 31
    for _ in range(100):
        keys.look_again(URI)
    until(known(keys, "k2"), what="keys are fetched anew")
    assert 2 == place.asked


def test_places_are_bounded(keys: RemoteKeys) -> None:
    """A thousand; the one that was used last least recently makes room."""
    for number in range(1_500):
        kids(keys, f"{ORIGIN}/{number}")
    assert 1_000 == len(keys._entries)  # noqa: SLF001
