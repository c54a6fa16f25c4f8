"""Which commands go to one node together."""

import re
from pathlib import Path

import pytest

from app.slots import Unit, key_of, slot_of, units_of
from app.wire import Command

LUA = sorted((Path(__file__).resolve().parents[2] / "redis").glob("*.lua"))


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "notbefore:*"), "notbefore:*"),
        (("SET", "revoked:a", "x", "EXAT", 1), "revoked:a"),
        (("EVALSHA", "sha", 2, "ott:a", "spent:{ott:a}", "r"), "ott:a"),
        (("EVALSHA", "sha", 0, "r"), None),
        (("PING",), None),
        (("SCRIPT", "LOAD", "x"), None),
        (("WAIT", 1, 50), None),
    ],
)
def test_key_of_a_command(command: Command, key: str | None) -> None:
    """The first one; the others of a script are in its slot."""
    assert key == key_of(command)


def test_slots_are_those_of_redis() -> None:
    """Values that Redis documents, and a key that is no text."""
    assert [12739, 0] == [slot_of("123456789"), slot_of("")]
    assert slot_of("user1000") == slot_of("{user1000}.following")
    assert 0 <= slot_of("client:\udcff") < 16_384


def test_both_keys_of_a_one_time_token_have_one_slot() -> None:
    """Else its script could not run."""
    jti = "0a1b2c3d.k_3-x"
    assert slot_of(f"ott:{jti}") == slot_of(f"spent:{{ott:{jti}}}")


def test_transaction_stays_together() -> None:
    """What comes after EXEC goes its own way."""
    commands: list[Command] = [
        ("MULTI",), ("XADD", "audit", "*", "a", "b"), ("XADD", "audit", "*", "a", "b"), ("EXEC",),
        ("HSET", "used:a", "s", 1), ("EXPIRE", "used:a", 1),
    ]  # fmt: skip
    used = slot_of("used:a")
    expected = [Unit(slot_of("audit"), (0, 1, 2, 3)), Unit(used, (4,)), Unit(used, (5,))]
    assert expected == units_of(commands)


def test_keyless_command_goes_with_its_neighbour() -> None:
    """SCRIPT LOAD with the script after it, WAIT with the change before it, PING with anybody."""
    loaded: list[Command] = [("SCRIPT", "LOAD", "x"), ("EVALSHA", "sha", 1, "k")]
    assert [Unit(slot_of("k"), (0, 1))] == units_of(loaded)
    assert [Unit(slot_of("a"), (0, 1)), Unit(slot_of("b"), (2,))] == units_of(
        [("SET", "a", 1), ("WAIT", 1, 50), ("GET", "b")]
    )
    assert [Unit(None, (0,))] == units_of([("PING",)])


@pytest.mark.parametrize("path", LUA, ids=lambda path: path.name)
def test_script_touches_keys_of_one_slot_only(path: Path) -> None:
    """It has one key, or says how the others share its hash tag; and names none by itself."""
    text = path.read_text()
    head = next(one for one in text.splitlines() if one.startswith("-- KEYS"))
    assert "  2 " not in head or "same cluster slot" in head
    code = re.sub(r"--.*", "", text)
    calls = re.findall(r"redis\.p?call\(\s*'(\w+)'\s*,?\s*([^,)]*)", code)
    assert all(key.startswith("KEYS[") for name, key in calls if name != "TIME"), calls
