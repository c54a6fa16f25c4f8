"""The fields of one audit entry: only those that say something, and never a token."""

import pytest

from app.audit import Origin, entry


def test_full_entry_names_who_what_and_from_where() -> None:
    """A client acts for itself: `who` is the client."""
    expected = {
        "event": "mint",
        "who": "demo",
        "client_id": "demo",
        "jti": "0a1b2c3d.x",
        "detail": "orders:read",
        "from": "192.0.2.1",
        "request_id": "r1",
    }
    origin = Origin("192.0.2.1", "r1")
    made = entry("mint", origin, client_id="demo", jti="0a1b2c3d.x", detail="orders:read")
    assert expected == made


@pytest.mark.parametrize(
    ("origin", "missing"),
    [
        (Origin("", "r1"), {"from", "detail"}),
        (Origin("192.0.2.1", ""), {"request_id", "detail"}),
        (Origin("", ""), {"from", "request_id", "detail"}),
    ],
)
def test_what_is_not_known_is_left_out(origin: Origin, missing: set[str]) -> None:
    """An empty field would only look like an answer."""
    every = {"event", "who", "client_id", "jti", "detail", "from", "request_id"}
    made = entry("revoke", origin, client_id="demo", jti="0a1b2c3d.x")
    assert every - missing == set(made)
