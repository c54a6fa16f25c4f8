"""A client as third-party libraries know it: what its owner was handed, and nothing of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.service import client_fields, secret_entry
from tests.stack import Stack

METHODS = ("client_secret_basic", "client_secret_post")
RESOURCES = ("https://orders.example", "https://billing.example")
SCOPES = "demo:read demo:write"
GRANTED = ("token_type", "expires_in", "scope")
"""What the answer to a mint says besides the token."""

RESERVED = "%41+b c:d/&=?~"
"""Read wrongly when `client_secret_basic` is decoded once too often or not at all."""

WRONG_SECRET = ("invalid_client", "client authentication failed")
FOREIGN_SCOPE = ("invalid_scope", "scope exceeds what the client is allowed")
FOREIGN_RESOURCE = ("invalid_target", "resource is not one of the client's audiences")


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client's owner is handed."""

    issuer: str
    client_id: str
    secret: str

    def url(self, path: str) -> str:
        return self.issuer + path


@contextmanager
def registered(stack: Stack, client_id: str, **options: str) -> Iterator[Registration]:
    """A client with the scopes and resources above, made as ops make it, deleted afterwards."""
    audiences = " ".join(RESOURCES)
    _, secret = stack.client_create(client_id, SCOPES, audiences=audiences, **options)
    try:
        yield Registration(stack.url, client_id, secret)
    finally:
        stack.script("client", "delete", client_id, "--yes")


@contextmanager
def registered_with_reserved_secret(stack: Stack) -> Iterator[Registration]:
    """The same, with a secret that a person has chosen: RESERVED."""
    with registered(stack, "reserved") as registration:
        mapping: Any = client_fields(
            secret_entry(RESERVED), scopes=SCOPES, audiences=" ".join(RESOURCES)
        )
        stack.redis.hset(f"client:{registration.client_id}", mapping=mapping)
        yield Registration(registration.issuer, registration.client_id, RESERVED)
