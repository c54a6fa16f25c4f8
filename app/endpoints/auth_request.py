"""`/validate`: the answer to nginx's auth_request about one call (RFC 6750 §3).

A WSGI application of its own beside Falcon: this is the path that every protected call takes. No
answer has a body, because nginx keeps its connection only after a bodyless one.
"""

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from wsgiref.types import StartResponse, WSGIEnvironment

from app import gate
from app.bearer import is_dpop, shown_token
from app.certificates import CERTIFICATE, CertificateProofs
from app.confirmation import Confirmation
from app.correlation import sane_request_id
from app.dpop_proofs import DpopProofs, Shown
from app.errors import Overloaded, Refused, Revoked, Spent, StoreUnavailable, Undecided
from app.gate import ROUTE_TABLE
from app.hindsight import LONGEST_S
from app.memory import Memory, WarmToken
from app.metrics import Metrics
from app.overload import Overload
from app.rates import Rates
from app.refusals import Refusals
from app.rendering import BODYLESS, render_refusal
from app.routes import path_of, scopes_for, text_of
from app.store import Store

log = logging.getLogger("portcullis.auth_request")

_OK = ("X-Auth-Reason", "ok")
_SECONDS = re.compile(r"([0-9]{1,9})s?", re.ASCII)
"""As nginx writes a time: 30 or 30s."""


