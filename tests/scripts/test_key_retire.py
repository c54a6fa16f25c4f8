"""scripts/key retire: one key away, at once, but never the last that can sign."""

from pathlib import Path

import pytest

from tests.scripts.keyring import OVERLAP_S, put_keys, states
from tests.scripts.ops import Ops, answer_on_terminal


def test_retire_takes_line_and_file_away(ops: Ops, keys: Path) -> None:
    """Other keys and people's comments stay."""
    put_keys(keys, -100, -10)
    with (keys / "keyring").open("a") as ring:
        ring.write("# k0 was here")
    assert {"kid": "k0", "retired": True} == ops.json("key", "retire", "k0", "--yes")
    assert {"k1": "signing"} == states(ops)
    assert {"keyring", "k1.secret"} == {path.name for path in keys.iterdir()}
    assert (keys / "keyring").read_text().startswith("# the keys\nk1 ")
    assert (keys / "keyring").read_text().endswith("# k0 was here\n")


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
    ("kid", "question"),
    [
        ("k0", "Retire key k0? Its last token is dead already."),
        ("k1", "Retire key k1? The tokens that it signed die at once."),
        ("k2", "Retire key k2? The tokens that it signed die at once, and k1 signs again."),
        ("k3", "Retire key k3, before it has signed?"),
    ],
)
def test_retire_asks_and_says_what_will_happen(
    ops: Ops, keys: Path, kid: str, question: str
) -> None:
    """The question depends on the key's state; without a yes the key stays."""
    put_keys(keys, -300_000, -200_000, -10, 600)
    status, stderr = answer_on_terminal(ops, "n", "key", "retire", kid)
    assert (1, True) == (status, f"{question} [y/N]" in stderr)
    assert kid in states(ops)
    status, _ = answer_on_terminal(ops, "y", "key", "retire", kid)
    assert 0 == status
    assert kid not in states(ops)
