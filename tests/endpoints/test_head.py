"""HEAD is served wherever GET is (RFC 9110 §9.3.2)."""

import pytest

from tests.service import Service

DOCUMENTS = (
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_head_answers_as_get_does_without_a_body(service: Service, path: str) -> None:
    """The same status and the same headers, its length among them."""
    got, headed = service.http.simulate_get(path), service.http.simulate_head(path)
    assert (got.status_code, "") == (headed.status_code, headed.text)
    names = {"content-type", "cache-control", "content-length"}
    if path == "/metrics":  # it may have counted the first question
        names -= {"content-length"}
    for name in names:
        assert got.headers.get(name) == headed.headers.get(name)


def test_wrong_method_is_told_which_are_right(service: Service) -> None:
    """HEAD among them (RFC 9110 §15.5.6)."""
    answer = service.http.simulate_delete("/health")
    assert (405, "GET, HEAD, OPTIONS") == (answer.status_code, answer.headers["Allow"])
