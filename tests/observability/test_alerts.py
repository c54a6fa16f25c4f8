"""The alert rules: well formed, and each fires when it should and only then."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.observability.expressions import ROOT, RULES, alerts

CASES = Path(__file__).parent / "alerts.test.yml"


def promtool(*arguments: object) -> str:
    """Run promtool and return what it prints; fail when it does."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_rules_and_example_are_what_prometheus_reads() -> None:
    """Syntax, expressions and templates."""
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", ROOT / "deploy/prometheus/prometheus.yml")


def test_rules_fire_for_the_gateway_in_trouble_alone() -> None:
    """promtool's own test of rules: what is expected of each is in alerts.test.yml."""
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_each_rule_has_a_case_in_which_it_fires() -> None:
    """A rule that was never seen to fire may be one that cannot."""
    tests = yaml.safe_load(CASES.read_text())["tests"]
    seen = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert {rule["alert"] for rule in alerts()} == seen


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_alert_says_whom_it_wakes_and_is_explained(rule: dict[str, object]) -> None:
    """A severity, a summary, and a line about what to do: where to look, and at night."""
    assert {"severity"} == set(rule["labels"])  # type: ignore[call-overload]
    assert json.dumps(rule["labels"]) in {'{"severity": "page"}', '{"severity": "ticket"}'}
    assert {"summary"} == set(rule["annotations"])  # type: ignore[call-overload]
    for name in ("observability.md", "operations.md"):
        assert f"| `{rule['alert']}` |" in (ROOT / "docs" / name).read_text()
