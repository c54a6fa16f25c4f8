"""scripts/token revoke, revoke-client, revoke-all."""

import base64
import json
from typing import Any

import pytest

from tests.scripts.ops import Ops, answer_on_terminal

DAY_S = 86_400


def token(payload: object) -> str:
    """A token with this payload, and a signature that nobody looks at."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"eyJ0eXAiOiJhdCtqd3QifQ.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.c2ln"


def claims(ops: Ops, **changes: Any) -> dict[str, Any]:
    """A token's claims, good for another 100 seconds."""
    return {
        "iss": "https://auth", "client_id": "orders", "aud": ["a", {"jti": "nested"}],
        "exp": ops.now_s() + 100, "jti": "0a1b2c3d.x-Y_z", "scope": "a b", **changes,
    }  # fmt: skip


def test_revoke_marks_the_jti_until_a_minute_past_its_end(ops: Ops) -> None:
    """`revoked:{jti}` lives as long as anyone may take the token."""
    wanted = claims(ops)
    assert {"jti": wanted["jti"], "exp": wanted["exp"], "expired": False} == ops.json(
        "token", "revoke", token(wanted)
    )
    assert b"ops" == ops.redis.get("revoked:0a1b2c3d.x-Y_z")
    assert wanted["exp"] + 60 == ops.redis.expiretime("revoked:0a1b2c3d.x-Y_z")


@pytest.mark.parametrize(
    "layout",
    [
        '{"exp":%d,"jti":"j"}',
        ' { "exp" : %d , "jti" : "j" } ',
        '{"a":{"jti":"no","exp":1},"exp":%d,"b":[{"jti":"no"}],"jti":"j","c":{"exp":2}}',
        '{"jti":"no","exp":%d,"x":"\\"jti\\":\\"no\\"","jti":"j"}',
        '{"x":"\\\\","jti":"j","exp":%d}',
        '{"x":"{[}],:","jti":"j","y":[],"z":{},"exp":%d,"t":true,"n":null,"f":-1.5e3}',
        '{"$(exit 9)":1,"a]":"b","@":[1],"":"","*":{"x":2},"jti":"j","exp":%d}',
        '{\n\t"exp": %d,\r\n\t"jti": "j", "caf\u00e9": "\u65e5"\n}',
    ],
)
def test_revoke_reads_any_json(ops: Ops, layout: str) -> None:
    """The claims are the outermost members, wherever they stand and whatever is around them."""
    ops.done("token", "revoke", token((layout % (ops.now_s() + 100)).encode()))
    assert b"ops" == ops.redis.get("revoked:j")


def test_revoke_reads_the_token_from_stdin(ops: Ops) -> None:
    """A dash keeps the token out of the process list."""
    ops.done("token", "revoke", "-", stdin=token(claims(ops)) + "\n")
    assert ops.redis.exists("revoked:0a1b2c3d.x-Y_z")
    assert "no token on stdin" in ops.refusal("token", "revoke", "-")


@pytest.mark.parametrize("ended_s", [60, 61, 100_000])
def test_revoke_of_an_expired_token_says_so(ops: Ops, ended_s: int) -> None:
    """Nothing to do is success, and writes nothing."""
    expired = token(claims(ops, exp=ops.now_s() - ended_s))
    assert "nothing to do: token 0a1b2c3d.x-Y_z expired at" in ops.done("token", "revoke", expired)
    assert ops.json("token", "revoke", expired)["expired"]
    assert {} == ops.state()


def test_revoke_within_the_leeway_still_counts(ops: Ops) -> None:
    """A token that ended a moment ago may still be taken somewhere."""
    ops.done("token", "revoke", token(claims(ops, exp=ops.now_s() - 1)))
    assert 0 < ops.redis.ttl("revoked:0a1b2c3d.x-Y_z") <= 60


