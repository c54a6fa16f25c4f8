"""The two ways in: through nginx as a caller, and straight at the app as nginx would."""

import base64
from abc import ABC, abstractmethod
from dataclasses import dataclass

from bench.redis_pipe import SECRET
from bench.tokens import Token
from tests.identities import identity
from tests.wire import form, request

_REQUEST_ID = "00000000000000000000000000000000"
CERTIFICATE = identity()
"""Of the caller of certificate-bound tokens. wrk can show none: nginx is told that it was shown."""

_TOLD_BY_NGINX = {"X-Request-ID": _REQUEST_ID, "X-Real-IP": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Question:
    """The bytes of a request, and the status that must come back."""

    status: int
    data: bytes


class Entrance(ABC):
    """Words a request for one way in."""

    name: str

    def __init__(self, port: int) -> None:
        self.port = port

    @abstractmethod
    def call(self, token: Token, refused: int | None = None, *, is_bound: bool = False) -> Question:
        """Ask for a protected file with a token; it is let through unless `refused`, a status.

        `is_bound`: over a connection on which CERTIFICATE was shown.
        """

    @abstractmethod
    def post(self, path: str, client_id: str, fields: dict[str, str]) -> Question:
        """Ask an OAuth endpoint as a client, by client_secret_basic."""

    @abstractmethod
    def health(self) -> Question: ...


class ThroughNginx(Entrance):
    name = "through nginx"

    def call(self, token: Token, refused: int | None = None, *, is_bound: bool = False) -> Question:
        path = "/bound" if is_bound else "/protected"
        return Question(refused or 200, request("GET", path, token=token.text))

    def post(self, path: str, client_id: str, fields: dict[str, str]) -> Question:
        return Question(200, form(path, fields, {"Authorization": _basic(client_id)}))

    def health(self) -> Question:
        return Question(200, request("GET", "/health"))


class Straight(Entrance):
    name = "straight"

    def call(self, token: Token, refused: int | None = None, *, is_bound: bool = False) -> Question:
        shown = {"X-SSL-Client-Cert": CERTIFICATE.header} if is_bound else {}
        headers = {
            **shown,
            "X-Required-Scope": "bench:read",
            "X-Original-Method": "GET",
            "X-Original-URI": "/protected",
            "X-Request-ID": _REQUEST_ID,
        }
        data = request("GET", "/validate?path=decoded", headers, token=token.text)
        return Question(refused or 204, data)

    def post(self, path: str, client_id: str, fields: dict[str, str]) -> Question:
        headers = {"Authorization": _basic(client_id), **_TOLD_BY_NGINX}
        return Question(200, form(path, fields, headers))

    def health(self) -> Question:
        return Question(200, request("GET", "/health", _TOLD_BY_NGINX))


def _basic(client_id: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()
