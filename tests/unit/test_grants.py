"""What a client may be granted: scope (RFC 6749 §3.3) and audience (RFC 8707 §2)."""

import pytest

from app.clients import LONGEST_SCOPE, Client, grant_audience, grant_scope
from app.errors import InvalidScope, InvalidTarget

SERVER = "https://auth.example"
ORDERS, STOCK = "https://orders.example/v1", "https://stock.example"


def client(scopes: str = "a b c", audiences: str = "") -> Client:
    return Client("demo", True, tuple(scopes.split()), tuple(audiences.split()), None, None, ())


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        (None, "a b c"),
        ("a", "a"),
        ("c a", "c a"),
        ("a b c", "a b c"),
        ("a a b a", "a b"),
    ],
)
def test_scope_within_the_clients_is_granted_as_asked(requested: str | None, granted: str) -> None:
    """All of them when none is named; each once, in the order asked for."""
    assert granted == grant_scope(client(), requested)


@pytest.mark.parametrize("requested", ["d", "a d", "A", "a,b", "a:b", "*", "introspect"])
def test_scope_outside_the_clients_is_refused_whole(requested: str) -> None:
    """Nothing is left out silently: one scope too many, and no token."""
    with pytest.raises(InvalidScope):
        grant_scope(client(), requested)


@pytest.mark.parametrize(
    "requested",
    ["", " ", " a", "a ", "a  b", "a\tb", "a\n", 'a"', "a\\", "\u00e9", "a\x00", "\u00a0a", "\x7f"],
)
def test_scope_that_breaks_the_grammar_is_refused(requested: str) -> None:
    """Tokens of printable ASCII without quote and backslash, one space between (RFC 6749 §3.3)."""
    with pytest.raises(InvalidScope):
        grant_scope(client(scopes=requested + " a"), requested)


def test_client_without_scopes_is_granted_the_empty_scope() -> None:
    """Such a token opens what any valid token opens."""
    assert grant_scope(client(scopes=""), None) == ""


@pytest.mark.parametrize(
    ("length", "is_granted"), [(LONGEST_SCOPE, True), (LONGEST_SCOPE + 1, False)]
)
@pytest.mark.parametrize("is_named", [True, False])
def test_scope_longer_than_a_header_holds_is_refused_at_the_mint(
    length: int, is_granted: bool, is_named: bool
) -> None:
    """Not at the gate, where nginx would answer 500."""
    scope = "x" * length
    if is_granted:
        assert scope == grant_scope(client(scope), scope if is_named else None)
    else:
        with pytest.raises(InvalidScope):
            grant_scope(client(scope), scope if is_named else None)


@pytest.mark.parametrize(
    ("audiences", "resources", "granted"),
    [
        ("", [], SERVER),
        (f"{ORDERS} {STOCK}", [], ORDERS),
        ("inventory", [], "inventory"),
        ("inventory", ["inventory"], "inventory"),
        ("", [SERVER], SERVER),
        (f"{ORDERS} {STOCK}", [STOCK], STOCK),
        (f"{ORDERS} {STOCK}", [STOCK, ORDERS], [STOCK, ORDERS]),
        (f"{ORDERS} {STOCK}", [STOCK, STOCK], STOCK),
        (f"{ORDERS} urn:stock", ["urn:stock"], "urn:stock"),
    ],
)
def test_resource_picks_among_the_clients_audiences(
    audiences: str, resources: list[str], granted: str | list[str]
) -> None:
    """None named: the client's first, else the server's. One is a string, several an array."""
    assert granted == grant_audience(client(audiences=audiences), resources, SERVER)


@pytest.mark.parametrize(
    ("audiences", "resources"),
    [
        (ORDERS, [STOCK]),
        (ORDERS, [SERVER]),
        (ORDERS, [ORDERS, STOCK]),
        (ORDERS, [ORDERS + "/"]),
        (ORDERS, [ORDERS.upper()]),
        ("", [ORDERS]),
        (ORDERS, [ORDERS + "#part"]),
        (f"{ORDERS}#", [f"{ORDERS}#"]),
        ("inventory", ["invent"]),
        (ORDERS, ["http://["]),
        (ORDERS, ["\ud800"]),
    ],
)
def test_resource_outside_or_with_a_fragment_is_an_invalid_target(
    audiences: str, resources: list[str]
) -> None:
    """One of the client's, to the character, and without a fragment."""
    with pytest.raises(InvalidTarget):
        grant_audience(client(audiences=audiences), resources, SERVER)
