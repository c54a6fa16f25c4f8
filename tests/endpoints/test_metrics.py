"""What `/metrics` says after what was asked."""

import subprocess
from pathlib import Path

import fakeredis
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import REASONS
from tests.service import Service, build_service


def samples(service: Service) -> dict[str, float]:
    """Each sample by its name and its labels' values, in the order of their names."""
    answer = service.http.simulate_get("/metrics")
    assert 200 == answer.status_code
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        " ".join(
            [sample.name, *(sample.labels[one] for one in sorted(sample.labels))]
        ): sample.value
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
    """By client; one-time tokens by themselves."""
    service.add_client("other")
    token = service.mint()
    service.mint("other")
    service.mint("other")
    service.mint(path="/ott")
    service.asked_by("/revoke", token=token)
    found = samples(service)
    assert (1, 2, 0, 1, 1) == (
        found["portcullis_tokens_minted_total demo"],
        found["portcullis_tokens_minted_total other"],
        found["portcullis_tokens_minted_total (other)"],
        found["portcullis_one_time_tokens_minted_total"],
        found["portcullis_tokens_revoked_total"],
    )


def test_worker_that_asks_every_time_is_not_counted_as_fed(service: Service) -> None:
    """Where Redis announces nothing, the gauge stays below the number of workers."""
    service.validate(service.mint())
    found = samples(service)
    assert (1, 0) == (found["portcullis_workers"], found["portcullis_fed_workers"])


def test_promtool_finds_nothing_to_say(service: Service) -> None:
    """Names, units, types and help texts are as Prometheus wants them."""
    service.validate(service.mint())
    service.redis.hset("snapshot", "taken_s", "4000000000")
    text = service.http.simulate_get("/metrics").content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_requests_are_counted_by_endpoint_and_status(service: Service) -> None:
    """Each once, whoever answers it: the gate, an endpoint, or Falcon itself."""
    token = service.mint()
    service.form("/token", "grant_type=client_credentials")
    service.validate(token)
    service.validate(token, X_Required_Scope="admin")
    service.http.simulate_delete("/validate")
    service.http.simulate_get("/token")
    service.http.simulate_get("/nothing/here")
    service.http.simulate_get("/.well-known/jwks.json")
    found = samples(service)
    counted = {
        key.removeprefix("portcullis_requests_total "): value
        for key, value in found.items()
        if key.startswith("portcullis_requests_total") and value
    }
    assert {
        "200 token": 1,
        "401 token": 1,
        "405 token": 1,
        "204 validate": 1,
        "403 validate": 1,
        "405 validate": 1,
        "200 discovery": 1,
        "404 other": 1,
    } == counted
    for endpoint, count in {
        "token": 3,
        "validate": 3,
        "discovery": 1,
        "other": 1,
        "ott": 0,
    }.items():
        assert count == found[f"portcullis_request_duration_seconds_count {endpoint}"]
        assert count == found[f"portcullis_request_duration_seconds_bucket {endpoint} +Inf"]
        assert (count > 0) == (found[f"portcullis_request_duration_seconds_sum {endpoint}"] > 0)


def test_hits_and_misses_of_warm_tokens_are_counted(service: Service) -> None:
    """A call without a token asks memory for nothing; a forged token is a miss each time."""
    token = service.mint()
    forged = token[:-8] + "AAAAAAAA"
    for sent in (token, token, token, forged, forged, None):
        service.validate(sent)
    found = samples(service)
    assert (2, 3, 1) == (
        found["portcullis_warm_token_hits_total"],
        found["portcullis_warm_token_misses_total"],
        found["portcullis_tokens_verified_total"],
    )


def test_evictions_are_counted(keys_dir: Path) -> None:
    """Tokens that make room for others, under a bound of two."""
    made = build_service(fakeredis.FakeRedis(decode_responses=True), keys_dir, warm_tokens=2)
    made.add_client()
    for _ in range(5):
        made.validate(made.mint())
    made.clock.now += 1
    made.validate()
    found = samples(made)
    made.close()
    assert (3, 2, 2) == (
        found["portcullis_warm_token_evictions_total"],
        found["portcullis_warm_tokens"],
        found["portcullis_warm_tokens_limit"],
    )


def test_one_time_tokens_spent_and_replayed_are_counted(service: Service) -> None:
    """The same request again, as nginx retries it, is no replay."""
    token = service.mint(path="/ott")
    for request_id in ("a", "a", "b", "c"):
        service.validate(token, X_Request_ID=request_id)
    found = samples(service)
    assert (2, 2) == (
        found["portcullis_one_time_tokens_spent_total"],
        found["portcullis_one_time_tokens_replayed_total"],
    )


def test_audit_entries_are_counted_when_they_are_written(service: Service) -> None:
    """Not when they are noted."""
    service.mint()
    service.mint()
    service.journal.flush()
    found = samples(service)
    assert (2, 0) == (
        found["portcullis_audit_entries_written_total"],
        found["portcullis_audit_entries_dropped_total"],
    )


@pytest.mark.parametrize(
    ("taken_s", "expected"),
    [("3999999940", 60), ("3999999940.5", 59.5), ("4000000099", 0), ("soon", None), (None, None)],
)
def test_snapshot_has_an_age_once_it_was_taken(
    service: Service, taken_s: str | None, expected: float | None
) -> None:
    """Before that, and when nobody can read it, there is no number to mistake for one."""
    if taken_s is not None:
        service.redis.hset("snapshot", "taken_s", taken_s)
    assert expected == samples(service).get("portcullis_snapshot_age_seconds")


def test_metrics_are_told_without_redis(
    service: Service, redis_server: fakeredis.FakeServer
) -> None:
    """That it is gone is one of them."""
    assert 1 == samples(service)["portcullis_store_up"]
    redis_server.connected = False
    found = samples(service)
    assert 0 == found["portcullis_store_up"]
    assert "portcullis_snapshot_age_seconds" not in found


def test_signing_keys_tell_their_dates(service: Service) -> None:
    """Since when the present one signs, and when the next one will."""
    found = samples(service)
    assert 0 == found["portcullis_signing_key_since_timestamp_seconds ES256 es-1"]
    assert not [key for key in found if key.startswith("portcullis_signing_key_next")]


def test_each_worker_tells_its_memory_and_time(service: Service) -> None:
    """Under its number, not its pid: after many restarts there are no more series."""
    found = samples(service)
    assert found["portcullis_worker_resident_memory_bytes 1"] > 1_000_000
    assert found["portcullis_worker_cpu_seconds_total 1"] > 0
    assert found["portcullis_worker_open_fds 1"] > 0
    assert found["portcullis_worker_start_time_seconds 1"] > 1_000_000_000


def test_build_tells_the_version_of_the_project(service: Service) -> None:
    """The one in pyproject.toml."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    info = next(key for key in samples(service) if key.startswith("portcullis_build_info"))
    assert f'version = "{info.split()[2]}"' in text
