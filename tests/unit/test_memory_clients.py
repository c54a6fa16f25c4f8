"""Clients in a memory: few, current, and no clock for those who guess names and secrets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.certificates import CertificateProofs
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.credentials import Credentials
from app.errors import InvalidClient
from app.metrics import Metrics
from app.remote_keys import RemoteKeys
from tests.forgery import NOW
from tests.unit.worker import Worker


@pytest.fixture
def worker(keys_dir: Path) -> Worker:
    return Worker(keys_dir)


def questions(worker: Worker, client_id: str) -> int:
    """Return how many questions it costs to be refused with a wrong secret."""
    before = worker.line.round_trips
    with pytest.raises(InvalidClient):
        ClientAuthentication(
            worker.store,
            worker.memory,
            CertificateProofs(is_on=False),
            RemoteKeys(()),
            Metrics(None),
        ).authenticate(Credentials(client_id, "client_secret_post", "wrong"), NOW, "192.0.2.1")
    return worker.line.round_trips - before


def be_cut(worker: Worker) -> None:
    worker.line.is_up = False


def kill_all(worker: Worker) -> None:
    worker.redis.set("notbefore:*", NOW)
    worker.line.announce("notbefore:*")


def change(worker: Worker) -> None:
    worker.put_client("demo")
    worker.line.announce("client:demo")


def doubt_everything(worker: Worker) -> None:
    worker.line.news.append(None)


def forget_clients(worker: Worker) -> None:
    for number in range(200):
        worker.put_client(f"c{number}")
        worker.memory.registration(f"c{number}")


AFTER = pytest.mark.parametrize(
    "happens",
    [be_cut, kill_all, change, doubt_everything, forget_clients],
    ids=lambda f: f.__name__,
)


@AFTER
def test_wrong_secret_costs_one_question_whatever_has_just_happened(
    worker: Worker, happens: Callable[[Worker], None]
) -> None:
    """Known, forgotten and unknown names; also where nothing is announced and all is asked."""
    for client_id in ("demo", "nobody"):
        worker.memory.registration(client_id)
    happens(worker)
    for client_id in ("first-who-asks", "demo", "nobody", "demo", "nobody"):
        assert 1 == questions(worker, client_id), client_id


@AFTER
def test_wrong_secret_of_the_first_to_ask_costs_one_question_too(
    worker: Worker, happens: Callable[[Worker], None]
) -> None:
    """Nobody else has to have asked before."""
    worker.memory.registration("demo")
    happens(worker)
    assert 1 == questions(worker, "demo")


def test_clients_are_forgotten_oldest_first_and_known_again_when_asked(keys_dir: Path) -> None:
    """Whoever had to make room is looked up again, as it now stands."""
    worker = Worker(keys_dir, most_clients=3)
    for number in range(10):
        worker.put_client(f"c{number}")
        worker.memory.registration(f"c{number}")
    known = [number for number in range(10) if worker.memory.has_client(f"c{number}")]
    assert [7, 8, 9] == known
    worker.put_client("c0", scopes="new")
    client = worker.memory.registration("c0")[0].client
    assert client
    assert ("new",) == client.scopes


def test_tokens_of_more_clients_than_are_kept_are_all_judged_rightly(keys_dir: Path) -> None:
    """Round and round over twenty clients with room for three: slower, never wrong."""
    worker = Worker(keys_dir, most_clients=3)
    for number in range(20):
        worker.put_client(f"c{number}", status="disabled" if number % 3 else "active")
    tokens = [worker.token(str(number), f"c{number}") for number in range(20)]
    expected = ["client_disabled" if number % 3 else "ok" for number in range(20)]
    for _ in range(3):
        assert expected == [worker.reason(token) for token in tokens]
    for number in range(20):
        worker.put_client(f"c{number}", status="active" if number % 3 else "disabled")
        worker.line.announce(f"client:c{number}")
    opposite = ["ok" if number % 3 else "client_disabled" for number in range(20)]
    assert opposite == [worker.reason(token) for token in tokens]
