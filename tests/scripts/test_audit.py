"""scripts/audit: the trail, whole or in part, for people and for programs."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.ops import ROOT, Ops
from tests.stack import until


def put(ops: Ops, age_s: int, **fields: str) -> str:
    """Append an entry that is this old; return its id."""
    fields["from"] = fields.pop("from_", "cli")
    stamp = (ops.now_s() - age_s) * 1000
    entry_id: bytes = ops.redis.xadd("audit", fields, id=f"{stamp}-*")
    return entry_id.decode()


def test_the_table_has_one_line_per_entry(ops: Ops) -> None:
    """Time, event, client, who, from where, and the rest, oldest first."""
    put(ops, 50, event="mint", who="orders", client_id="orders", jti="a.b", from_="10.0.0.1")
    put(ops, 40, event="revoke_all", who="ops:sam", detail="issued up to x")
    put(ops, 30, event="revoke", who="ops:sam", client_id="orders", jti="a.b", detail="d")
    lines = [line.split(None, 5) for line in ops.done("audit").splitlines()]
    assert ["TIME", "EVENT", "CLIENT", "WHO", "FROM", "DETAIL"] == lines[0]
    assert [
        ["mint", "orders", "orders", "10.0.0.1", "jti a.b"],
        ["revoke_all", "-", "ops:sam", "cli", "issued up to x"],
        ["revoke", "orders", "ops:sam", "cli", "d, jti a.b"],
    ] == [line[1:] for line in lines[1:]]
    assert all(line[0].startswith("20") and line[0].endswith("Z") for line in lines[1:])


def test_json_has_every_field(ops: Ops) -> None:
    """One array; each entry with its id, its time and the fields that it has."""
    entry_id = put(ops, 5, event="mint", client_id="a", request_id="f0")
    assert [
        {
            "id": entry_id,
            "time_s": int(entry_id.partition("-")[0]) // 1000,
            "event": "mint",
            "client_id": "a",
            "request_id": "f0",
            "from": "cli",
        }
    ] == ops.json("audit")


def test_an_empty_trail_is_no_error(ops: Ops) -> None:
    """A heading and nothing else, or an empty array."""
    assert 1 == len(ops.done("audit").splitlines())
    assert [] == ops.json("audit")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--client", "a"), ["1", "2"]),
        (("--event", "mint"), ["1", "3"]),
        (("--client", "a", "--event", "mint"), ["1"]),
        (("--client", "c"), []),
        (("--since", "1d"), ["2", "3", "4"]),
        (("--since", "150s"), ["3", "4"]),
        (("--since", "150"), ["1", "2", "3", "4"]),
        (("--since", "0s", "--event", "mint"), []),
        (("--since", "999999999d"), ["1", "2", "3", "4"]),
        (("--since", "2020-01-01"), ["1", "2", "3", "4"]),
        (("--since", "2020-01-01T08:30Z", "--client", "b"), ["3", "4"]),
        (("--since", "2199-01-01 08:30:00+02:00"), []),
    ],
)
def test_filters_choose_entries(ops: Ops, words: tuple[str, ...], wanted: list[str]) -> None:
    """By client, by event, by time, and by all of them at once."""
    put(ops, 200_000, event="mint", client_id="a", detail="1")
    put(ops, 300, event="revoke", client_id="a", detail="2")
    put(ops, 100, event="mint", client_id="b", detail="3")
    put(ops, 10, event="revoke", client_id="b", detail="4")
    assert wanted == [entry["detail"] for entry in ops.json("audit", *words)]
    assert len(wanted) + 1 == len(ops.done("audit", *words).splitlines())


@pytest.mark.parametrize("shift_s", [0, 1])
def test_since_includes_its_second(ops: Ops, shift_s: int) -> None:
    """An entry of that very second is there, one of the second before is not."""
    entry_id = put(ops, 50, event="mint")
    since_s = int(entry_id.partition("-")[0]) // 1000 + shift_s
    assert 1 - shift_s == len(ops.json("audit", "--since", str(since_s)))


@pytest.mark.parametrize("entries", [499, 500, 501, 1000, 2300])
def test_batches_join_without_a_seam(ops: Ops, entries: int) -> None:
    """However many entries, each is there once and in order."""
    pipe = ops.redis.pipeline(transaction=False)
    for number in range(entries):
        pipe.xadd("audit", {"event": "mint", "detail": number}, id=f"1795230000000-{number}")
    pipe.execute()
    assert [str(number) for number in range(entries)] == [
        entry["detail"] for entry in ops.json("audit")
    ]


class Follower:
    """An `audit --follow` that is running."""

    def __init__(self, ops: Ops, *words: str) -> None:
        command: list[str | Path] = [ROOT / "scripts/audit", "--follow", *words]
        self.process = subprocess.Popen(
            command, env=ops.env, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._ops = ops

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        # As Ctrl-C does: the shell and the redis-cli that it waits for.
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.communicate(timeout=60)
        until(lambda: not self.waiting(), what="redis-cli is gone")

    def waiting(self) -> list[str]:
        """The connections that are blocked on the stream."""
        clients: list[dict[str, str]] = self._ops.redis.client_list()
        return [client["id"] for client in clients if client["cmd"] == "xread"]

    def disconnect(self) -> None:
        for connection in self.waiting():
            self._ops.redis.client_kill_filter(_id=connection)

    def next_line(self) -> str:
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline()
        return line


def test_follow_prints_new_entries_as_they_come(ops: Ops) -> None:
    """Not what was before; one JSON object per line; filters hold."""
    put(ops, 5, event="mint", client_id="a", detail="old")
    with Follower(ops, "--json", "--client", "a") as follower:
        until(follower.waiting, what="audit --follow waits")
        for client_id, detail in (("a", "1"), ("b", "2"), ("a", "3")):
            put(ops, 0, event="mint", client_id=client_id, detail=detail)
        seen: list[Any] = [json.loads(follower.next_line()) for _ in range(2)]
    assert ["1", "3"] == [entry["detail"] for entry in seen]


def test_follow_since_begins_in_the_past(ops: Ops) -> None:
    """--since prints what there is and goes on from there, for people too."""
    put(ops, 500, event="mint", detail="old")
    put(ops, 5, event="mint", detail="recent")
    with Follower(ops, "--since", "1m") as follower:
        assert follower.next_line().startswith("TIME")
        assert follower.next_line().endswith("recent\n")
        put(ops, 0, event="mint", detail="new")
        assert follower.next_line().endswith("new\n")


def test_follow_survives_a_broken_connection(ops: Ops) -> None:
    """Someone who kills all connections does not end the watch."""
    with Follower(ops, "--json") as follower:
        until(follower.waiting, what="audit --follow waits")
        follower.disconnect()
        put(ops, 0, event="mint", detail="after")
        assert "after" == json.loads(follower.next_line())["detail"]
