"""The audit stream is capped; the trail in Postgres is not, and has each entry once."""

from typing import Any

from tests.snapshot.vault import Vault


def note(vault: Vault, *events: str) -> list[str]:
    """Write entries into the stream; return their ids."""
    return [vault.redis.xadd("audit", {"event": event, "client_id": "demo"}) for event in events]


def trail(vault: Vault) -> list[tuple[Any, ...]]:
    return vault.rows(
        "SELECT stream_ms || '-' || stream_seq, event FROM portcullis.audit"
        " ORDER BY stream_ms, stream_seq"
    )


def test_each_entry_is_kept_once(vault: Vault) -> None:
    """A snapshot adds what is new since the one before."""
    ids = note(vault, "mint", "revoke")
    assert 2 == vault.done("snapshot")["audit_entries"]
    assert 0 == vault.done("snapshot")["audit_entries"]
    ids += note(vault, "mint")
    assert 1 == vault.done("snapshot")["audit_entries"]
    assert [(ids[0], "mint"), (ids[1], "revoke"), (ids[2], "mint")] == trail(vault)


def test_trail_outlives_the_stream_and_its_snapshots(vault: Vault) -> None:
    """Trimmed away, lost with Redis, or pruned: what was kept is kept."""
    first = note(vault, "mint")
    vault.done("snapshot")
    vault.redis.flushall()
    vault.begin_dataset("ffffffff")
    second = note(vault, "revoke")
    vault.done("snapshot", "--keep", "0,0")
    assert [2] == vault.ids()
    assert [(first[0], "mint"), (second[0], "revoke")] == trail(vault)


def test_new_data_set_does_not_double_the_trail(vault: Vault) -> None:
    """A restore with --force, or `DEL dataset`, leaves the stream as it is."""
    ids = note(vault, "mint", "mint")
    vault.done("snapshot")
    vault.begin_dataset("ffffffff")
    ids += note(vault, "mint")
    assert 1 == vault.done("snapshot")["audit_entries"]
    assert ids == [entry_id for entry_id, _ in trail(vault)]


def test_entry_of_another_redis_in_the_same_millisecond_is_kept(vault: Vault) -> None:
    """The same id in another data set is another entry, unless all of it is the same."""
    vault.redis.xadd("audit", {"event": "mint"}, id="5-0")
    vault.done("snapshot")
    vault.redis.flushall()
    vault.begin_dataset("ffffffff")
    vault.redis.xadd("audit", {"event": "revoke"}, id="5-0")
    vault.done("snapshot")
    assert [("5-0", "mint"), ("5-0", "revoke")] == sorted(trail(vault))


def test_what_the_stream_had_dropped_is_told(vault: Vault) -> None:
    """So that somebody makes it longer; exactly as many as are missing."""
    note(vault, "mint")
    vault.done("snapshot")
    note(vault, *["mint"] * 10)
    vault.redis.xtrim("audit", maxlen=4, approximate=False)
    note(vault, "mint")
    finished = vault.call("snapshot")
    assert 0 == finished.returncode
    assert "6 audit entries were gone before they could be kept" in finished.stderr
    assert 6 == len(trail(vault))
    assert "" == vault.call("snapshot").stderr


def test_entries_come_in_batches(vault: Vault) -> None:
    """More than one reply holds."""
    pipe = vault.redis.pipeline()
    for number in range(2500):
        pipe.xadd("audit", {"event": "mint", "detail": str(number)})
    pipe.execute()
    assert 2500 == vault.done("snapshot")["audit_entries"]
    assert [(2500,)] == vault.rows("SELECT count(DISTINCT fields->>'detail') FROM portcullis.audit")


def test_entry_tells_when_what_and_all_of_its_fields(vault: Vault) -> None:
    """As people ask for it; bytes that no text can hold are escaped in `fields`."""
    vault.redis.xadd("audit", {"event": "mint", "client_id": "a", "from": b"\x00\xff"}, id="1500-3")
    vault.done("snapshot")
    query = "SELECT extract(epoch FROM at)::float8, event, client_id, fields::text, dataset_id"
    assert [(1.5, "mint", "a")] == [row[:3] for row in vault.rows(f"{query} FROM portcullis.audit")]
    (found,) = vault.rows(f"{query} FROM portcullis.audit")
    assert r"\u0000\udcff" in found[3]
    assert "0a1b2c3d" == found[4]


def test_audit_that_is_no_stream_is_told_and_the_rest_is_kept(vault: Vault) -> None:
    """Clients are worth more than a trail that somebody has overwritten."""
    note(vault, "mint")
    vault.done("snapshot")
    vault.redis.delete("audit")
    vault.redis.set("audit", "x")
    vault.add_client()
    finished = vault.call("snapshot")
    assert (0, "snapshot: the key audit is no stream: no audit entries were kept\n") == (
        finished.returncode,
        finished.stderr,
    )
    vault.redis.delete("audit")
    ids = note(vault, "revoke")
    vault.done("snapshot")
    assert (ids[0], "revoke") == trail(vault)[-1]
