"""The app on a store, in process, with the hands that a test needs."""

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from falcon import testing

import redis
from app.admin.site import Access
from app.config import Config, DashboardConfig
from app.journal import Journal
from app.keys import KeyRingFile
from app.main import create_app
from app.metrics import Metrics
from app.store import Connection, Store
from tests.fake_line import AskingLine

ISSUER = "https://auth.example"
SECRET = "correct-horse-battery-staple-0123456789abcdef"
DATASET = "0a1b2c3d"


@dataclass
class Clock:
    """Time that stands still until a test moves it. Epoch seconds.

    Far in the future: Redis keeps its own time, and would forget at once what ends in its past.
    """

    now: float = 4_000_000_000.0

    def __call__(self) -> float:
        return self.now


class Ticking(Clock):
    """Time that moves with each look, by little, so that waits come to their end.

    By more than a timeout, and a wait in vain ends at once.
    """

    step_s = 0.001

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


def config(**changes: object) -> Config:
    """A configuration that is good enough for tests."""
    values: dict[str, object] = {
        "issuer": ISSUER,
        "audience": ISSUER,
        "realm": "portcullis",
        "keys_dir": Path("/nowhere"),
        "redis_url": "redis://nowhere",
        "redis_timeout_ms": 100,
        "replicas_to_ack": 0,
        "replicas_ack_timeout_ms": 50,
        "token_ttl_s": 3600,
        "leeway_s": 0,
        "audit_max_entries": 1000,
        "heartbeat_ms": 250,
        "warm_tokens": 1000,
        "warm_clients": 1000,
        "metrics_dir": None,
        "state_dir": None,
        "canary_s": 0,
        "traces": "none",
        "dashboard": DashboardConfig("redis://nowhere", "redis://nowhere"),
    }
    return Config(**{**values, **changes})  # type: ignore[arg-type]


def add_key(keys_dir: Path, kid: str, alg: str = "ES256", signs_from_s: int = 0) -> None:
    """Write a new private key and append its line to the keyring."""
    keys_dir.mkdir(mode=0o700, exist_ok=True)
    if alg == "HS256":
        (keys_dir / f"{kid}.secret").write_text(secrets.token_urlsafe(32))
    else:
        made: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        if alg == "ES256":
            made = ec.generate_private_key(ec.SECP256R1())
        elif alg == "EdDSA":
            made = ed25519.Ed25519PrivateKey.generate()
        else:
            made = rsa.generate_private_key(65537, 2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (keys_dir / f"{kid}.pem").write_bytes(pem)
    with (keys_dir / "keyring").open("a") as ring:
        ring.write(f"{kid} {alg} {signs_from_s}\n")


def secret_entry(
    secret: str = SECRET, secret_id: str = "aaaa0001", not_before_s: int = 0, not_after_s: int = 0
) -> dict[str, str | int]:
    """One entry of a client's `secrets`, hashed as the ops scripts do it."""
    salt = secrets.token_hex(16)
    return {
        "id": secret_id,
        "salt": salt,
        "hash": hmac.digest(salt.encode(), secret.encode(), "sha256").hex(),
        "not_before_s": not_before_s,
        "not_after_s": not_after_s,
    }


def basic(client_id: str = "demo", secret: str = SECRET) -> dict[str, str]:
    """The header of `client_secret_basic`, each part form-encoded first (RFC 6749 §2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def client_fields(*entries: dict[str, str | int], **fields: str) -> dict[str, str]:
    """The hash under `client:{id}`."""
    return {
        "name": "",
        "status": "active",
        "scopes": "orders:read orders:write",
        "audiences": "",
        "ttl_s": "",
        "rate_per_s": "",
        "secrets": json.dumps(entries or [secret_entry()]),
        "created_at": "1",
        "updated_at": "1",
        **fields,
    }


@dataclass
class Service:
    """The app with its collaborators at hand."""

    http: testing.TestClient
    redis: "redis.Redis"
    store: Store
    journal: Journal
    refused: Journal
    keys: KeyRingFile
    keys_dir: Path
    clock: Clock

    def close(self) -> None:
        """End its threads, which would go on trying where the fake Redis is away."""
        self.journal.close()
        self.refused.close()

    def add_client(self, client_id: str = "demo", **fields: str) -> None:
        mapping: Any = client_fields(**fields)
        self.redis.hset(f"client:{client_id}", mapping=mapping)

    def form(
        self, path: str, fields: object, headers: dict[str, str] | None = None
    ) -> testing.Result:
        """POST a form: a mapping, pairs, or a string as it stands."""
        body = fields if isinstance(fields, str) else urlencode(fields, doseq=True)  # type: ignore[arg-type]
        media_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.http.simulate_post(path, body=body, headers={**media_type, **(headers or {})})

    def asked_by(self, path: str, client_id: str = "demo", **fields: str) -> testing.Result:
        """POST a form with `client_secret_post`."""
        return self.form(path, {"client_id": client_id, "client_secret": SECRET, **fields})

    def mint(self, client_id: str = "demo", path: str = "/token", **fields: str) -> str:
        """Return a fresh access token."""
        answer = self.asked_by(path, client_id, grant_type="client_credentials", **fields)
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def audit(self, event: str) -> list[dict[str, str]]:
        """Return the audit entries of one event, oldest first."""
        self.journal.flush()
        entries: Any = self.redis.xrange("audit")
        return [entry for _, entry in entries if entry["event"] == event]

    def validate(self, token: str | None = None, **headers: str) -> testing.Result:
        """Ask /validate as nginx does; header names with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self.http.simulate_get("/validate", headers=sent)

    def reason(self, token: str | None = None, **headers: str) -> str:
        """Return the X-Auth-Reason of one decision."""
        return self.validate(token, **headers).headers["X-Auth-Reason"]


def build_service(
    connection: "redis.Redis",
    keys_dir: Path,
    line: Connection | None = None,
    access: Access | None = None,
    **changes: object,
) -> Service:
    """Wire the app onto a Redis connection; one ES256 key signs unless there are keys already.

    Without a `line` of the test's own nothing is remembered: each request asks. `access` is what
    the dashboard may do; without it, look.
    """
    if not (keys_dir / "keyring").exists():
        add_key(keys_dir, "es-1")
    clock = Clock()
    store = Store(line or AskingLine(connection), clock=clock)
    metrics = Metrics(None)
    journal = Journal(AskingLine(connection), most_entries=1000, count=metrics.count)
    keys = KeyRingFile(keys_dir)
    connection.hset("dataset", mapping={"id": DATASET, "birth_s": "1"})
    refused = Journal(AskingLine(connection), most_entries=1000, stream="refusals")
    app = create_app(config(**changes), store, journal, keys, clock, access, refused, metrics)
    return Service(
        testing.TestClient(app), connection, store, journal, refused, keys, keys_dir, clock
    )
