"""What goes into Postgres comes back as it was, for as long as it means something."""

import re
from typing import Any

from tests.snapshot.vault import Vault

DAY_S = 86_400


def taken_and_restored(vault: Vault, *words: str) -> Any:
    """Take a snapshot, lose everything, restore; return what restore says."""
    vault.done("snapshot")
    vault.redis.flushall()
    return vault.done("restore", *words)


def test_everything_comes_back(vault: Vault) -> None:
    """Clients, last uses, routes, revocations and not-befores with their ends."""
    vault.add_client("orders", name="Örders", ttl_s="60")
    vault.add_client("billing", status="disabled")
    vault.add_client(
        "keyed",
        token_endpoint_auth_method="private_key_jwt",
        jwks='{"keys": [{"kty": "EC"}]}',
        tls_client_certificate_bound_access_tokens="true",
    )
    vault.redis.hset("used:orders", mapping={"aaaa0001": "1795230000"})
    vault.redis.hset("routes", mapping={"GET /a": "a b", "* /ü/": ""})
    now_s = vault.now_s()
    vault.redis.set("revoked:0a1b2c3d.x", "ops", exat=now_s + 1000)
    vault.redis.set("notbefore:billing", now_s - 5, exat=now_s + 2000)
    before = vault.state()
    told = taken_and_restored(vault)
    after = vault.state()
    kept = ("client:orders", "client:billing", "client:keyed", "used:orders", "routes")
    for key in (*kept, "notbefore:billing"):
        assert before[key] == after[key]
    assert "ops" == after["revoked:0a1b2c3d.x"]
    assert now_s + 1000 == vault.redis.expiretime("revoked:0a1b2c3d.x")
    assert now_s + 2000 == vault.redis.expiretime("notbefore:billing")
    assert 364 * DAY_S < vault.redis.ttl("used:orders") <= 365 * DAY_S
    counts = {"clients": 3, "revocations": 1, "not_befores": 1, "routes": 2}
    assert counts.items() <= told.items()


def test_restored_data_is_a_new_data_set(vault: Vault) -> None:
    """So tokens of the former are dead, and those of this very second by the not-before."""
    vault.add_client()
    began_s = vault.now_s()
    taken_and_restored(vault)
    dataset = vault.redis.hgetall("dataset")
    assert re.fullmatch("[0-9a-f]{8}", dataset["id"])
    assert "0a1b2c3d" != dataset["id"]
    assert {"id", "birth_s"} == set(dataset)
    assert began_s <= int(dataset["birth_s"]) <= vault.now_s()
    assert began_s <= float(vault.redis.get("notbefore:*")) <= vault.now_s() + 1
    assert DAY_S < vault.redis.ttl("notbefore:*") <= DAY_S + 61


def test_bytes_of_any_kind_come_back(vault: Vault) -> None:
    """NUL, what is no UTF-8, what JSON and COPY escape: a hash is kept to the byte."""
    hostile = {b"name": b"\x00\xff\xfe\\N\t\n\"'\xed\xa0\x80", b"\xff": b"", b"\\.": b"{}"}
    vault.redis.hset("client:a", mapping=hostile)
    vault.redis.hset("used:a", mapping=hostile)
    vault.redis.hset("routes", mapping=hostile)
    vault.redis.set("revoked:j", b"\x00\xff \\N\tbad", ex=1000)
    taken_and_restored(vault)
    for key in ("client:a", "used:a", "routes"):
        assert hostile == vault.raw("HGETALL", key)
    assert "\ufffd\ufffd \\N\tbad" == vault.redis.get("revoked:j")


def test_keys_that_nobody_can_use_are_left_out_and_told(vault: Vault) -> None:
    """Of another form or type; a revocation of another type refuses, and is kept."""
    vault.add_client("a")
    for key in ("client:a b", "client:", "client:\udcff", "revoked:a:b", "notbefore:a b"):
        vault.redis.set(key.encode("utf-8", "surrogateescape"), "x")
    vault.redis.set("client:text", "x")
    vault.redis.set("used:a", "x")
    vault.redis.hset("revoked:hash", "a", "b")
    vault.redis.set("foreign", "x")
    finished = vault.call("snapshot", "--json")
    assert 0 == finished.returncode
    assert "snapshot: 7 keys were left out: no request can use them\n" == finished.stderr
    vault.redis.flushall()
    vault.done("restore")
    found = set(vault.redis.keys("*"))
    assert {"client:a", "revoked:hash"} == found - {"dataset", "notbefore:*", "snapshot", "audit"}


