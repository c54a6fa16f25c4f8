"""Metrics of a real gateway: exact over workers that die, and read by a real Prometheus."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.test_gateway import GRANT
from tests.observability.expressions import expressions, metrics_named
from tests.processes import kill, until
from tests.stack import Stack, free_port
from tests.wire import ask, form, pipeline, request
from tests.workers import connections_to_workers, validate

REQUESTS = int(os.environ.get("LOAD_REQUESTS", "100000"))
BATCH = 100

Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack that nobody else asks anything."""
    with Stack(CANARY_S="1") as stack:
        yield stack


def scrape(stack: Stack) -> Samples:
    """Each sample of /metrics by its name and its labels' values, in the order of their names."""
    answer = ask(stack.ops_address, request("GET", "/metrics"))
    assert 200 == answer.status
    return {
        (sample.name, *dict(sorted(sample.labels.items())).values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def counted(stack: Stack) -> dict[str, float]:
    """What the test below counts."""
    found = scrape(stack)
    reasons = {"ok", "missing_scope", "no_token", "malformed"}
    return {
        **{reason: found["portcullis_decisions_total", reason] for reason in reasons},
        "timed": found["portcullis_request_duration_seconds_count", "validate"],
        "answered": sum(
            value
            for (name, *labels), value in found.items()
            if name == "portcullis_requests_total" and labels[1] == "validate"
        ),
        "hits": found["portcullis_warm_token_hits_total",],
        "misses": found["portcullis_warm_token_misses_total",],
    }


def test_counts_are_exact_over_workers_of_which_one_is_killed(own: Stack) -> None:
    """100,000 decisions by two workers; one is killed halfway, and another takes its place."""
    token = own.mint()
    sent = {
        "ok": validate(token, "demo:read"),
        "missing_scope": validate(token, "admin"),
        "no_token": request("GET", "/validate"),
        "malformed": request("GET", "/validate", token="x.y"),
    }
    shares = {"ok": 70, "missing_scope": 15, "no_token": 10, "malformed": 5}
    batch = b"".join(data * shares[reason] for reason, data in sent.items())
    before = counted(own)
    batches, workers_that_asked = 0, 0
    for _ in range(2):
        with connections_to_workers(own) as connections:
            workers_that_asked += len(connections)
            for _ in range(REQUESTS // BATCH // 2 // len(connections)):
                for connection in connections.values():
                    connection.send(batch)
                for connection in connections.values():
                    statuses = [connection.receive().status for _ in range(BATCH)]
                    assert [204] * 70 + [403] * 15 + [401] * 15 == statuses
                    batches += 1
        victim = own.workers()[0]
        kill(victim)
        until(lambda gone=victim: len(own.workers()) == 2 and gone not in own.workers())  # type: ignore[misc]
    after = counted(own)
    cold = workers_that_asked - 1  # the second worker of the first round lives on in the second
    expected = {reason: share * batches for reason, share in shares.items()}
    expected |= {"timed": BATCH * batches, "answered": BATCH * batches}
    expected |= {"hits": 85 * batches - cold, "misses": 5 * batches + cold}
    assert expected == {name: after[name] - before[name] for name in expected}


def test_each_worker_has_its_figures_under_a_small_number(own: Stack) -> None:
    """However many have come and gone."""
    until(lambda: scrape(own)["portcullis_workers",] == 2, what="the new worker counts")
    found = scrape(own)
    for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds", "start_time_seconds"):
        assert {"1", "2"} == {key[1] for key in found if key[0] == f"portcullis_worker_{name}"}


def test_idle_workers_stay_fed_and_say_so(own: Stack) -> None:
    """Nobody asks them anything, and still they hear what Redis announces, each second."""
    found = until(lambda: found if fed(found := scrape(own)) == 2 else None, what="both are fed")
    lags = [value for key, value in found.items() if key[0] == "portcullis_feed_lag_seconds"]
    assert 2 == len(lags)
    assert max(lags) < 30


def fed(found: Samples) -> float:
    return found["portcullis_fed_workers",]


def test_canaries_tell_how_soon_a_revocation_is_announced(own: Stack) -> None:
    """Within less than a second, unless the machine stood still for one; and none is lost."""
    name = "portcullis_revocation_propagation_seconds"
    until(lambda: scrape(own)[f"{name}_bucket", "1"] >= 4, what="canaries")
    found = scrape(own)
    lost = found["portcullis_revocation_canaries_lost_total",]
    assert found[f"{name}_count",] + lost <= found[f"{name}_bucket", "1"] + 1


def test_cache_stats_are_told_on_the_ops_listener_alone(own: Stack) -> None:
    """As JSON, for people and scripts."""
    told = ask(own.ops_address, request("GET", "/admin/cache/stats")).json()
    assert {"size", "limit", "hits", "misses", "hit_ratio", "evictions"} == set(told["warm_tokens"])
    assert sorted(own.workers()) == sorted(worker["pid"] for worker in told["workers"])
    assert 404 == own.call("/admin/cache/stats").status


@pytest.fixture(scope="module")
def prometheus(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the gateway every second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "portcullis",
                "static_configs": [{"targets": [f"127.0.0.1:{own.ops_port}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: is_ready(url), 60, what="Prometheus is ready")
            yield url
        finally:
            process.kill()


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
            return True
    except OSError:
        return False


def query(url: str, expression: str) -> list[Any]:
    """What Prometheus answers."""
    target = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(target, timeout=60) as answer:
        return list(json.load(answer)["data"]["result"])


def test_prometheus_scrapes_the_gateway_and_tells_its_sums(own: Stack, prometheus: str) -> None:
    """Its API returns the very numbers that were counted; nothing it read was dropped."""
    client_id, secret = own.demo
    grant = {**GRANT, "client_id": client_id, "client_secret": secret}
    minted = scrape(own)["portcullis_tokens_minted_total", "demo"] + 7
    asked = [form("/token", grant)] * 7
    assert [200] * 7 == [answer.status for answer in pipeline(own.address, asked)]
    name = 'portcullis_tokens_minted_total{client_id="demo"}'
    until(lambda: sums(prometheus, name) == [minted], 60, what="Prometheus reads")
    # A scrape that the machine makes late is none, and takes what was known with it.
    until(lambda: sums(prometheus, 'up{job="portcullis"}') == [1.0], 60, what="a scrape in time")
    decided = sum(value for key, value in scrape(own).items() if is_decision(key))
    until(lambda: sums(prometheus, "sum(portcullis_decisions_total)") == [decided], 60)
    quantile = "histogram_quantile(0.99, portcullis_request_duration_seconds_bucket)"
    until(lambda: query(prometheus, quantile), 60, what="a quantile")


def test_alerts_and_dashboard_read_what_there_is(own: Stack, prometheus: str) -> None:
    """Each metric that they name is in a scrape, and Prometheus evaluates each expression."""
    own.redis.hset("snapshot", "taken_s", "1")
    own.script("key", "rotate", "--delay-s", "3600")
    until(lambda: metrics_named() <= {key[0] for key in scrape(own)}, what="every metric")
    for expression in expressions().values():
        query(prometheus, expression)


def is_decision(key: tuple[str, ...]) -> bool:
    return key[0] == "portcullis_decisions_total"


def sums(url: str, expression: str) -> list[float]:
    return [float(one["value"][1]) for one in query(url, expression)]


def test_promtool_finds_nothing_in_a_live_scrape(own: Stack) -> None:
    """With all workers and everything that was counted."""
    text = ask(own.ops_address, request("GET", "/metrics")).body
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_counts_survive_a_restart_of_the_whole_app(own: Stack) -> None:
    """Prometheus would read a step back as a new beginning."""
    before = counted(own)
    own.kill("app")
    for pid in own.workers():
        kill(pid)
    own.start()
    after = counted(own)
    assert all(after[name] >= before[name] for name in before)
    assert after["ok"] == before["ok"]


def test_metrics_folder_does_not_grow_with_each_worker(own: Stack) -> None:
    """What ended workers counted is in one file."""
    names = {path.name for path in Path(own.run_dir / "metrics").iterdir()}
    assert len(names - {"lock", "names", "ended", "history"}) <= 2 + 1
