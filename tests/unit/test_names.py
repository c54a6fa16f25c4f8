"""Names as labels: few, and the same for everybody."""

from pathlib import Path

import pytest

from app.names import Names


@pytest.mark.parametrize("is_shared", [True, False])
def test_first_names_get_a_number_and_the_rest_none(tmp_path: Path, is_shared: bool) -> None:
    """However many clients there are, the label has so many values."""
    names = Names(tmp_path if is_shared else None, 2)
    assert [0, 1, 0, None, 1] == [names.number(name) for name in ("a", "b", "a", "c", "b")]
    assert ["a", "b"] == names.known()


def test_workers_agree_on_the_number_of_a_name(tmp_path: Path) -> None:
    """Whichever of them met it first."""
    one, other = Names(tmp_path, 3), Names(tmp_path, 3)
    assert [0, 1] == [one.number("a"), other.number("b")]
    assert [1, 0, 2] == [one.number("b"), other.number("a"), one.number("c")]
    assert [None, None] == [one.number("d"), other.number("d")]
    assert ["a", "b", "c"] == one.known() == other.known()


def test_number_outlives_all_workers(tmp_path: Path) -> None:
    """What was counted under it still belongs to it."""
    Names(tmp_path, 3).number("a")
    later = Names(tmp_path, 3)
    assert ["a"] == later.known()
    assert [1, 0] == [later.number("b"), later.number("a")]
