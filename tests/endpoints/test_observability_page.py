"""docs/observability.md against what there is."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from app import errors
from app.errors import OAuthError
from tests.service import Service

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()


def test_page_lists_the_metrics_that_there_are(service: Service) -> None:
    """Each one, and no other, with its labels."""
    text = service.http.simulate_get("/metrics").text
    told = {}
    for family in text_string_to_metric_families(text):
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {label for one in family.samples for label in one.labels} - {"le"}
        told[family.name.removesuffix(suffix) + suffix] = labels
    listed = {}
    for names, labels in re.findall(r"^\| (`portcullis_[^|]*) \| ([^|]*)\|", PAGE, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            listed[name] = set(re.findall(r"`(\w+)`", labels))
    absent = {name for name in listed if not told.get(name)}
    assert set(listed) == set(told)
    assert {name: labels for name, labels in listed.items() if name not in absent} == {
        name: labels for name, labels in told.items() if name not in absent
    }


def test_page_lists_the_error_codes_that_are_logged() -> None:
    """Those of the endpoints; the gate's reasons are in README.md."""
    raised = (one for one in vars(errors).values() if isinstance(one, type))
    codes = {one.error for one in raised if issubclass(one, OAuthError) and "error" in vars(one)}
    assert "invalid_client" in codes
    assert codes <= set(re.findall(r"`(\w+)`", PAGE))
