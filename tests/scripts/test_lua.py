"""redis/*.lua of the scripts: what they refuse, they refuse before they write."""

import json
import re
from typing import Any

import pytest

import redis
from tests.scripts.ops import LUA, Ops

SALT, HASH = "a" * 32, "b" * 64
CREATE = ["1795230000", "Orders", "a b", "", "", "", "0a1b2c3d", SALT, HASH]
ROTATE = ["1795230000", "60", "0a1b2c3d", SALT, HASH]


def run(ops: Ops, name: str, key: str, *arguments: str) -> Any:
    return ops.redis.eval((LUA / f"{name}.lua").read_text(), 1, key, *arguments)


def changed(arguments: list[str], place: int, value: str) -> list[str]:
    return [*arguments[:place], value, *arguments[place + 1 :]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("client_create", CREATE[:-1]),
        ("client_create", [*CREATE, "more"]),
        *(
            ("client_create", changed(CREATE, place, value))
            for place, value in (
                (0, "now"), (0, ""), (1, "a\nb"), (2, 'a"b'), (2, "a\\b"), (2, "a\tb"),
                (3, "a\x00"),
                (4, "0"), (4, "1.5"), (4, "x"), (5, "-1"), (6, "0A1B2C3D"), (6, "0a1b2c3"),
                (7, SALT + "0"), (8, "g" * 64), (8, ""),
            )
        ),
        ("client_set", ["1795230000", "status"]),
        ("client_set", ["1795230000", "status", "gone"]),
        ("client_set", ["1795230000", "secrets", "[]"]),
        ("client_set", ["1795230000", "scopes", 'a"']),
        ("client_set", ["now", "scopes", "a"]),
        ("client_rotate", ROTATE[:-1]),
        *(
            ("client_rotate", changed(ROTATE, place, value))
            for place, value in ((0, "x"), (1, "-1"), (2, "x"), (3, "x"), (4, "x"))
        ),
        ("not_before", [""]),
        ("not_before", ["1795230000"]),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_stored_are_refused(
    ops: Ops, name: str, arguments: list[str]
) -> None:
    """The answer is INVALID and nothing has changed, even for a client that is there."""
    ops.create()
    before = ops.state()
    key = "client:new" if name == "client_create" else "client:orders"
    with pytest.raises(redis.ResponseError, match=r"^INVALID"):
        run(ops, name, key, *arguments)
    assert before == ops.state()


def test_create_never_overwrites(ops: Ops) -> None:
    """An id that has a client keeps it."""
    assert b"OK" == run(ops, "client_create", "client:orders", *CREATE)
    before = ops.state()
    with pytest.raises(redis.ResponseError, match=r"^TAKEN"):
        run(ops, "client_create", "client:orders", *changed(CREATE, 2, "other"))
    assert before == ops.state()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("client_set", ["1795230000", "status", "active"]), ("client_rotate", ROTATE)],
)
def test_an_unknown_client_is_not_made(ops: Ops, name: str, arguments: list[str]) -> None:
    """Only client_create creates."""
    with pytest.raises(redis.ResponseError, match=r"^UNKNOWN"):
        run(ops, name, "client:nobody", *arguments)
    assert {} == ops.state()


def test_set_answers_what_was_before(ops: Ops) -> None:
    """The previous value, for the audit trail."""
    ops.create("orders", "a b")
    assert b"a b" == run(ops, "client_set", "client:orders", "1795230000", "scopes", "c")
    assert ("c", "1795230000") == (ops.client()["scopes"], ops.client()["updated_at"])


def test_stored_times_are_whole_numbers(ops: Ops) -> None:
    """Lua keeps numbers as floats; none of it shows in the JSON."""
    run(ops, "client_create", "client:orders", *CREATE)
    run(ops, "client_rotate", "client:orders", *changed(ROTATE, 2, "0a1b2c3e"))
    assert [
        {"id": "0a1b2c3e", "not_before_s": 1795230000, "not_after_s": 0},
        {"id": "0a1b2c3d", "not_before_s": 1795230000, "not_after_s": 1795230060},
    ] == [
        {name: value for name, value in secret.items() if name not in {"salt", "hash"}}
        for secret in json.loads(ops.client()["secrets"])
    ]
    assert "." not in ops.client()["secrets"]


def kill(ops: Ops, present: str | None = None) -> str:
    """Kill what there is of `orders`; return the kill in force, which is also what is stored."""
    if present is not None:
        ops.redis.set("notbefore:orders", present)
    told: bytes = run(ops, "not_before", "notbefore:orders")
    assert told == ops.redis.get("notbefore:orders")
    return told.decode()


def redis_time(ops: Ops) -> float:
    seconds, microseconds = ops.redis.time()
    return int(seconds) + int(microseconds) / 1_000_000


@pytest.mark.parametrize("present", [None, "5", "5.999", "x", "inf", "nan", "-1", "1e12", "", "."])
def test_kill_is_dated_by_the_clock_of_redis_to_the_millisecond(
    ops: Ops, present: str | None
) -> None:
    """What was there before does not matter when it is older, or no time at all."""
    before = redis_time(ops)
    told = kill(ops, present)
    assert re.fullmatch(r"[0-9]{10}\.[0-9]{3}", told)
    assert before - 0.001 <= float(told) <= redis_time(ops)
    assert 86_400 < ops.redis.ttl("notbefore:orders") <= 86_460


def test_each_kill_is_later_than_the_one_before(ops: Ops) -> None:
    """However many come within one millisecond."""
    kills = [kill(ops) for _ in range(2000)]
    assert sorted(set(kills), key=float) == kills


@pytest.mark.parametrize("ahead_s", [50, 100_000])
def test_kill_is_later_than_one_from_a_clock_that_was_ahead(ops: Ops, ahead_s: int) -> None:
    """And the key outlives every token that was minted until now."""
    present_s = ops.now_s() + ahead_s
    assert [f"{present_s}.501", f"{present_s}.502"] == [kill(ops, f"{present_s}.500"), kill(ops)]
    expected = ahead_s + 86_460
    assert expected - 50 <= ops.redis.ttl("notbefore:orders") <= expected + 1


@pytest.mark.parametrize("ahead_s", [30, 50])
def test_kill_takes_over_from_what_was_typed_for_the_next_moments(ops: Ops, ahead_s: int) -> None:
    """It is later than all of that second; from then on new tokens are good."""
    present_s = ops.now_s() + ahead_s
    assert f"{present_s + 1}.000" == kill(ops, str(present_s))


def test_kill_leaves_what_was_typed_far_ahead(ops: Ops) -> None:
    """Everything is dead until then, and the key stays for as long as it must."""
    present_s = ops.now_s() + 1000
    assert str(present_s) == kill(ops, str(present_s))
    assert present_s + 86_460 == ops.redis.expiretime("notbefore:orders")
