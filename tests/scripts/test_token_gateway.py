"""scripts/token mint and why, which speak to the gateway."""

from collections.abc import Iterator

import pytest

from tests.scripts.impostor import Gateway, fake_gateway
from tests.scripts.ops import Ops
from tests.stack import free_port

TOKEN = "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln"
MINTED = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "scope": "a b"}
CHECKS = [
    {"check": "signature", "outcome": "ok", "detail": "kid es256-1, alg ES256"},
    {"check": "scope", "outcome": "refused", "detail": 'needs "orders:write"'},
    {"check": "rate", "outcome": "skipped", "detail": ""},
]


@pytest.fixture
def gateway(ops: Ops) -> Iterator[Gateway]:
    """A fake gateway that the scripts know, and no Redis."""
    with fake_gateway() as gateway:
        ops.env |= {"TOKEN_URL": f"{gateway.url}/token", "OPS_URL": gateway.url}
        ops.env |= {"CLIENT_ID": "orders", "CLIENT_SECRET": "s&=%+ '\"\\\u00e9"}
        ops.env["REDIS_SOCKET"] = "/nowhere"
        yield gateway


def test_mint_prints_the_access_token_alone(ops: Ops, gateway: Gateway) -> None:
    """The credentials arrive whatever they are made of, and stdout is fit for $(...)."""
    gateway.answers(200, MINTED)
    assert TOKEN + "\n" == ops.done("token", "mint")
    assert [
        (
            "/token",
            {
                "grant_type": ["client_credentials"],
                "client_id": ["orders"],
                "client_secret": ["s&=%+ '\"\\\u00e9"],
                "scope": [""],
            },
        )
    ] == gateway.asked
    assert MINTED == ops.json("token", "mint")


def test_mint_asks_for_scopes_and_once(ops: Ops, gateway: Gateway) -> None:
    """--scopes narrows; --once goes to /ott."""
    gateway.answers(200, MINTED)
    ops.done("token", "mint", "--once", "--scopes", "a  b")
    [(path, form)] = gateway.asked
    assert ("/ott", ["a b"]) == (path, form["scope"])
    ops.env["TOKEN_URL"] = f"{gateway.url}/oauth/"
    assert "does not end in /token" in ops.complaint(2, "token", "mint", "--once")


@pytest.mark.parametrize(
    ("status", "document", "told"),
    [
        (401, {"error": "invalid_client", "error_description": "client authentication failed"},
         "answered 401 invalid_client: client authentication failed"),
        (400, {"error": "invalid_scope", "error_description": "a\nb\x1b"}, "invalid_scope: a"),
        (503, {}, "answered 503"),
        (502, ["Bad Gateway"], "answered 502"),
        (200, "surprise", "answered 200 with no access token"),
        (200, {"access_token": 7, "token_type": "Bearer"}, "answered 200 with no access token"),
    ],
)  # fmt: skip
def test_mint_tells_the_servers_error(
    ops: Ops, gateway: Gateway, status: int, document: object, told: str
) -> None:
    """One line, exit status 1, nothing on stdout."""
    gateway.answers(status, document)
    assert told in ops.complaint(1, "token", "mint")


def test_mint_takes_the_demo_client_of_the_stack(ops: Ops, gateway: Gateway) -> None:
    """Without credentials in the environment, those of RUN_DIR/demo.env; never half of each."""
    gateway.answers(200, MINTED)
    ops.run_dir.mkdir()
    (ops.run_dir / "demo.env").write_text(
        f"TOKEN_URL={gateway.url}/demo/token\nCLIENT_ID=demo\nCLIENT_SECRET=demo-secret\n"
    )
    del ops.env["TOKEN_URL"], ops.env["CLIENT_ID"]
    assert "not CLIENT_ID" in ops.complaint(2, "token", "mint")
    del ops.env["CLIENT_SECRET"]
    assert TOKEN + "\n" == ops.done("token", "mint")
    [(path, form)] = gateway.asked
    assert ("/demo/token", ["demo"], ["demo-secret"]) == (
        path,
        form["client_id"],
        form["client_secret"],
    )
    ops.env["CLIENT_ID"] = "orders"
    assert "not CLIENT_SECRET" in ops.complaint(2, "token", "mint")


@pytest.mark.parametrize("words", [("mint",), ("why", TOKEN, "GET", "/")])
def test_without_a_gateway_the_line_says_what_to_set(ops: Ops, words: tuple[str, ...]) -> None:
    """Nothing set and no stack: exit status 2; set but not there: 1, naming the address."""
    assert "not set" in ops.complaint(2, "token", *words)
    ops.env |= {"CLIENT_ID": "orders", "CLIENT_SECRET": "s"}
    url = f"http://127.0.0.1:{free_port()}"
    ops.env |= {"TOKEN_URL": f"{url}/token", "OPS_URL": url}
    assert f"no answer from {url}" in ops.complaint(1, "token", *words)
    ops.env |= {"TOKEN_URL": "file:///etc/passwd", "OPS_URL": "file:///etc"}
    assert "not an http URL" in ops.complaint(2, "token", *words)


def test_why_shows_each_check(ops: Ops, gateway: Gateway) -> None:
    """A table of checks, the verdict in the last line, and in the exit status."""
    gateway.answers(200, {"allowed": False, "reason": "missing_scope", "checks": CHECKS})
    finished = ops.run("token", "why", TOKEN, "GET", "/orders/1?x=%20")
    assert (1, "") == (finished.returncode, finished.stderr)
    assert [
        "CHECK      OUTCOME  DETAIL",
        "signature  ok       kid es256-1, alg ES256",
        'scope      refused  needs "orders:write"',
        "rate       skipped  -",
        "",
        "refused: missing_scope",
    ] == finished.stdout.splitlines()
    assert [
        ("/explain", {"token": [TOKEN], "method": ["GET"], "path": ["/orders/1?x=%20"]})
    ] == gateway.asked


def test_why_of_an_allowed_call_succeeds(ops: Ops, gateway: Gateway) -> None:
    """Exit status 0, last line `allowed`; scopes and audience are passed on."""
    gateway.answers(200, {"allowed": True, "reason": "ok", "checks": CHECKS[:1]})
    words = ("--scopes", "a b", "--audience", "https://u", "-", "POST", "/caf\u00e9")
    shown = ops.done("token", "why", *words, stdin=TOKEN)
    assert "allowed" == shown.splitlines()[-1]
    [(_, form)] = gateway.asked
    assert {
        "token": [TOKEN],
        "method": ["POST"],
        "path": ["/caf%C3%A9"],
        "scopes": ["a b"],
        "audience": ["https://u"],
    } == form


@pytest.mark.parametrize("is_allowed", [True, False])
def test_why_as_json_is_the_servers_document(ops: Ops, gateway: Gateway, is_allowed: bool) -> None:
    """--json changes the form, not the exit status."""
    document = {"allowed": is_allowed, "reason": "x", "checks": CHECKS}
    gateway.answers(200, document)
    finished = ops.run("token", "why", TOKEN, "GET", "/", "--json")
    assert (0 if is_allowed else 1) == finished.returncode
    assert gateway.body.decode() + "\n" == finished.stdout


@pytest.mark.parametrize(
    ("status", "document"), [(503, {"error": "temporarily_unavailable"}), (200, {}), (404, "x")]
)
def test_why_without_an_explanation_fails(
    ops: Ops, gateway: Gateway, status: int, document: object
) -> None:
    """What is not an explanation is not taken for one."""
    gateway.answers(status, document)
    assert f"{gateway.url}/explain answered {status}" in ops.complaint(
        1, "token", "why", TOKEN, "GET", "/"
    )
