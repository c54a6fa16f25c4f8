"""scripts/client: what each verb changes, prints and records."""

import hashlib
import hmac
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.scripts.ops import ROOT, Ops, answer_on_terminal

DAY_S = 86_400


def test_create_prints_a_secret_of_256_bits_and_stores_only_its_keyed_hash(ops: Ops) -> None:
    """The stored hash is HMAC-SHA256 of the secret under the salt, and the secret is nowhere."""
    made = ops.create()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made["client_secret"])
    [stored] = ops.secrets()
    expected = hmac.new(
        stored["salt"].encode(), made["client_secret"].encode(), hashlib.sha256
    ).hexdigest()
    assert expected == stored["hash"]
    assert made["secret_id"] == stored["id"]
    assert made["client_secret"] not in str(ops.state())


def test_create_fills_every_field(ops: Ops) -> None:
    """A client is stored with the fields that the service reads, and with its times."""
    before = ops.now_s()
    ops.create(
        "a.b_c-9", "x  y x", "--name", "Orders", "--audiences", "https://u v",
        "--ttl-s", "60", "--rate-per-s", "5",
    )  # fmt: skip
    client = ops.client("a.b_c-9")
    created = int(client["created_at"])
    [secret] = json.loads(client.pop("secrets"))
    assert before <= created <= ops.now_s()
    assert {
        "name": "Orders",
        "status": "active",
        "scopes": "x y",
        "audiences": "https://u v",
        "ttl_s": "60",
        "rate_per_s": "5",
        "created_at": str(created),
        "updated_at": str(created),
    } == client
    assert (created, 0) == (secret["not_before_s"], secret["not_after_s"])


def test_create_without_options_leaves_the_server_its_defaults(ops: Ops) -> None:
    """No lifetime, no rate, no audience; and the id for a name."""
    ops.create()
    client = ops.client()
    assert ("", "", "", "orders") == tuple(
        client[name] for name in ("ttl_s", "rate_per_s", "audiences", "name")
    )


def test_create_for_a_person_shows_id_and_secret(ops: Ops) -> None:
    """The plain output names the client and holds its secret once."""
    shown = ops.done("client", "create", "orders", "--scopes", "a b")
    [secret] = re.findall(r"^client_secret  ([A-Za-z0-9_-]{43})$", shown, re.MULTILINE)
    stored = ops.secrets()[0]
    assert (
        hmac.new(stored["salt"].encode(), secret.encode(), "sha256").hexdigest() == stored["hash"]
    )


