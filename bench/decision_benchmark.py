"""The decision itself, in process: header string in, verdict out. Run by bench/decision.py.

In the environment: BENCH_RUN_DIR, the folder of a running gateway; BENCH_TOKEN, a good token.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from wsgiref.types import WSGIEnvironment

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from app.config import Config
from app.endpoints.auth_request import AuthRequestEndpoint
from app.journal import Journal
from app.keys import KeyRingFile
from app.line import Line
from app.main import create_app
from app.store import Store
from app.tokens import issue, new_jti
from app.verifier import Verifier

TOKEN = os.environ["BENCH_TOKEN"]
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "HTTP_AUTHORIZATION": f"Bearer {TOKEN}",
    "HTTP_X_REQUIRED_SCOPE": "bench:read",
    "HTTP_X_REQUEST_ID": "0" * 32,
}


Endpoint = Callable[[type[Line]], AuthRequestEndpoint]


class _DeafLine(Line):
    """A line that never looks whether there is news: what is left is the decision alone."""

    def is_current(self) -> bool:
        return True


@pytest.fixture(scope="module")
def config() -> Config:
    """The gateway's own configuration; what is counted here is no part of its metrics."""
    lines = (Path(os.environ["BENCH_RUN_DIR"]) / "app.env").read_text().splitlines()
    found = Config.from_environ(dict(line.split("=", 1) for line in lines))
    return replace(found, metrics_dir=None)


@pytest.fixture(scope="module")
def verifier(config: Config) -> Verifier:
    keys = KeyRingFile(config.keys_dir)
    return Verifier(keys, time.time, issuer=config.issuer, leeway_s=config.leeway_s)


@pytest.fixture
def endpoint(config: Config) -> Iterator[Endpoint]:
    """Take the endpoint out of a service that was wired as the gateway's is; hang up at the end."""
    lines: list[Line] = []

    def made_with(kind: type[Line]) -> AuthRequestEndpoint:
        lines.append(kind(config.redis_url, timeout_s=1.0))
        journal = Journal(Line(config.redis_url, timeout_s=1.0, watched=()), most_entries=1)
        service = create_app(config, Store(lines[-1]), journal, KeyRingFile(config.keys_dir))
        made = service._auth_request  # noqa: SLF001 - no way round the service for anybody else
        assert isinstance(made, AuthRequestEndpoint)
        decide(made)(ENVIRON)
        return made

    yield made_with
    for line in lines:
        line.close()


def decide(made: AuthRequestEndpoint) -> Callable[[WSGIEnvironment], object]:
    """Return the decision as it stands inside the endpoint, without the answer around it."""
    return made._decide  # noqa: SLF001 - a public way to it would be one call more to measure


def test_decision_without_drain(benchmark: BenchmarkFixture, endpoint: Endpoint) -> None:
    """Look the token up, compare times and scope."""
    benchmark(decide(endpoint(_DeafLine)), ENVIRON)


def test_decision_with_drain(benchmark: BenchmarkFixture, endpoint: Endpoint) -> None:
    """The same, having looked into the socket for revocations first."""
    benchmark(decide(endpoint(Line)), ENVIRON)


def test_answer_with_drain(benchmark: BenchmarkFixture, endpoint: Endpoint) -> None:
    """The same, with the answer's headers: all that the app does between two reads of a socket."""

    def start_response(_status: str, _headers: list[tuple[str, str]]) -> None:
        return

    benchmark(endpoint(Line), ENVIRON, start_response)


def test_verification_es256(benchmark: BenchmarkFixture, verifier: Verifier) -> None:
    """What a token costs that no worker has met."""
    benchmark(verifier.verify, TOKEN)


def test_signature_es256(benchmark: BenchmarkFixture, verifier: Verifier) -> None:
    """What a mint costs at the least."""
    now = int(time.time())
    key = verifier.ring().signer(now)

    def sign() -> str:
        return issue(
            key,
            issuer=verifier.issuer,
            client_id="bench",
            audience=verifier.issuer,
            scope="bench:read",
            jti=new_jti("00000000"),
            iat=now,
            exp=now + 60,
        )

    benchmark(sign)
