"""May this token make this call: each check alone, with the facts in its hands."""

import math
from typing import Any

import pytest

from app import gate
from app.clients import Client
from app.errors import ClientDisabled, MissingScope, Revoked, WrongAudience
from app.gate import Holder, World
from app.tokens import Claims, issue_time
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
    return Holder(client, gate.not_before_s(not_before))


def world(not_before: str | None = None, dataset_id: str = DATASET) -> World:
    return World(gate.not_before_s(not_before), dataset_id)


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
    assert math.inf == gate.not_before_s(text)
    assert not is_alive(claims(), around=world(text))


@pytest.mark.parametrize(
    ("not_before", "iat"),
    [(None, NOW), (str(NOW - 1), NOW), (str(NOW), NOW + 1), (str(NOW + 9), NOW + 10)],
)
def test_token_minted_in_the_second_of_a_kill_lives(not_before: str | None, iat: int) -> None:
    """It is dated one second on: it came after the kill, and is told from those before."""
    issued = issue_time(NOW + 0.9, gate.not_before_s(not_before))
    assert iat == issued
    assert is_alive(claims(iat=issued), holder(not_before))


def test_token_minted_under_a_kill_from_the_future_is_dead() -> None:
    """A not-before ahead of this clock is obeyed until its second has passed."""
    whose = holder(str(NOW + 30))
    assert not is_alive(claims(iat=issue_time(NOW, whose.not_before)), whose)


def test_client_that_is_not_active_is_refused() -> None:
    """Disabled and gone are the same to the gate."""
    gate.check_client(holder())
    for refused in (holder(is_active=False), Holder(None, 0)):
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
