"""A client whose keys are at a `jwks_uri`: what it is told while nobody knows them."""

from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from app.assertions import read_assertion
from app.certificates import CertificateProofs
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.credentials import Credentials
from app.errors import InvalidClient, TemporarilyUnavailable
from app.metrics import Metrics
from app.remote_keys import RemoteKeys
from tests.forgery import NOW
from tests.identities import PrivateKey, key_set, new_key, private_pem, public_jwk
from tests.processes import until
from tests.service import ISSUER, Clock
from tests.unit.worker import Worker

URI = "https://keys.example/demo.json"
OLD, NEW = new_key(), new_key()


class Elsewhere:
    """A worker, and what it finds at the client's own place."""

    def __init__(self, keys_dir: Path) -> None:
        self.worker = Worker(keys_dir)
        record = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": URI}
        self.worker.put_client("demo", secrets="[]", **record)
        self.published = key_set(public_jwk(OLD, kid="old"))
        self.clock = Clock(1000.0)
        remote = RemoteKeys(("https://keys.example",), lambda _: self.published, self.clock)
        self.authentication = ClientAuthentication(
            self.worker.store,
            self.worker.memory,
            CertificateProofs(is_on=False),
            remote,
            Metrics(None),
            audiences={ISSUER},
        )
        self._uses = 0

    def outcome(self, key: PrivateKey, kid: str) -> str:
        """Show an assertion that was never used before."""
        self._uses += 1
        claims = {"iss": "demo", "sub": "demo", "aud": ISSUER, "exp": NOW + 60}
        pem, jti = private_pem(key), f"j{self._uses}"
        text = jwt.encode({**claims, "jti": jti}, pem, "ES256", headers={"kid": kid})
        shown = Credentials("demo", "private_key_jwt", "", read_assertion(text))
        try:
            self.authentication.authenticate(shown, NOW, f"192.0.2.{self._uses % 250}")
        except InvalidClient:
            return "invalid_client"
        except TemporarilyUnavailable:
            return "try again"
        return "ok"

    def says(self, expected: str, key: PrivateKey, kid: str) -> Callable[[], bool]:
        return lambda: self.outcome(key, kid) == expected


@pytest.fixture
def elsewhere(keys_dir: Path) -> Elsewhere:
    return Elsewhere(keys_dir)


def test_client_is_told_to_try_again_until_its_keys_are_known(elsewhere: Elsewhere) -> None:
    """503 and not 401: nobody can say yet whether it is right."""
    assert "try again" == elsewhere.outcome(OLD, "old")
    until(elsewhere.says("ok", OLD, "old"), what="keys are fetched")
    assert "invalid_client" == elsewhere.outcome(NEW, "old")


def test_client_that_has_published_a_new_key_gets_in_soon(elsewhere: Elsewhere) -> None:
    """A key that is not known is looked for, once a minute; a wrong signature is no reason to."""
    until(elsewhere.says("ok", OLD, "old"), what="keys are fetched")
    elsewhere.published = key_set(public_jwk(OLD, kid="old"), public_jwk(NEW, kid="new"))
    elsewhere.clock.now += 61
    assert "invalid_client" == elsewhere.outcome(NEW, "old")
    assert "invalid_client" == elsewhere.outcome(NEW, "new")
    until(elsewhere.says("ok", NEW, "new"), what="the new key is fetched")
