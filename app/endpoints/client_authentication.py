"""Who is asking: `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1)."""

import base64
import binascii
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus

import falcon

from app.certificates import CERTIFICATE, CertificateProofs
from app.clients import CLIENT_ID, Client, Secret, authenticate
from app.endpoints.parameters import Parameters
from app.errors import InvalidClient, InvalidRequest, OAuthError, TooManyRequests
from app.gate import Holder, World
from app.memory import Memory
from app.metrics import Metrics
from app.store import Store
from app.wrong_secrets import WrongSecrets


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client showed of itself, checked for form only."""

    client_id: str
    secret: str
    used_header: bool
    certificate: str | None = None
    """The header in which nginx passes on a certificate, whether or not it is used to log in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that has shown who it is, and what was known of it at that moment."""

    client: Client
    secret: Secret
    holder: Holder
    world: World
    thumbprint: str | None = None
    """Of the certificate that it has shown, if any."""


class ClientAuthentication:
    """Finds out whether credentials are a client's."""

    def __init__(
        self, store: Store, memory: Memory, certificates: CertificateProofs, metrics: Metrics
    ) -> None:
        self._store = store
        self._memory = memory
        self._certificates = certificates
        self._wrong_secrets = WrongSecrets()
        self._metrics = metrics

    def authenticate(self, credentials: Credentials, now: float, address: str) -> Caller:
        """Return the client, with the secret that matched; raise InvalidClient, TooManyRequests.

        Refusing costs one question to Redis, whether the client was in memory, was not, or does
        not exist: otherwise time would tell which names there are.
        """
        is_remembered = self._memory.has_client(credentials.client_id)
        holder, world = self._memory.registration(credentials.client_id)
        try:
            method = "client_secret_basic" if credentials.used_header else "client_secret_post"
            client, secret = authenticate(holder.client, credentials.secret, now)
            if not client.method.takes(method):
                raise InvalidClient
            thumbprint = self._certificates.thumbprint(credentials.certificate)
            return Caller(client, secret, holder, world, thumbprint)
        except InvalidClient as error:
            if is_remembered:
                self._store.ping()
            refusal = self._refusal(credentials, address, now)
            # The name of nobody may be a secret that somebody put in the wrong place.
            refusal.client_id = credentials.client_id if holder.client else ""
            raise refusal from error

    def _refusal(self, credentials: Credentials, address: str, now: float) -> OAuthError:
        self._metrics.count("client_authentications_failed")
        try:
            self._wrong_secrets.note(credentials.client_id, address, now)
        except TooManyRequests as error:
            self._metrics.count("client_authentications_throttled")
            return error
        return InvalidClient(used_header=credentials.used_header)


def read_credentials(req: falcon.Request, parameters: Parameters) -> Credentials:
    """Return the one set of credentials that was sent; raise InvalidClient, InvalidRequest."""
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    header, certificate = req.get_header("Authorization"), req.env.get(CERTIFICATE)
    if header is None:
        if client_id is None or secret is None:
            raise InvalidClient
        return _checked(Credentials(client_id, secret, False, certificate))
    if secret is not None:
        raise InvalidRequest("credentials came in the header and in the body")
    credentials = _checked(replace(_from_basic(header), certificate=certificate))
    if client_id is not None and client_id != credentials.client_id:
        raise InvalidRequest("client_id differs from the one in the header")
    return credentials


def _from_basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient(used_header=True)
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = decoded.partition(":")
        if not colon:
            raise ValueError("no colon")
        return Credentials(
            unquote_plus(client_id, errors="strict"),
            unquote_plus(secret, errors="strict"),
            used_header=True,
        )
    except (binascii.Error, ValueError) as error:
        raise InvalidClient(used_header=True) from error


def _checked(credentials: Credentials) -> Credentials:
    """A name that no client can have is not worth a question, and must not become a key."""
    if not CLIENT_ID.fullmatch(credentials.client_id):
        raise InvalidClient(used_header=credentials.used_header)
    return credentials
