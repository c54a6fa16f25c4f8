"""Bad input to every script: one clear line, exit status 2, nothing changed."""

import subprocess

import pytest

from tests.scripts.ops import ROOT, Ops

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJhYiIsImV4cCI6NDAwMDAwMDAwMH0.c2ln"

WORDS = [
    # What every script does with its words.
    (("client",), "say what to do: create, show"),
    (("client", "crate"), "no such verb: 'crate'"),
    (("client", "--json"), "no such verb: '--json'"),
    (("client", ""), "no such verb: ''"),
    (("client", "create list"), "no such verb"),
    (("client", "show"), "ID is missing"),
    (("client", "show", "orders", "more"), "one argument too many: 'more'"),
    (("client", "show", "orders", "--all"), "unknown flag '--all'"),
    (("client", "show", "orders", "-j"), "unknown flag '-j'"),
    (("client", "show", "orders", "--json", "--json"), "--json is given twice"),
    (("client", "show", "orders", "--json=yes"), "--json takes no value"),
    (("client", "show", "orders", "--json --yes"), "unknown flag"),
    (("client", "show", "--", "--json"), "'--json' is not a client id"),
    (("client", "list", "orders"), "one argument too many"),
    # Clients.
    (("client", "create", "new"), "--scopes is missing"),
    (("client", "create", "new", "--scopes"), "--scopes needs a value"),
    (("client", "create", "new", "--scopes", "--json"), "--scopes needs a value"),
    (("client", "create", "new", "--scopes", "a", "--scopes=b"), "--scopes is given twice"),
    (("client", "create", "new", "--scopes", ""), "needs at least one scope"),
    (("client", "create", "new", "--scopes", "  "), "needs at least one scope"),
    (("client", "create", "new", "--scopes", "a\tb"), "printable ASCII"),
    (("client", "create", "new", "--scopes", "a\nb"), "printable ASCII"),
    (("client", "create", "new", "--scopes", 'a"b'), "printable ASCII"),
    (("client", "create", "new", "--scopes", "a\\b"), "printable ASCII"),
    (("client", "create", "new", "--scopes", "caf\u00e9"), "printable ASCII"),
    (("client", "create", "new", "--scopes", "a" * 2049), "longer than 2048"),
    (("client", "create", "new", "--scopes", "a", "--name", "a\x07b"), "control characters"),
    (("client", "create", "new", "--scopes", "a", "--name", "\u0085"), "control characters"),
    (("client", "create", "new", "--scopes", "a", "--name", "n" * 129), "128 bytes"),
    (("client", "create", "new", "--scopes", "a", "--name", b"\xff\xfe"), "UTF-8"),
    (("client", "create", "new", "--scopes", "a", "--name", b"\xed\xa0\x80"), "UTF-8"),
    (("client", "create", "new", "--scopes", "a", "--audiences", "u\u00e9"), "printable ASCII"),
    (("client", "create", "new", "--scopes", "a", "--audiences", "u" * 1025), "1024"),
    *(
        (("client", "create", "new", "--scopes", "a", "--ttl-s", ttl_s), "from 1 to 86400")
        for ttl_s in ("0", "86401", "abc", "-1", "+1", "1.5", "010", " 1", "", "9" * 30, "x[$(id)]")
    ),
    *(
        (("client", "create", "new", "--scopes", "a", "--rate-per-s", rate), "from 1 to 1000000")
        for rate in ("0", "1000001", "a", "1.5", "")
    ),
    *(
        (("client", verb, client_id, *more), "is not a client id")
        for verb, *more in (("create", "--scopes=a"), ("show",), ("scopes", "a"), ("rotate",),
                            ("disable",), ("enable",), ("delete", "--yes"))
        for client_id in ("a b", "", ".a", "a/b", "a*", "a" * 65, "caf\u00e9", "a\nb")
    ),
    (("client", "create", "orders", "--scopes", "a"), "there is a client orders already"),
    *(
        (("client", verb, "nobody", *more), "there is no client nobody")
        for verb, *more in (("show",), ("scopes", "a"), ("rotate",), ("disable",), ("enable",),
                            ("delete", "--yes"))
    ),
    (("client", "scopes", "orders"), "SCOPES is missing"),
    (("client", "scopes", "orders", ""), "needs at least one scope"),
    (("client", "scopes", "orders", "a", "b"), "one argument too many"),
    (("client", "rotate", "orders", "--grace-s", "2592001"), "from 0 to 2592000"),
    (("client", "rotate", "orders", "--grace-s", "soon"), "from 0 to 2592000"),
    (("client", "delete", "orders"), "there is no terminal to ask on: add --yes"),
    # Tokens.
    (("token", "mint", "all"), "one argument too many"),
    (("token", "mint", "--scopes", "a\nb"), "printable ASCII"),
    (("token", "revoke"), "TOKEN is missing"),
    (("token", "revoke", ""), "the token is empty"),
    (("token", "revoke", "orders"), "not a JWT"),
    (("token", "revoke", "a.b"), "not a JWT"),
    (("token", "revoke", "a.b.c.d"), "not a JWT"),
    (("token", "revoke", "e30.e30=.e30"), "not a JWT"),
    (("token", "revoke", "e30.e30.e30"), "has no jti"),
    (("token", "revoke", "e30.W10.e30"), "not a JSON object"),
    (("token", "revoke", "e30.AAAA.e30"), "not a JSON object"),
    (("token", "revoke", "e30.A.e30"), "not a JWT"),
    (("token", "revoke-client", "a b"), "is not a client id"),
    (("token", "revoke-client", "*"), "is not a client id"),
    (("token", "revoke-client", "nobody"), "there is no client nobody"),
    (("token", "revoke-client", "orders", "--yes"), "unknown flag '--yes'"),
    (("token", "revoke-all"), "there is no terminal to ask on: add --yes"),
    (("token", "why", TOKEN, "GET"), "PATH is missing"),
    (("token", "why", TOKEN, "get", "/x"), "'get' is not a method"),
    (("token", "why", TOKEN, "*", "/x"), "'*' is not a method"),
    (("token", "why", TOKEN, "GET", "x"), "is not a path"),
    (("token", "why", TOKEN, "GET", "/a b"), "is not a path"),
    (("token", "why", TOKEN, "GET", "/", "--audience", "a b"), "one audience"),
    (("token", "why", TOKEN, "GET", "/", "--scopes", 'a"'), "printable ASCII"),
    # Routes.
    *(
        (("route", "set", method, "/x", "a"), "is not a method")
        for method in ("get", "GTE", "G3T", "", "GET POST", "**", "-")
    ),
    *(
        (("route", "set", "GET", path, "a"), why)
        for path, why in (
            ("x", "starts with /"), ("", "starts with /"), ("/a b", "no space"),
            ("/a\nb", "no space"), ("/a?b", "before the query"), ("/a//b", "double slash"),
            ("/a/./b", "dot segment"), ("/a/../b", "dot segment"), ("/a/.", "dot segment"),
            ("/a/..", "dot segment"), ("/a%20b", "percent escape"), ("/a\x01", "control"),
            (b"/\xff", "UTF-8"), ("/" + "a" * 1024, "1024 bytes"),
        )
    ),
    (("route", "set", "GET", "/x", 'a"b'), "printable ASCII"),
    (("route", "set", "GET", "/x"), "SCOPES is missing"),
    (("route", "set", "GET", "/x", "a", "b"), "one argument too many"),
    (("route", "delete", "GET", "/x", "--yes"), "there is no route 'GET /x'"),
    (("route", "delete", "GET", "/orders"), "there is no terminal to ask on: add --yes"),
    (("route", "list", "GET"), "one argument too many"),
    # The audit trail.
    (("audit", "list"), "one argument too many"),
    (("audit", "--client", "a b"), "is not a client id"),
    (("audit", "--event", "mnit"), "--event must be one of mint"),
    (("audit", "--event", "mint revoke"), "--event must be one of mint"),
    *(
        (("audit", "--since", since), "--since must be like 10m")
        for since in ("yesterday", "", "10w", "-5m", "2026-13-01", "2026-11-21T25:00", "1" * 12)
    ),
    # Keys.
    (("key", "rotate", "now"), "one argument too many"),
    (("key", "rotate", "--alg", "none"), "--alg must be one of ES256"),
    (("key", "rotate", "--alg", "es256"), "--alg must be one of ES256"),
    (("key", "rotate", "--alg", "ES256 RS256"), "--alg must be one of ES256"),
    (("key", "rotate", "--delay-s", "-1"), "from 0 to 2592000"),
    (("key", "rotate", "--delay-s", "x"), "from 0 to 2592000"),
    (("key", "retire"), "KID is missing"),
    (("key", "retire", "../x", "--yes"), "is not a key id"),
    (("key", "retire", "nokey", "--yes"), "there is no key nokey"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "why"), WORDS, ids=lambda case: str(case)[:60])
def test_bad_input_is_refused_in_one_line(
    ops: Ops, words: tuple[str | bytes, ...], why: str
) -> None:
    """Whatever is wrong with the words, the line says it and nothing is written anywhere."""
    ops.redis.hset("client:orders", mapping={"status": "active", "scopes": "a", "secrets": "[]"})
    ops.redis.hset("routes", "GET /orders", "a")
    script, *rest = words
    line = ops.refusal(str(script), *rest)
    assert why in line
    assert len(line) < 400
    assert not ops.run_dir.exists()


@pytest.mark.parametrize(
    ("command", "hint"),
    [("client delete orders", "add --yes"), ("token revoke -", "there is no token on stdin")],
)
def test_closed_stdin_is_one_line(ops: Ops, command: str, hint: str) -> None:
    """A service manager may give none: nothing is deleted, and nothing else is said."""
    ops.create()
    finished = subprocess.run(
        ["bash", "-c", f"{ROOT}/scripts/{command} <&-"], env=ops.env, capture_output=True, text=True
    )
    (line,) = finished.stderr.splitlines()
    assert (2, True) == (finished.returncode, hint in line)
    assert ops.client()
