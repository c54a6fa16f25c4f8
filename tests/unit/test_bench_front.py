"""The bench measures what ships, but for the limits that it is there to reach."""

from bench.front import as_measured
from tests.stack import ROOT


def test_no_request_of_the_bench_is_limited_or_late() -> None:
    """Of the app's 503 for what has waited, and nginx's 429, no figure could stand."""
    shipped = [path.read_text() for path in sorted((ROOT / "nginx").glob("portcullis-*.conf"))]
    measured = [as_measured(text) for text in shipped]
    for text in ("X-Request-Start $msec", "rate=3000r/s"):
        assert any(text in one for one in shipped), text
        assert not any(text in one for one in measured), text
