"""May this token make this call: each check alone, with the facts in its hands."""

import math
from typing import Any

import pytest

from app import gate
from app.clients import Client
from app.errors import ClientDisabled, MintedDead, MissingScope, Revoked, WrongAudience
from app.gate import NEVER, Holder, NotBefore, World
from app.tokens import Claims
from tests.forgery import NOW
from tests.service import DATASET, ISSUER


def claims(**changes: Any) -> Claims:
    values: dict[str, Any] = {
        "client_id": "demo",
        "jti": f"{DATASET}.abc",
        "scope": "orders:read orders:write",
        "audiences": (ISSUER,),
        "iat": NOW,
        "exp": NOW + 60,
        "is_once": False,
    }
    return Claims(**{**values, **changes})


def holder(
    not_before: str | None = None, *, is_active: bool = True, audiences: tuple[str, ...] = ()
) -> Holder:
    client = Client("demo", is_active, (), audiences, None, None, ())
    return Holder(client, NotBefore.from_text(not_before))


def world(not_before: str | None = None, dataset_id: str = DATASET) -> World:
    return World(NotBefore.from_text(not_before), dataset_id)


def is_alive(
    token: Claims,
    whose: Holder | None = None,
    around: World | None = None,
    *,
    revoked: bool = False,
) -> bool:
    try:
        gate.check_alive(token, whose or holder(), around or world(), revoked)
    except Revoked:
        return False
    return True


def test_token_of_this_data_set_that_nobody_revoked_is_alive() -> None:
    """The ground that the other cases stand on."""
    assert is_alive(claims())


def test_revoked_jti_is_dead() -> None:
    """What Redis says of the jti counts."""
    assert not is_alive(claims(), revoked=True)


@pytest.mark.parametrize(
    "jti",
    ["ffffffff.abc", DATASET, "abc", "", f".{DATASET}.abc", f"{DATASET}abc", f"x{DATASET}.abc"],
)
def test_token_of_another_data_set_is_dead(jti: str) -> None:
    """Data was lost or replaced: what was revoked before is not known any more."""
    assert not is_alive(claims(jti=jti))


@pytest.mark.parametrize("dataset_id", ["", "ffffffff", DATASET[:-1], DATASET.upper()])
def test_data_set_with_another_or_no_id_kills_every_token(dataset_id: str) -> None:
    """Without a data set there is nothing that could have kept the revocation."""
    assert not is_alive(claims(), around=world(dataset_id=dataset_id))


@pytest.mark.parametrize(
    ("own", "everyones", "expected"),
    [
        (None, None, True),
        (str(NOW - 1), None, True),
        (str(NOW), None, False),
        (str(NOW + 1), None, False),
        (None, str(NOW - 1), True),
        (None, str(NOW), False),
        (str(NOW - 1), str(NOW), False),
        (str(NOW), str(NOW - 1), False),
        (str(NOW - 2), str(NOW - 1), True),
        (f"{NOW - 1}.5", None, False),
        ("0", "0", True),
    ],
)
def test_token_is_dead_up_to_the_latest_not_before(
    own: str | None, everyones: str | None, expected: bool
) -> None:
    """The latest of both levels wins, and its whole second is dead."""
    assert expected == is_alive(claims(), holder(own), world(everyones))


@pytest.mark.parametrize("text", ["", "never", "nan", "inf", "-inf", "1e400", "0x10", "\udcff"])
def test_not_before_that_cannot_be_read_kills_everything(text: str) -> None:
    """Undecided is refused."""
    assert NotBefore(math.inf) == NotBefore.from_text(text)
    assert not is_alive(claims(), around=world(text))


KILLS = (None, f"{NOW}.000", f"{NOW}.001", f"{NOW + 1}.000", f"{NOW + 99}.999")


def ms(kill: str | None) -> int:
    return int(kill.replace(".", "")) if kill else 0


@pytest.mark.parametrize("known_everyones", KILLS)
@pytest.mark.parametrize("known_own", KILLS)
def test_token_is_dead_unless_its_mint_knew_of_both_last_kills(
    known_own: str | None, known_everyones: str | None
) -> None:
    """What was known first decides, not the time: all kills here are around the token's `iat`."""
    token = claims(own_kill_ms=ms(known_own), global_kill_ms=ms(known_everyones))
    for own in KILLS:
        for everyones in KILLS:
            expected = ms(own) <= ms(known_own) and ms(everyones) <= ms(known_everyones)
            assert expected == is_alive(token, holder(own), world(everyones))