def test_create_at_the_same_time_has_one_winner(ops: Ops) -> None:
    """Of many who create one id at once, one succeeds, and the stored secret is that one's."""
    command: list[str | Path] = [
        ROOT / "scripts/client",
        "create",
        "orders",
        "--scopes",
        "a",
        "--json",
    ]
    racers = [
        subprocess.Popen(command, env=ops.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(6)
    ]
    printed = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [0, 2, 2, 2, 2, 2] == sorted(racer.returncode for racer in racers)
    [made] = [json.loads(text) for text in printed if text]
    assert [made["secret_id"]] == [secret["id"] for secret in ops.secrets()]
    assert 1 == len(ops.audit())


def test_show_tells_all_but_the_hash(ops: Ops) -> None:
    """The document has status, scopes, lifetime, and dated secrets with their last use."""
    made = ops.create("orders", "a b", "--audiences", "u", "--ttl-s", "60", "--rate-per-s", "2")
    ops.redis.hset("used:orders", made["secret_id"], 1_795_230_000)
    created = int(ops.client()["created_at"])
    assert {
        "client_id": "orders",
        "name": "orders",
        "status": "active",
        "scopes": "a b",
        "audiences": "u",
        "ttl_s": 60,
        "rate_per_s": 2,
        "created_at": created,
        "updated_at": created,
        "secrets": [
            {
                "id": made["secret_id"],
                "state": "live",
                "not_before_s": created,
                "not_after_s": None,
                "last_used_s": 1_795_230_000,
            }
        ],
        "not_before_s": None,
    } == ops.json("client", "show", "orders")


@pytest.mark.parametrize("words", [("show", "orders"), ("list",)])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_reading_never_shows_a_hash_or_a_salt(
    ops: Ops, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """What would help to guess a secret stays in Redis."""
    ops.create()
    ops.done("client", "rotate", "orders")
    shown = ops.done("client", *words, *form)
    assert "orders" in shown
    for secret in ops.secrets():
        assert secret["hash"] not in shown
        assert secret["salt"] not in shown


def test_list_has_all_clients_by_id(ops: Ops) -> None:
    """Each client of the list is what `show` says of it, sorted by id."""
    for client_id in ("b", "a", "C"):
        ops.create(client_id)
    listed = ops.json("client", "list")
    assert ["C", "a", "b"] == [client["client_id"] for client in listed]
    shown = ops.json("client", "show", "a")
    del shown["not_before_s"]
    assert shown == listed[1]
    table = ops.done("client", "list").splitlines()
    assert ["CLIENT", "C", "a", "b"] == [line.split()[0] for line in table]


def test_list_of_none_is_friendly(ops: Ops) -> None:
    """No clients: a line that says how to make one, and an empty array."""
    assert "There are no clients yet" in ops.done("client", "list")
    assert [] == ops.json("client", "list")


def test_scopes_replaces_them(ops: Ops) -> None:
    """The new scopes stand alone, once each, and the change is dated."""
    ops.create("orders", "a b")
    ops.redis.hset("client:orders", "updated_at", 5)
    assert {"client_id": "orders", "scopes": "c a"} == ops.json(
        "client", "scopes", "orders", " c a  c "
    )
    assert "c a" == ops.client()["scopes"]
    assert int(ops.client()["updated_at"]) > 5


@pytest.mark.parametrize(
    ("verb", "status"), [("disable", "disabled"), ("enable", "active")], ids=["disable", "enable"]
)
def test_status_changes_once(ops: Ops, verb: str, status: str) -> None:
    """Done twice, it is done once: the second time writes and records nothing."""
    ops.create()
    ops.redis.hset("client:orders", "status", "active" if status == "disabled" else "disabled")
    assert {"client_id": "orders", "status": status} == ops.json("client", verb, "orders")
    assert status == ops.client()["status"]
    state = ops.state()
    assert f"client orders: status {status}, as before\n" == ops.done("client", verb, "orders")
    assert state == ops.state()


def test_delete_outlives_its_client(ops: Ops) -> None:
    """The client and its uses go; the mark that kills its tokens stays, with a time to live."""
    ops.create()
    ops.redis.hset("used:orders", "00000000", 1)
    before = ops.now_s()
    assert {"client_id": "orders", "deleted": True} == ops.json(
        "client", "delete", "orders", "--yes"
    )
    assert {b"audit", b"notbefore:orders"} == set(ops.state())
    assert before <= float(ops.redis.get("notbefore:orders")) < ops.now_s() + 1
    assert DAY_S + 60 - 40 < ops.redis.ttl("notbefore:orders") <= DAY_S + 60
    ops.create()
    assert b"notbefore:orders" in ops.state()
    assert ops.json("client", "show", "orders")["not_before_s"] >= before


@pytest.mark.parametrize(
    ("answer", "is_gone"), [("y", True), ("YES", True), ("", False), ("n", False)]
)
def test_delete_asks_on_a_terminal(ops: Ops, answer: str, is_gone: bool) -> None:
    """Only a yes deletes; anything else leaves all as it was."""
    ops.create()
    status, stderr = answer_on_terminal(ops, answer, "client", "delete", "orders")
    assert stderr.startswith("Delete client orders? Its tokens die at once. [y/N]")
    assert (0 if is_gone else 1) == status
    assert is_gone == (not ops.client())


@pytest.mark.parametrize(
    ("answer", "status"), [("y\n", 0), ("yes", 0), ("n\n", 1), ("orders\n", 1), ("", 2)]
)
def test_delete_takes_an_answer_from_a_pipe(ops: Ops, answer: str, status: int) -> None:
    """Only a yes deletes; who pipes nothing at all has to say --yes."""
    ops.create()
    finished = ops.run("client", "delete", "orders", stdin=answer)
    assert status == finished.returncode
    assert (status == 0) == (not ops.client())
    hint = "add --yes" if status == 2 else "Delete client orders?"
    assert hint in finished.stderr


def test_each_change_is_recorded(ops: Ops) -> None:
    """One audit entry per change: what, by whom, on which client, from where; never a secret."""
    secrets = [ops.create("orders", "a")["client_secret"]]
    secrets.append(ops.json("client", "rotate", "orders")["client_secret"])
    ops.done("client", "scopes", "orders", "a b")
    ops.done("client", "disable", "orders")
    ops.done("client", "enable", "orders")
    ops.done("client", "delete", "orders", "--yes")
    entries = ops.audit()
    assert [
        "client_create", "client_rotate", "client_scopes",
        "client_disable", "client_enable", "client_delete",
    ] == [entry["event"] for entry in entries]  # fmt: skip
    for entry in entries:
        assert ("ops:sam", "orders", "cli") == (entry["who"], entry["client_id"], entry["from"])
        assert not any(secret in entry.get("detail", "") for secret in secrets)
    assert "scopes a b (was a)" == entries[2]["detail"]
