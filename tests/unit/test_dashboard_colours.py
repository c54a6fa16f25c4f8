"""The dashboard's colours can be read, by day and by night (WCAG 2.2: 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

STYLE = Path(__file__).resolve().parents[2] / "app/admin/static/base.css"
THEMES = {
    "dark" if "dark" in block[0] else "light": dict(
        re.findall(r"--([a-z0-9-]+): (#\w+);", block[1])
    )
    for block in re.findall(r"(:root[^{]*)\{([^}]*)\}", STYLE.read_text())
}
TEXT = ["text", "muted", "accent", "good", "warn", "bad"]
LINES = ["edge", *(f"c{number}" for number in range(1, 9)), "good", "warn", "bad"]
ON_ITS_OWN = [
    ("on-accent", "accent"),
    ("good", "good-soft"),
    ("warn", "warn-soft"),
    ("bad", "bad-soft"),
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(theme: str, one: str, other: str) -> float:
    lights = sorted(luminance(THEMES[theme][name]) for name in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "card", "hover"])
@pytest.mark.parametrize("name", TEXT)
def test_text_stands_out_from_what_it_is_on(theme: str, ground: str, name: str) -> None:
    """4.5 to 1 at least."""
    assert contrast(theme, name, ground) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("name", "ground"), ON_ITS_OWN)
def test_label_stands_out_from_its_own_ground(theme: str, name: str, ground: str) -> None:
    """4.5 to 1 at least."""
    assert contrast(theme, name, ground) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", LINES)
def test_line_stands_out_from_its_card(theme: str, name: str) -> None:
    """Lines of charts and edges of fields: 3 to 1 at least."""
    assert contrast(theme, name, "card") >= 3


def test_both_themes_name_the_same_colours() -> None:
    """None is forgotten at night."""
    assert set(THEMES["light"]) == set(THEMES["dark"])
