"""Who is asking: by secret, by key or by certificate (RFC 6749 §2.3, RFC 7523, RFC 8705 §2)."""

from collections.abc import Collection
from dataclasses import dataclass

from app.assertions import check_assertion
from app.certificates import CertificateProofs, Shown, is_named
from app.clients import Client, authenticate
from app.endpoints.credentials import CERTIFICATE, Credentials
from app.errors import InvalidClient, OAuthError, TooManyRequests
from app.gate import Holder, World
from app.key_sets import KeySet, read_key_set
from app.memory import Memory
from app.methods import CA_METHOD, CERTIFICATE_METHODS, SECRET_METHODS, Method
from app.metrics import Metrics
from app.remote_keys import RemoteKeys
from app.store import Store
from app.wrong_secrets import WrongSecrets


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that has shown who it is, and what was known of it at that moment."""

    client: Client
    shown_id: str
    """Which secret it was by, or which method that knows no secrets."""

    holder: Holder
    world: World
    thumbprint: str | None = None
    """Of the certificate that it has shown, if any."""


class ClientAuthentication:
    """Finds out whether credentials are a client's. `audiences` are this server's own names."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        certificates: CertificateProofs,
        remote_keys: RemoteKeys,
        metrics: Metrics,
        *,
        audiences: Collection[str] = (),
        leeway_s: int = 0,
    ) -> None:
        self._store = store
        self._memory = memory
        self._certificates = certificates
        self._remote_keys = remote_keys
        self._wrong_secrets = WrongSecrets()
        self._metrics = metrics
        self._audiences = audiences
        self._leeway_s = leeway_s

    def authenticate(self, credentials: Credentials, now: float, address: str) -> Caller:
        """Return the client that the credentials are of; raise InvalidClient, TooManyRequests.

        Refusing costs one question to Redis, whether the client was in memory, was not, or does
        not exist: otherwise time would tell which names there are.
        """
        is_remembered = self._memory.has_client(credentials.client_id)
        holder, world = self._memory.registration(credentials.client_id)
        try:
            client, shown_id = self._client_shown(holder.client, credentials, now)
            thumbprint = self._certificates.thumbprint(credentials.certificate)
            return Caller(client, shown_id, holder, world, thumbprint)
        except InvalidClient as error:
            if is_remembered:
                self._store.ping()
            refusal = self._refusal(credentials, address, now, error.detail)
            # The name of nobody may be a secret that somebody put in the wrong place.
            refusal.client_id = credentials.client_id if holder.client else ""
            raise refusal from error

    def _client_shown(
        self, client: Client | None, credentials: Credentials, now: float
    ) -> tuple[Client, str]:
        """Return the client, and by what it was shown; raise InvalidClient.

        Whatever is shown counts only for a client whose record says that this is its way.
        """
        if credentials.method in SECRET_METHODS:
            client, secret = authenticate(client, credentials.secret, now)
            if not client.method.takes(credentials.method):
                raise InvalidClient(detail="the client authenticates in another way")
            return client, secret.id
        if client is None or not client.is_active:
            raise InvalidClient
        if credentials.method == CERTIFICATE and client.method.name in CERTIFICATE_METHODS:
            self._check_certificate(client.method, credentials.certificate)
        elif client.method.takes(credentials.method):
            self._check_assertion(client.method, credentials, now)
        else:
            raise InvalidClient(detail="the client authenticates in another way")
        return client, client.method.name

    def _check_assertion(self, method: Method, credentials: Credentials, now: float) -> None:
        """The use comes last: what is refused for another reason may still be used."""
        assertion, keys = credentials.assertion, self._keys(method)
        if assertion is None:
            raise InvalidClient
        try:
            proof = check_assertion(
                assertion, keys, audiences=self._audiences, now=now, leeway_s=self._leeway_s
            )
        except InvalidClient:
            if method.jwks_uri and not keys.knows(assertion.kid):
                self._remote_keys.look_again(method.jwks_uri)
            raise
        if not self._store.is_first_use(proof.key, proof.ttl_s):
            raise InvalidClient(detail="jti of the assertion was used before")

    def _check_certificate(self, method: Method, shown: Shown | None) -> None:
        thumbprint = self._certificates.thumbprint(shown)
        if shown is None or thumbprint is None:
            raise InvalidClient(detail="no certificate was shown")
        if method.name == CA_METHOD:
            # Who signed it is for nginx to judge: it knows the authorities.
            if not shown.is_verified or not method.subject or not is_named(shown, *method.subject):
                raise InvalidClient(detail="the certificate is not verified, or another's")
        elif thumbprint not in self._keys(method).certificates:
            raise InvalidClient(detail="the certificate is not one of the client's")

    def _keys(self, method: Method) -> KeySet:
        if method.jwks_uri:
            return self._remote_keys.find(method.jwks_uri)
        try:
            return read_key_set(method.jwks)
        except ValueError as error:
            raise InvalidClient(detail=f"the client's jwks: {error}") from error

    def _refusal(
        self, credentials: Credentials, address: str, now: float, detail: str
    ) -> OAuthError:
        self._metrics.count("client_authentications_failed")
        try:
            self._wrong_secrets.note(credentials.client_id, address, now)
        except TooManyRequests as error:
            self._metrics.count("client_authentications_throttled")
            return error
        return InvalidClient(used_header=credentials.used_header, detail=detail)
