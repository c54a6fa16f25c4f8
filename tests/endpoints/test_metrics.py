"""What `/metrics` says after what was asked."""

from prometheus_client.parser import text_string_to_metric_families

from app.metrics import REASONS
from tests.service import Service


def samples(service: Service) -> dict[str, float]:
    """Each sample by its name and labels."""
    answer = service.http.simulate_get("/metrics")
    assert 200 == answer.status_code
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_every_reason_is_there_from_the_start(service: Service) -> None:
    """A series that appears only with its first event cannot be alerted on."""
    found = samples(service)
    assert {0.0} == {found[f"portcullis_decisions_total {reason}"] for reason in REASONS}


def test_each_decision_counts_once_under_its_reason(service: Service) -> None:
    """Allowed, refused and undecided are told apart."""
    token = service.mint(scope="orders:read")
    for _ in range(3):
        service.validate(token)
    service.validate(token, X_Required_Scope="orders:write")
    service.validate()
    found = samples(service)
    counted = {reason: found[f"portcullis_decisions_total {reason}"] for reason in REASONS}
    expected = {"ok": 3.0, "missing_scope": 1.0, "no_token": 1.0}
    assert expected == {reason: count for reason, count in counted.items() if count}


def test_tokens_minted_and_revoked_are_counted(service: Service) -> None:
    """One-time tokens by themselves."""
    token = service.mint()
    service.mint(path="/ott")
    service.asked_by("/revoke", token=token)
    found = samples(service)
    assert (1, 1, 1) == (
        found["portcullis_tokens_minted_total"],
        found["portcullis_one_time_tokens_minted_total"],
        found["portcullis_tokens_revoked_total"],
    )


def test_worker_that_asks_every_time_is_not_counted_as_fed(service: Service) -> None:
    """Where Redis announces nothing, the gauge stays below the number of workers."""
    service.validate(service.mint())
    found = samples(service)
    assert (1, 0) == (found["portcullis_workers"], found["portcullis_fed_workers"])
