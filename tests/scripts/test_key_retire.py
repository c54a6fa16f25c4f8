"""scripts/key retire: a key signs no more, or is taken away; never the last that can sign."""

import time
from pathlib import Path

import pytest

from app.keys import load_keyring
from tests.scripts.keyring import OVERLAP_S, put_keys, states
from tests.scripts.ops import Ops, answer_on_terminal


def test_retire_now_takes_line_and_file_away(ops: Ops, keys: Path) -> None:
    """Other keys and people's comments stay."""
    put_keys(keys, -100, -10)
    with (keys / "keyring").open("a") as ring:
        ring.write("# k0 was here")
    done = ops.json("key", "retire", "k0", "--now", "--yes")
    assert {"kid": "k0", "retired": True, "verifies_until_s": None} == done
    assert {"k1": "signing"} == states(ops)
    assert {"keyring", "k1.secret"} == {path.name for path in keys.iterdir()}
    assert (keys / "keyring").read_text().startswith("# the keys\nk1 ")
    assert (keys / "keyring").read_text().endswith("# k0 was here\n")


def test_key_whose_tokens_live_stays_published_until_the_last_is_dead(ops: Ops, keys: Path) -> None:
    """Nothing is to be done, and so nothing is asked."""
    put_keys(keys, -100, -10)
    before = (keys / "keyring").read_text()
    listed = {key["kid"]: key["verifies_until_s"] for key in ops.json("key", "list")}
    done = ops.json("key", "retire", "k0")
    assert {"kid": "k0", "retired": True, "verifies_until_s": listed["k0"]} == done
    assert "signs no more" in ops.done("key", "retire", "k0")
    assert (keys / "keyring").read_text() == before


def test_signing_key_hands_over_to_the_one_before(ops: Ops, keys: Path) -> None:
    """It goes on to be accepted for as long as its last token may live."""
    put_keys(keys, -100, -10, 600)
    until_s = ops.json("key", "retire", "k1", "--yes")["verifies_until_s"]
    assert abs(until_s - time.time() - OVERLAP_S) < 30
    assert {"k0": "signing", "k1": "verifying", "k2": "next"} == states(ops)
    ring = load_keyring(keys)
    assert "k0" == ring.signer(time.time() + 1).kid
    assert ring.find("k1", until_s - 1).kid == "k1"


@pytest.mark.parametrize(
    ("starts", "kid"),
    [((-10,), "k0"), ((-10, 600), "k0"), ((-OVERLAP_S * 2, -OVERLAP_S - 10), "k1")],
    ids=["alone", "before the next", "after a dead one"],
)
def test_retire_refuses_the_only_key_that_can_sign(
    ops: Ops, keys: Path, starts: tuple[int, ...], kid: str
) -> None:
    """A dead key does not count: it was given up, perhaps because it leaked."""
    put_keys(keys, *starts)
    before = sorted(keys.iterdir())
    assert "the only key that can sign now" in ops.refusal("key", "retire", kid, "--yes")
    assert before == sorted(keys.iterdir())


@pytest.mark.parametrize(
    ("kid", "flags", "question"),
    [
        ("k0", [], "Retire key k0? Its last token is dead already."),
        ("k1", ["--now"], "Retire key k1? The tokens that it signed die at once."),
        ("k2", [], "Retire key k2? Its tokens stay good, and k1 signs again."),
        (
            "k2",
            ["--now"],
            "Retire key k2? The tokens that it signed die at once, and k1 signs again.",
        ),
        ("k3", [], "Retire key k3, before it has signed?"),
    ],
)
def test_retire_asks_and_says_what_will_happen(
    ops: Ops, keys: Path, kid: str, flags: list[str], question: str
) -> None:
    """The question depends on the key's state; without a yes the key stays."""
    put_keys(keys, -300_000, -200_000, -10, 600)
    before = states(ops)
    status, stderr = answer_on_terminal(ops, "n", "key", "retire", kid, *flags)
    assert (1, True) == (status, f"{question} [y/N]" in stderr)
    assert before == states(ops)
    status, _ = answer_on_terminal(ops, "y", "key", "retire", kid, *flags)
    assert 0 == status
    assert states(ops).get(kid) == ("verifying" if (kid, flags) == ("k2", []) else None)