class AuthRequestEndpoint:
    """Decides about one protected call. What cannot be decided is refused."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        rates: Rates,
        overload: Overload,
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        audience: str,
        realm: str,
        refusals: Refusals,
        certificates: CertificateProofs,
        dpop: DpopProofs,
    ) -> None:
        self._store = store
        self._memory = memory
        self._rates = rates
        self._overload = overload
        self._clock = clock
        self._audience = audience
        self._realm = realm
        self._metrics = metrics
        self._counts = metrics.counts
        self._by_reason = metrics.by_reason
        self._ok = metrics.by_reason["ok"]
        self._refusals = refusals
        self._certificates = certificates
        self._proven = certificates.proven.get
        self._dpop = dpop

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """204 with who is calling, or why not; whatever goes wrong is 503."""
        if environ["REQUEST_METHOD"] not in {"GET", "POST"}:
            self._metrics.count("request validate 405")
            start_response("405 Method Not Allowed", [("Allow", "GET, POST"), *BODYLESS])
            return ()
        age_s = None
        try:
            try:
                token = self._decide(environ)
            except StoreUnavailable as error:
                token, age_s = self._recall(environ, error)
        except Refused as refusal:
            return self._refuse(refusal, environ, start_response)
        except Exception:
            log.exception("undecided")
            return self._refuse(Undecided("an unexpected error"), environ, start_response)
        claims = token.claims
        headers = [
            _OK,
            ("X-Auth-Client-Id", claims.client_id),
            ("X-Auth-Scope", claims.scope),
            ("X-Auth-Jti", claims.jti),
            ("X-Auth-Expires", str(token.exp)),
        ]
        bound_to = claims.confirmation
        has_dpop_key = bound_to is not None and bound_to.dpop_key is not None
        if has_dpop_key and (nonce := self._dpop.nonce(self._clock())):
            headers.append(("DPoP-Nonce", nonce))
        if age_s is not None:
            headers.append(("X-Auth-Stale", f"{age_s:.3f}"))
        start_response("204 No Content", headers)
        self._counts[self._ok] += 1
        return ()

    def _recall(
        self, environ: WSGIEnvironment, error: StoreUnavailable
    ) -> tuple[WarmToken, float | None]:
        """Decide without Redis, where the location declares how old a fact may be.

        Return the token, and how old what is known of it is, in seconds; None when Redis could be
        asked after all. Raises Undecided.
        """
        within_s = _declared(environ.get("HTTP_X_ALLOW_STALE"))
        if not within_s:
            raise Undecided(error.detail) from error
        if self._memory.can_ask_at_once():
            with suppress(StoreUnavailable):
                return self._decide(environ), None
        try:
            token = self._decide(environ, within_s)
        except StoreUnavailable as still:
            raise Undecided(error.detail) from still
        return token, self._memory.count_recalled(token)

    def _decide(self, environ: WSGIEnvironment, within_s: int = 0) -> WarmToken:
        """Return the token that may make this call; with `within_s`, without asking Redis."""
        get, now = environ.get, self._clock()
        started = get("HTTP_X_REQUEST_START")
        if started and self._overload.is_late(started, now):
            raise Overloaded("it has waited too long")
        if within_s:
            token = self._memory.recall(get("HTTP_AUTHORIZATION"), now, within_s)
        else:
            token = self._memory.token(get("HTTP_AUTHORIZATION"), now)
        claims = token.claims
        bound_to = claims.confirmation
        if bound_to is not None:
            # By hand, because calls would cost as much again: a warm token's own certificate.
            shown = get(CERTIFICATE)
            is_known = shown and self._proven(bound_to.certificate) == shown
            if not is_known or bound_to.dpop_key is not None:
                self._check_proof(bound_to, environ, now, within_s)
        audience = get("HTTP_X_REQUIRED_AUDIENCE")
        if (audience or self._audience) not in claims.audiences:
            gate.check_audience(claims.audiences, token.holder, audience, self._audience)
        needed = get("HTTP_X_REQUIRED_SCOPE")
        if needed and needed not in token.scopes:
            self._check_scopes(token, needed, environ, within_s)
        if token.is_counted:
            self._take(token, sane_request_id(get("HTTP_X_REQUEST_ID")), within_s)
        return token

    def _check_proof(
        self, bound_to: Confirmation, environ: WSGIEnvironment, now: float, within_s: int
    ) -> None:
        """Raise WrongProof unless the caller has shown all that its token is bound to."""
        if bound_to.certificate is not None:
            self._certificates.check(environ.get(CERTIFICATE), bound_to.certificate)
        if bound_to.dpop_key is not None:
            if within_s:
                raise StoreUnavailable("only Redis knows whether the proof is new")
            token = shown_token(environ.get("HTTP_AUTHORIZATION"))
            self._dpop.check(Shown.of_call(environ), token, bound_to.dpop_key, now)

    def _check_scopes(
        self, token: WarmToken, needed: str, environ: WSGIEnvironment, within_s: int
    ) -> None:
        if needed == ROUTE_TABLE:
            routes = self._memory.recalled_routes() if within_s else self._memory.routes()
            needed = scopes_for(routes, environ.get("HTTP_X_ORIGINAL_METHOD") or "", _path(environ))
        gate.check_scope(token.scopes, needed)

    def _take(self, token: WarmToken, request_id: str, within_s: int) -> None:
        """Take what this call costs, last: a call refused for another reason costs nothing."""
        claims = token.claims
        if within_s:
            if claims.is_once:
                raise StoreUnavailable("only Redis knows whether it is spent")
            self._rates.take_alone(token.holder, self._clock())
            return
        self._rates.take_call(token.holder, self._clock())
        if claims.is_once:
            outcome = self._store.spend(claims.jti, request_id)
            if outcome == "revoked":
                raise Revoked("its jti is revoked")
            if outcome == "spent":
                self._metrics.count("one_time_tokens_replayed")
                raise Spent("another request spent it")
            self._metrics.count("one_time_tokens_spent")

    def _refuse(
        self, refusal: Refused, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        is_dpop_call = is_dpop(environ.get("HTTP_AUTHORIZATION"))
        start_response(*render_refusal(refusal, self._realm, is_dpop=is_dpop_call))
        self._counts[self._by_reason[refusal.reason]] += 1
        if self._refusals.is_due(refusal.reason, self._clock()):
            claims = self._memory.claims_of(environ.get("HTTP_AUTHORIZATION"))
            self._refusals.note(
                refusal,
                client_id=claims.client_id if claims else "",
                method=environ.get("HTTP_X_ORIGINAL_METHOD") or "",
                target=_target(environ),
                request_id=sane_request_id(environ.get("HTTP_X_REQUEST_ID")),
            )
        return ()


def _declared(text: str | None) -> int:
    """Return for how many seconds a location lets what is known stay good; 0 for none."""
    found = _SECONDS.fullmatch(text) if text else None
    return min(int(found[1]), LONGEST_S) if found else 0


def _path(environ: WSGIEnvironment) -> str:
    """Return the path that the route table is asked about.

    With `?path=decoded`, X-Original-URI is the path by which nginx itself routes, already decoded
    and normalised; otherwise it is a raw request target.
    """
    target = _target(environ)
    return target if environ.get("QUERY_STRING") == "path=decoded" else path_of(target)


def _target(environ: WSGIEnvironment) -> str:
    return text_of((environ.get("HTTP_X_ORIGINAL_URI") or "").encode("latin-1"))
