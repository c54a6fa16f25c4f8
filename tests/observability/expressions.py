"""Every PromQL expression that is shipped, with what Grafana puts into its own filled in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "portcullis.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "portcullis.json"
_METRIC = re.compile(r"\bportcullis_\w+")


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana would import it."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions() -> dict[str, str]:
    """Each expression by where it stands."""
    found = {rule["alert"]: rule["expr"] for rule in alerts()}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            found[f"{panel['title']} {target['refId']}"] = _filled(target["expr"])
    for annotation in dashboard()["annotations"]["list"]:
        found[annotation["name"]] = _filled(annotation["expr"])
    return found


def metrics_named() -> set[str]:
    """The metrics that expressions read."""
    return {name for one in expressions().values() for name in _METRIC.findall(one)}


def _filled(expression: str) -> str:
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*")


def panels_apart() -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Each pair of panels' places."""
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            yield one, other