@pytest.mark.parametrize("text", [f"{NOW}.5", f"{NOW}.5000", f" {NOW}.500", f"{NOW}.500 "])
def test_fraction_that_no_script_writes_kills_the_whole_second(text: str) -> None:
    """Only three digits are a kill whose place in the order is known; the rest is typed."""
    assert NotBefore(NOW + 1) == NotBefore.from_text(text)


@pytest.mark.parametrize(
    ("own", "everyones", "wait_s"),
    [
        (str(NOW + 1), None, 1),
        (None, str(NOW + 1), 1),
        (str(NOW), str(NOW + 7), 7),
        (str(NOW + 7), f"{NOW + 99}.000", 7),
        ("9" * 11, None, 3600),
        ("never", None, 3600),
    ],
)
def test_nothing_is_minted_while_a_typed_not_before_would_kill_it(
    own: str | None, everyones: str | None, wait_s: int
) -> None:
    """Whoever asks is told how long to wait, an hour at most."""
    with pytest.raises(MintedDead) as raised:
        gate.check_mintable(NotBefore.from_text(own), NotBefore.from_text(everyones), NOW)
    assert {"Retry-After": str(wait_s)} == raised.value.headers("realm")


@pytest.mark.parametrize("text", [None, "0", str(NOW - 1), str(NOW), *KILLS])
def test_what_is_minted_after_a_not_before_lives(text: str | None) -> None:
    """At once, whether a person typed it or a script wrote it: the mint knew of it."""
    not_before = NotBefore.from_text(text)
    gate.check_mintable(not_before, NEVER, NOW)
    assert is_alive(claims(own_kill_ms=not_before.known_ms()), holder(text))
    assert is_alive(claims(global_kill_ms=not_before.known_ms()), around=world(text))


def test_second_that_was_typed_is_dead_for_who_knew_only_of_less() -> None:
    """An earlier second, or a kill by script within it that came first."""
    typed = holder(str(NOW))
    for known in (NotBefore(NOW - 1), NotBefore(kill_ms=NOW * 1000 + 998), NEVER):
        assert not is_alive(claims(own_kill_ms=known.known_ms()), typed)
    assert is_alive(claims(own_kill_ms=NotBefore(NOW).known_ms()), typed)


def test_client_that_is_not_active_is_refused() -> None:
    """Disabled and gone are the same to the gate."""
    gate.check_client(holder())
    for refused in (holder(is_active=False), Holder(None, NEVER)):
        with pytest.raises(ClientDisabled):
            gate.check_client(refused)


@pytest.mark.parametrize(
    ("audiences", "client_audiences", "needed", "is_right"),
    [
        ((ISSUER,), (), None, True),
        ((ISSUER,), (), "", True),
        ((ISSUER,), ("urn:a",), None, True),
        (("urn:a",), ("urn:a",), None, True),
        (("urn:a",), ("urn:b",), None, False),
        (("urn:a",), (), None, False),
        (("urn:a", ISSUER), (), None, True),
        (("urn:a",), ("urn:a",), "urn:a", True),
        (("urn:a", "urn:b"), (), "urn:b", True),
        (("urn:a",), ("urn:a",), "urn:b", False),
        ((ISSUER,), (), "urn:b", False),
        (("urn:b/",), (), "urn:b", False),
        (("",), (), "", False),
    ],
)
def test_audience_is_the_one_needed_or_one_of_the_clients(
    audiences: tuple[str, ...],
    client_audiences: tuple[str, ...],
    needed: str | None,
    is_right: bool,
) -> None:
    """A location that names one takes that one; another takes what the client may still get."""
    whose = holder(audiences=client_audiences)
    try:
        gate.check_audience(audiences, whose, needed, ISSUER)
    except WrongAudience:
        assert not is_right
    else:
        assert is_right


@pytest.mark.parametrize(
    ("held", "needed", "is_enough"),
    [
        ("a b", "", True),
        ("", "", True),
        ("a b", "a", True),
        ("a b", "b a", True),
        ("a b", "a a", True),
        ("a b", "  a  ", True),
        ("a b", "a c", False),
        ("", "a", False),
        ("a:b", "a", False),
        ("a", "A", False),
        ("ab", "a", False),
    ],
)
def test_every_needed_scope_must_be_held(held: str, needed: str, is_enough: bool) -> None:
    """Scopes are compared whole and with their case; the order does not matter."""
    scopes = frozenset(held.split())
    if is_enough:
        assert needed == gate.check_scope(scopes, needed)
    else:
        with pytest.raises(MissingScope) as raised:
            gate.check_scope(scopes, needed)
        assert needed == raised.value.needed
