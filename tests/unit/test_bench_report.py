"""What the bench says of its figures."""

import pytest

from bench.arguments import Parser, whole_number
from bench.flame import hottest
from bench.report import change, table, verdict
from bench.results import Spread


def test_spread_is_the_median_with_its_range() -> None:
    """Four digits are kept: more would be noise."""
    assert Spread(2.0, 1.0, 9.123) == Spread.of([9.12345, 1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "is_most", "expected"),
    [
        (0.79, False, "≥ 0.8 MISSED"),
        (0.80, False, "≥ 0.8 met"),
        (0.88, False, "≥ 0.88 met"),
        (0.81, True, "≤ 0.8 MISSED"),
        (0.80, True, "≤ 0.8 met"),
    ],
)
def test_goal_reached_exactly_is_met(value: float, is_most: bool, expected: str) -> None:
    """The stretch is named once it is reached, and never held against anyone."""
    assert expected == verdict(value, 0.8, None if is_most else 0.88, is_most=is_most)


def test_change_without_a_baseline_is_left_open() -> None:
    """Nothing is compared with nothing."""
    assert ("+10 %", "-50 %", "-") == (change(1.1, 1.0), change(0.5, 1.0), change(1.0, None))


def test_table_aligns_words_left_and_figures_right() -> None:
    """The first column is words."""
    rows = [["name", "n"], ["a", "1"], ["longer", "22"]]
    assert ["name     n", "----------", "a        1", "longer  22"] == table(rows).splitlines()


def test_hottest_frames_leave_waiting_out() -> None:
    """A worker that waits for work is not slow; how it came to its loop is no news either."""
    stacks = ["main;loop;epoll_wait (libc.so.6) 90", "main;loop;a;b 6", "main;loop;a 2"]
    alone, in_all = hottest([*stacks, "main;loop;c;b 2"]).split("\n\n")
    assert ["80.0%  b", "20.0%  a"] == [line.strip() for line in alone.splitlines()[1:]]
    assert ["80.0%  a", "80.0%  b", "20.0%  c"] == sorted(
        (line.strip() for line in in_all.splitlines()[1:]), reverse=True, key=lambda one: one[:5]
    )


@pytest.mark.parametrize("text", ["0", "101", "-1", "x", "", "1.5", "²"])
def test_number_out_of_range_is_refused_in_one_line(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input: one line on stderr, exit 2."""
    parser = Parser(prog="bench", description="")
    parser.add_argument("--rounds", type=whole_number)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([f"--rounds={text}"])
    assert 2 == caught.value.code
    assert 1 == len(capsys.readouterr().err.splitlines())
