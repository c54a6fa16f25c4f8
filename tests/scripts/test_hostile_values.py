"""Names that try to be something else: they come back as they went in, or harmless."""

import json
from pathlib import Path

import pytest

from tests.scripts.ops import Ops

NAMES = [
    'say "hi"',
    "it's",
    "back\\slash \\\\ \\n",
    "$(touch pwned) `touch pwned` ${PATH} $((1+1))",
    "--json",
    "-x",
    "a; rm -rf / | cat > x & y",
    "* ? [a-z] ~ !!",
    ", , ,",
    '"],["name","x',
    '{"a":[1,null]}',
    "caf\u00e9 \u65e5\u672c \U0001f511",
    "%s %n %d",
    "&",
    "\u200b",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_went_in(
    ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Stored, shown as JSON, listed as JSON: always the same characters; nothing is run."""
    monkeypatch.chdir(tmp_path)
    ops.create("orders", "a", f"--name={name}")
    assert name == ops.client()["name"]
    assert name == ops.json("client", "show", "orders")["name"]
    assert [name] == [client["name"] for client in ops.json("client", "list")]
    assert f"name        {name}\n" in ops.done("client", "show", "orders")
    assert [] == list(tmp_path.glob("**/pwned"))


@pytest.mark.parametrize(
    "value", ["a\x1b[2Jb", "a\nb\rc", "tab\t", "\x7f", "\u0085\u2028", "x\x1f"]
)
def test_control_characters_never_reach_the_terminal(ops: Ops, value: str) -> None:
    """What another hand has put into Redis is shown with its control characters made visible."""
    ops.create()
    ops.redis.hset("client:orders", mapping={"name": value, "status": value, "ttl_s": value})
    ops.redis.hset("routes", f"GET /{value}", value)
    ops.redis.xadd("audit", {"event": "mint", "client_id": "orders", "detail": value, value: "x"})
    shown = ops.done("client", "show", "orders") + ops.done("client", "list")
    shown += ops.done("route", "list") + ops.done("audit")
    allowed = set(shown) - {"\n"}
    assert all(character.isprintable() for character in allowed)


@pytest.mark.parametrize("value", [b"\xff", b"\xc3", b"a\x00b", b"\xed\xa0\x80"])
def test_json_stays_json_whatever_redis_holds(ops: Ops, value: bytes) -> None:
    """Bytes that are no text do not break the document."""
    ops.create()
    ops.redis.hset("client:orders", "name", value)
    ops.redis.hset("routes", b"GET /" + value, value)
    ops.redis.xadd("audit", {b"event": value, value: value})
    for words in (("client", "show", "orders"), ("client", "list"), ("route", "list"), ("audit",)):
        ops.json(*words)


def test_json_of_strange_audit_entries_is_exact(ops: Ops) -> None:
    """Quotes, brackets and look-alikes of structure survive the reading of a stream."""
    strange = {
        "event": '"]],["1-1",["', "detail": "]],[", "": "", "a]": '\\"', "$(id)": "`id`",
        '"': "]]", "@": "*", "0": "null",
    }  # fmt: skip
    ops.redis.xadd("audit", strange)
    ops.redis.xadd("audit", {"event": "mint"})
    first, second = ops.json("audit")
    assert strange == {name: value for name, value in first.items() if name not in {"id", "time_s"}}
    assert "mint" == second["event"]


def test_keys_that_are_no_clients_are_left_out(ops: Ops) -> None:
    """Impossible ids and other types under client: do not disturb the list."""
    ops.create()
    for key in (
        "client:",
        "client:a b",
        'client:"x',
        "client:x\nclient:y",
        "client:*",
        "client:\xff",
    ):
        ops.redis.hset(key, mapping={"status": "active", "name": key})
    finished = ops.run("client", "list", "--json")
    assert ["orders"] == [client["client_id"] for client in json.loads(finished.stdout)]
    ops.redis.set("client:text", "x")
    finished = ops.run("client", "list", "--json")
    assert 0 == finished.returncode
    assert ["orders"] == [client["client_id"] for client in json.loads(finished.stdout)]
    assert "client list: left out client:text" in finished.stderr


@pytest.mark.parametrize("words", [("show", "text"), ("rotate", "text"), ("scopes", "text", "a")])
def test_an_error_of_redis_is_never_taken_for_data(ops: Ops, words: tuple[str, ...]) -> None:
    """A key of the wrong type is reported as Redis reports it."""
    ops.redis.set("client:text", "x")
    assert "WRONGTYPE" in ops.complaint(1, "client", *words)


def test_a_user_name_cannot_break_the_audit(ops: Ops) -> None:
    """Whatever USER is, the entry is written, in plain text."""
    ops.env["USER"] = "a\nb\udcff $(id)"
    ops.create()
    assert "ops:a?b? $(id)" == ops.audit()[0]["who"]
