"""Telling a client from those who are not, at the same cost for all who are not."""

from pathlib import Path

import pytest

from app.certificates import CertificateProofs
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.credentials import Credentials
from app.errors import InvalidClient, StoreUnavailable
from app.metrics import Metrics
from app.remote_keys import RemoteKeys
from tests.forgery import NOW
from tests.service import SECRET
from tests.unit.worker import Worker


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    """A memory on a line that announces changes, so that it does remember."""
    return Worker(keys_dir)


def authenticate(worker: Worker, client_id: str, secret: str = SECRET) -> str:
    asking = ClientAuthentication(
        worker.store, worker.memory, CertificateProofs(is_on=False), RemoteKeys(()), Metrics(None)
    )
    found = asking.authenticate(
        Credentials(client_id, "client_secret_post", secret), NOW, "192.0.2.1"
    )
    return found.client.client_id


def test_remembered_client_is_told_without_redis(worker: Worker) -> None:
    """A right secret costs a question once, and then none until the client changes."""
    trips = []
    for _ in range(3):
        assert "demo" == authenticate(worker, "demo")
        trips.append(worker.line.round_trips)
    assert [1, 1, 1] == trips


@pytest.mark.parametrize("is_warm", [True, False])
def test_refusal_costs_one_question_whoever_asks(worker: Worker, is_warm: bool) -> None:
    """Otherwise time would tell which names there are: in memory, in Redis, or nowhere."""
    worker.put_client("disabled", status="disabled")
    worker.put_client("bare", secrets="[]")
    if is_warm:
        for client_id in ("demo", "disabled", "bare", "nobody"):
            worker.memory.registration(client_id)
    else:
        worker.memory.registration("another")
    for client_id, secret in (
        ("demo", "wrong"),
        ("disabled", SECRET),
        ("bare", SECRET),
        ("nobody", SECRET),
    ):
        before = worker.line.round_trips
        with pytest.raises(InvalidClient):
            authenticate(worker, client_id, secret)
        assert 1 == worker.line.round_trips - before, client_id


def test_refusal_of_a_remembered_client_needs_redis_too(worker: Worker) -> None:
    """While Redis is away an unknown name gets 503, and so does a known one."""
    authenticate(worker, "demo")
    worker.server.connected = False
    for client_id in ("demo", "nobody"):
        with pytest.raises(StoreUnavailable):
            authenticate(worker, client_id, "wrong")
    assert "demo" == authenticate(worker, "demo")
