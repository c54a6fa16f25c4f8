"""A client's dated secrets, and the constant work of telling them from wrong ones."""

import hmac
import json
from typing import Any

import pytest

from app.clients import Client, authenticate
from app.errors import InvalidClient
from tests.service import SECRET, client_fields, secret_entry

NOW = 1000
OLD = "old-secret-0123456789-0123456789-0123456789"


def client(*entries: dict[str, str | int], **fields: str) -> Client:
    return Client.from_fields("demo", client_fields(*entries, **fields))


@pytest.fixture
def digests(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The salts of all hashes that are computed."""
    salts: list[bytes] = []
    true_digest = hmac.digest

    def counted(key: bytes, message: bytes, name: str) -> bytes:
        salts.append(key)
        return true_digest(key, message, name)

    monkeypatch.setattr(hmac, "digest", counted)
    return salts


def is_authenticated(one: Client | None, secret: str, now: float = NOW) -> bool:
    try:
        authenticate(one, secret, now)
    except InvalidClient:
        return False
    return True


def test_right_secret_returns_the_client_and_the_secret_that_matched() -> None:
    """The mint notes which secret was used, so that ops know when the old one is idle."""
    entry = secret_entry()
    found, matched = authenticate(client(entry), SECRET, NOW)
    assert ("demo", entry["id"]) == (found.client_id, matched.id)


@pytest.mark.parametrize(
    "secret", ["", "x", SECRET + "x", SECRET[:-1], SECRET.upper(), f" {SECRET}"]
)
def test_wrong_secret_is_refused(secret: str) -> None:
    """Only the very characters count."""
    assert not is_authenticated(client(), secret)


@pytest.mark.parametrize("secret", ["\x00", "\u00e9", "\U0001f511", "\ud800", "x" * 16_000])
def test_secret_in_odd_characters_is_refused(secret: str) -> None:
    """Whatever a JSON string can hold is a wrong secret, not an error."""
    assert not is_authenticated(client(), secret)


@pytest.mark.parametrize(
    ("not_before_s", "not_after_s", "now", "expected"),
    [
        (0, 0, NOW, True),
        (NOW, 0, NOW, True),
        (NOW, 0, NOW - 0.001, False),
        (0, NOW, NOW - 0.001, True),
        (0, NOW, NOW, False),
        (0, NOW, NOW + 1, False),
        (NOW, NOW + 1, NOW, True),
        (NOW + 1, NOW, NOW, False),
    ],
)
def test_secret_is_good_between_its_dates(
    not_before_s: int, not_after_s: int, now: float, expected: bool
) -> None:
    """From not-before on, until not-after; 0 means no end."""
    entry = secret_entry(not_before_s=not_before_s, not_after_s=not_after_s)
    assert expected == is_authenticated(client(entry), SECRET, now)


def test_both_secrets_are_good_during_the_grace() -> None:
    """A rotation breaks nobody: new and old work side by side until the old one's date."""
    rotated = client(secret_entry(SECRET, "new00001"), secret_entry(OLD, "old00001", 0, NOW + 10))
    ids = [authenticate(rotated, secret, NOW)[1].id for secret in (SECRET, OLD)]
    assert ["new00001", "old00001"] == ids
    assert [True, False] == [is_authenticated(rotated, one, NOW + 10) for one in (SECRET, OLD)]


def test_third_secret_is_not_looked_at() -> None:
    """There are two at most; a longer list must not change how long an answer takes."""
    entries = [secret_entry("a" * 43, "1"), secret_entry("b" * 43, "2"), secret_entry(SECRET, "3")]
    assert not is_authenticated(client(*entries), SECRET)


def test_client_without_secrets_is_refused() -> None:
    """The stand-ins that keep the time equal match nothing."""
    for secret in (SECRET, "", "0" * 32, "0" * 64):
        assert not is_authenticated(client(secrets="[]"), secret)
        assert not is_authenticated(None, secret)


@pytest.mark.parametrize("status", ["disabled", "Active", "", "deleted"])
def test_client_that_is_not_active_is_refused(status: str) -> None:
    """Anything but `active` is not active."""
    assert not is_authenticated(client(status=status), SECRET)


@pytest.mark.parametrize(
    "one",
    [
        None,
        client(),
        client(secrets="[]"),
        client(status="disabled"),
        client(secret_entry(not_after_s=1)),
        client(secret_entry("a"), secret_entry("b")),
        client(*[secret_entry("c")] * 5),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "wrong"])
def test_two_hashes_are_computed_whoever_asks(
    digests: list[bytes], one: Client | None, secret: str
) -> None:
    """Unknown, disabled, expired, mistaken or right: the same steps, with salts of one length."""
    is_authenticated(one, secret)
    assert [32, 32] == [len(salt) for salt in digests]


def test_hash_is_the_one_that_the_scripts_compute() -> None:
    """HMAC-SHA256 with the salt's characters as the key, in hex: a value from openssl."""
    entry: dict[str, str | int] = {
        "id": "00000001",
        "salt": "0123456789abcdef0123456789abcdef",
        "hash": "34d912874eec90b0fe954c03e7c0f942f0afcfab61494129b459eaa7654d1741",
        "not_before_s": 0,
        "not_after_s": 0,
    }
    assert is_authenticated(client(entry), SECRET)


def test_lifetime_and_rate_are_the_clients_own_or_none() -> None:
    """An empty field means the server's default, or no limit."""
    empty, full = client(ttl_s="", rate_per_s=""), client(ttl_s="60", rate_per_s="5")
    assert (None, None, 60, 5) == (empty.ttl_s, empty.rate_per_s, full.ttl_s, full.rate_per_s)


@pytest.mark.parametrize("name", ["ttl_s", "rate_per_s"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", " 1", "1e3", "many", "\u0661", "9" * 10])
def test_number_that_is_not_whole_and_from_one_cannot_be_read(name: str, text: str) -> None:
    """A rate of 0 is neither no rate nor no calls: somebody has to say what was meant."""
    with pytest.raises(ValueError, match="not a whole number from 1"):
        client(**{name: text})


@pytest.mark.parametrize("name", ["status", "scopes", "secrets"])
def test_hash_without_a_needed_field_cannot_be_read(name: str) -> None:
    """Half a client is no client; the store turns this into an unavailable store."""
    fields = client_fields()
    del fields[name]
    with pytest.raises((ValueError, KeyError)):
        Client.from_fields("demo", fields)


GOOD_ENTRY = secret_entry()


@pytest.mark.parametrize(
    "secrets",
    ["", "no json", "7", "null", '"text"', "[7]", "[[]]", '["x"]', "[{}]", "[" * 100_000],
)
def test_secrets_that_are_no_list_of_entries_cannot_be_read(secrets: str) -> None:
    """Garbage in the field is an error, never an empty list and never a match."""
    with pytest.raises(ValueError, match="secrets cannot be read"):
        client(secrets=secrets)


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "\u00e9" * 64},
        {"hash": ""},
        {"hash": 7},
        {"hash": None},
        {"hash": "A" * 64},
        {"hash": "0" * 63},
        {"salt": "\udcff" * 32},
        {"salt": ""},
        {"salt": None},
        {"not_before_s": "soon"},
        {"not_before_s": None},
        {"not_before_s": []},
        {"not_after_s": float("inf")},
        {"not_after_s": float("nan")},
        {"not_after_s": ...},
        {"id": ...},
    ],
)
def test_entry_that_is_not_as_written_cannot_be_read(change: dict[str, Any]) -> None:
    """A salt or a hash of another form, or a date that is no number, stops the whole client."""
    entry = {name: value for name, value in {**GOOD_ENTRY, **change}.items() if value is not ...}
    with pytest.raises(ValueError, match="secrets cannot be read"):
        client(secrets=json.dumps([entry]))