def test_what_has_ended_is_not_brought_back(vault: Vault) -> None:
    """A revocation or a not-before whose end has come refuses nothing any more."""
    vault.add_client()
    for key in ("revoked:a", "notbefore:orders"):
        vault.redis.set(key, "1", ex=1000)
    vault.done("snapshot")
    for table in ("revocations", "not_befores"):
        vault.postgres.execute(f"UPDATE portcullis.{table} SET expires_at_s = 1".encode())
    vault.postgres.commit()
    vault.redis.flushall()
    told = vault.done("restore")
    assert (0, 0) == (told["revocations"], told["not_befores"])
    assert not vault.redis.exists("revoked:a", "notbefore:orders")


def test_what_was_written_without_an_end_gets_one(vault: Vault) -> None:
    """By hand: it need not outlive the longest token."""
    vault.add_client()
    vault.redis.set("revoked:a", "by hand")
    vault.redis.set("notbefore:orders", "17")
    taken_and_restored(vault)
    for key in ("revoked:a", "notbefore:orders"):
        assert DAY_S < vault.redis.ttl(key) <= DAY_S + 60


NOT_BEFORES = [
    # there, in the snapshot, afterwards
    (None, "100", "100"),
    ("90", "100", "100"),
    ("110", "100", "110"),
    ("soon", "100", "soon"),
    ("100", "later", "later"),
    ("99.500", "100", "100"),
    ("100.001", "100", "100.001"),
    ("nan", "100", "nan"),
]


def test_not_before_is_never_lowered(vault: Vault) -> None:
    """The later one wins; what is no number refuses everything, so it wins too."""
    for number, (_, snapshot, _) in enumerate(NOT_BEFORES):
        vault.add_client(f"c{number}")
        vault.redis.set(f"notbefore:c{number}", snapshot, ex=1000)
    vault.done("snapshot")
    for number, (present, _, _) in enumerate(NOT_BEFORES):
        vault.redis.delete(f"notbefore:c{number}")
        if present is not None:
            vault.redis.set(f"notbefore:c{number}", present, ex=1000)
    vault.done("restore", "--force", "--yes")
    found = [vault.redis.get(f"notbefore:c{number}") for number in range(len(NOT_BEFORES))]
    assert [in_force for _, _, in_force in NOT_BEFORES] == found


def test_global_not_before_of_the_future_stays(vault: Vault) -> None:
    """Somebody shut the gateway until then; a restore does not open it."""
    vault.add_client()
    later = str(vault.now_s() + 500)
    vault.redis.set("notbefore:*", later, ex=5000)
    taken_and_restored(vault)
    assert later == vault.redis.get("notbefore:*")


def test_one_time_tokens_and_rates_are_not_kept(vault: Vault) -> None:
    """They are dead with their data set, or older than a second."""
    vault.add_client()
    for key in ("ott:0a1b2c3d.x", "spent:{ott:0a1b2c3d.y}", "rate:orders"):
        vault.redis.set(key, "1", ex=1000)
    taken_and_restored(vault)
    assert not vault.redis.keys("ott:*") + vault.redis.keys("spent:*") + vault.redis.keys("rate:*")


def test_service_is_told_of_the_newest_snapshot(vault: Vault) -> None:
    """By a hash in Redis, because it does not know Postgres; a restore tells it anew."""
    vault.add_client()
    vault.redis.set("revoked:a", "x", ex=1000)
    began_s = vault.now_s()
    vault.done("snapshot")
    note = vault.redis.hgetall("snapshot")
    assert began_s <= int(note["taken_s"]) <= vault.now_s()
    assert {"id": "1", "clients": "1", "revocations": "1"}.items() <= note.items()
    vault.redis.flushall()
    vault.done("restore")
    assert note == vault.redis.hgetall("snapshot")


def test_restore_is_in_the_audit(vault: Vault) -> None:
    """Who did it, and which snapshot it was."""
    vault.add_client()
    taken_and_restored(vault)
    ((_, entry),) = vault.redis.xrange("audit")
    assert ("restore", "ops:sam") == (entry["event"], entry["who"])
    assert re.fullmatch(r"snapshot 1 of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["detail"])


def test_very_large_route_table_comes_back(vault: Vault) -> None:
    """It is one hash: more fields than one batch has."""
    routes = {f"GET /{number}": f"scope:{number}" for number in range(3000)}
    vault.redis.hset("routes", mapping=routes)
    taken_and_restored(vault)
    assert routes == vault.redis.hgetall("routes")