def test_revoke_of_an_endless_token_does_not_stay_for_ever(ops: Ops) -> None:
    """No token lives longer than a day, whatever it says."""
    ops.done("token", "revoke", token(claims(ops, exp=99_999_999_999)))
    assert 0 < ops.redis.ttl("revoked:0a1b2c3d.x-Y_z") <= 2 * DAY_S


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": None}, {"jti": ""}, {"jti": "a b"}, {"jti": "a" * 129}, {"jti": "a:b"},
        {"jti": "a\nb"}, {"jti": ["a"]}, {"jti": "caf\u00e9"}, {"jti": 'a"b'},
        {"exp": None}, {"exp": "soon"}, {"exp": 1.5}, {"exp": -1}, {"exp": 1e30}, {"exp": [1]},
    ],
)  # fmt: skip
def test_revoke_refuses_claims_that_cannot_be_ours(ops: Ops, changes: dict[str, Any]) -> None:
    """Only a jti and an exp of the known form ever become part of a key."""
    ops.refusal("token", "revoke", token(claims(ops, **changes)))


@pytest.mark.parametrize("payload", [b"{}x", b"[1]", b"{", b"\x00{}", b'{"jti":"a"', b"}{", b'"a"'])
def test_revoke_refuses_what_is_not_json(ops: Ops, payload: bytes) -> None:
    """Three parts with dots are not yet a JWT."""
    ops.refusal("token", "revoke", token(payload))


def test_revocations_are_recorded(ops: Ops) -> None:
    """One entry each; a client_id that could not be one is left out."""
    ops.create()
    ops.done("token", "revoke", token(claims(ops)))
    ops.done("token", "revoke", token(claims(ops, jti="j", client_id="no such\nthing")))
    ops.done("token", "revoke-client", "orders")
    ops.done("token", "revoke-all", "--yes")
    _, first, second, third, fourth = ops.audit()
    assert {
        "event": "revoke", "who": "ops:sam", "client_id": "orders", "jti": "0a1b2c3d.x-Y_z",
        "from": "cli",
    } == first  # fmt: skip
    assert {"event": "revoke", "who": "ops:sam", "jti": "j", "from": "cli"} == second
    assert ("revoke_client", "orders") == (third["event"], third["client_id"])
    assert "revoke_all" == fourth["event"]
    assert "client_id" not in fourth


@pytest.mark.parametrize(
    ("words", "key"),
    [(("revoke-client", "orders"), "orders"), (("revoke-all", "--yes"), "*")],
    ids=["client", "all"],
)
def test_a_not_before_is_the_present_moment(ops: Ops, words: tuple[str, ...], key: str) -> None:
    """All issued until now is dead, for as long as such a token could live; since when is told."""
    ops.create()
    before = ops.now_s()
    told = ops.json("token", *words)
    mark = ops.redis.get(f"notbefore:{key}").decode()
    assert {"client_id": key, "not_before_s": float(mark)} == told
    assert before <= float(mark) < ops.now_s() + 1
    if key != "*":
        assert float(mark) == ops.json("client", "show", key)["not_before_s"]
        assert "every token issued up to 20" in ops.done("client", "show", key)
    assert DAY_S + 20 < ops.redis.ttl(f"notbefore:{key}") <= DAY_S + 60
    assert "that was issued up to 20" in ops.done("token", *words)


def test_a_not_before_is_never_lowered(ops: Ops) -> None:
    """A later mark stays, and is what the script tells."""
    ops.create()
    later = ops.now_s() + 1000
    ops.redis.set("notbefore:orders", later)
    assert later == ops.json("token", "revoke-client", "orders")["not_before_s"]
    assert later == int(ops.redis.get("notbefore:orders"))


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("no", 1)])
def test_revoke_all_asks(ops: Ops, answer: str, status: int) -> None:
    """Without a yes, nothing is revoked."""
    ended, stderr = answer_on_terminal(ops, answer, "token", "revoke-all")
    assert status == ended
    assert "Revoke every token of every client? [y/N]" in stderr
    assert (status == 0) == bool(ops.redis.exists("notbefore:*"))
