"""`POST /token` and `POST /ott`: the client credentials grant (RFC 6749 §4.4, RFC 9068)."""

import json
from dataclasses import dataclass

import falcon

from app import audit, gate, tokens
from app.clients import LONGEST_TTL_S, grant_audience, grant_scope
from app.confirmation import Confirmation, token_type
from app.dpop_proofs import DpopProofs
from app.endpoints.client_authentication import Caller, ClientAuthentication
from app.endpoints.credentials import read_credentials
from app.endpoints.origin import origin_of
from app.endpoints.parameters import Parameters, read_parameters
from app.errors import InvalidRequest, OAuthError, UnsupportedGrantType
from app.journal import Journal, Use
from app.keys import Key
from app.memory import Memory
from app.metrics import Metrics
from app.rates import Rates
from app.rendering import forbid_storing
from app.store import Store
from app.verifier import Verifier

_JSON = json.JSONEncoder()


@dataclass(frozen=True, slots=True)
class _Grant:
    """What an authenticated client gets. Times are epoch seconds, `ttl_s` is seconds."""

    client_id: str
    secret_id: str
    scope: str
    audience: str | list[str]
    jti: str
    iat: int
    ttl_s: int
    confirmation: Confirmation | None


class TokenEndpoint:
    """Mints tokens; with `is_once`, tokens that work once."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        authentication: ClientAuthentication,
        rates: Rates,
        journal: Journal,
        metrics: Metrics,
        verifier: Verifier,
        dpop: DpopProofs,
        *,
        audience: str,
        ttl_s: int,
        is_once: bool,
    ) -> None:
        self._store = store
        self._memory = memory
        self._authentication = authentication
        self._rates = rates
        self._journal = journal
        self._metrics = metrics
        self._verifier = verifier
        self._dpop = dpop
        self._audience = audience
        self._ttl_s = ttl_s
        self._is_once = is_once

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Form or JSON in, token out."""
        now = self._verifier.now()
        grant = self._grant(req, now)
        key = self._verifier.ring().signer(now)
        token = self._arm_and_sign(key, grant) if self._is_once else self._sign(key, grant)
        self._record(grant, req, int(now))
        # What Falcon would do with `media`, less its negotiation: a tenth of a mint.
        resp.content_type = falcon.MEDIA_JSON
        resp.data = _JSON.encode(
            {
                "access_token": token,
                "token_type": token_type(grant.confirmation),
                "expires_in": grant.ttl_s,
                "scope": grant.scope,
            }
        ).encode()
        forbid_storing(resp)
        if token_type(grant.confirmation) == "DPoP" and (nonce := self._dpop.nonce(now)):
            resp.set_header("DPoP-Nonce", nonce)

    def _grant(self, req: falcon.Request, now: float) -> _Grant:
        parameters = read_parameters(req)
        credentials = read_credentials(req, parameters)
        caller = self._authentication.authenticate(credentials, now, origin_of(req).address)
        try:
            return self._grant_to(caller, parameters, self._confirmation(caller, req, now), now)
        except OAuthError as refusal:
            refusal.client_id = caller.client.client_id
            raise

    def _confirmation(self, caller: Caller, req: falcon.Request, now: float) -> Confirmation | None:
        """Return what the token is to be bound to, of what was shown and of what must be."""
        client, certificate = caller.client, None
        if client.is_certificate_bound:
            certificate = caller.thumbprint
            if certificate is None:
                raise InvalidRequest(
                    "this client's tokens are bound to a certificate, and none was shown"
                )
        dpop_key = self._dpop.key_of(
            req.get_header("DPoP"),
            req.path,
            origin_of(req).request_id,
            now,
            is_needed=client.is_dpop_bound,
        )
        return Confirmation(certificate, dpop_key) if certificate or dpop_key else None

    def _grant_to(
        self,
        caller: Caller,
        parameters: Parameters,
        confirmation: Confirmation | None,
        now: float,
    ) -> _Grant:
        if parameters.require("grant_type") != "client_credentials":
            raise UnsupportedGrantType("grant_type must be client_credentials")
        client, world = caller.client, caller.world
        # The kills are those that were known when the secret was looked at: one that comes
        # between the two is meant for this token too.
        own, everyones = caller.holder.not_before, world.not_before
        gate.check_mintable(own, everyones, int(now))
        grant = _Grant(
            client_id=client.client_id,
            secret_id=caller.shown_id,
            scope=grant_scope(client, parameters.get("scope")),
            audience=grant_audience(client, parameters.resources, self._audience),
            jti=tokens.new_jti(world.dataset_id, own.known_ms(), everyones.known_ms()),
            iat=int(now),
            ttl_s=min(client.ttl_s or self._ttl_s, LONGEST_TTL_S),
            confirmation=confirmation,
        )
        # Last: a request that is refused for another reason costs nothing.
        self._rates.take_mint(caller.holder, now)
        return grant

    def _sign(self, key: Key, grant: _Grant) -> str:
        return tokens.issue(
            key,
            issuer=self._verifier.issuer,
            client_id=grant.client_id,
            audience=grant.audience,
            scope=grant.scope,
            jti=grant.jti,
            iat=grant.iat,
            exp=grant.iat + grant.ttl_s,
            is_once=self._is_once,
            confirmation=grant.confirmation,
        )

    def _arm_and_sign(self, key: Key, grant: _Grant) -> str:
        """A one-time token is armed before it is handed out, and signed while Redis does that."""
        signed: list[str] = []
        self._store.arm(
            grant.jti,
            grant.iat + grant.ttl_s + self._verifier.leeway_s,
            meanwhile=lambda: signed.append(self._sign(key, grant)),
        )
        return signed[0]

    def _record(self, grant: _Grant, req: falcon.Request, now_s: int) -> None:
        entry = audit.entry(
            "mint",
            origin_of(req),
            client_id=grant.client_id,
            jti=grant.jti,
            detail=f"once {grant.scope}".strip() if self._is_once else grant.scope,
        )
        if self._is_once:
            self._metrics.count("one_time_tokens_minted")
        else:
            self._metrics.count_minted(grant.client_id)
        self._journal.note(entry, Use(grant.client_id, grant.secret_id, now_s))
