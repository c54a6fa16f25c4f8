"""The Grafana dashboard: expressions that parse, panels that do not cover each other."""

import json
from pathlib import Path

from tests.observability.expressions import dashboard, expressions, panels_apart
from tests.observability.test_alerts import promtool


def test_each_expression_parses(tmp_path: Path) -> None:
    """As rules, because that is what promtool looks at."""
    rules = [
        {"record": f"parsed:{number}", "expr": expression}
        for number, expression in enumerate(expressions().values())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    """Within the 24 columns that there are."""
    panels = dashboard()["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    for one, other in panels_apart():
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below, (one, other)


def test_dashboard_names_no_datasource_of_somebody_elses() -> None:
    """Whoever imports it picks a Prometheus and the gateways."""
    text = json.dumps(dashboard())
    assert {"datasource", "instance"} == {one["name"] for one in dashboard()["templating"]["list"]}
    assert text.count('"uid": "${datasource}"') == text.count('"type": "prometheus"')
