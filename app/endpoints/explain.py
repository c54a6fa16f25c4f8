"""`POST /explain`, on the ops listener: each check about one call and its outcome.

Runs the checks of /validate itself, goes on past the first refusal where it can, and consumes
nothing: neither a one-time token nor the client's rate. The token is not logged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import falcon

from app import gate, tokens
from app.endpoints.parameters import read_parameters
from app.errors import Refused, Spent, UnknownRoute
from app.gate import ROUTE_TABLE, Holder, World
from app.routes import NotAPath, path_of, scopes_for
from app.store import Store
from app.tokens import Claims
from app.verifier import Verifier

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Need:
    """What one call asks of a token. `scope` may be ROUTE_TABLE; "" is any valid token."""

    scope: str
    audience: str | None
    method: str
    path: str


class _Trace:
    """Runs checks and writes down how each went. The first refusal is the verdict."""

    def __init__(self) -> None:
        self.checks: list[dict[str, str]] = []
        self.reason = "ok"

    def run(
        self, name: str, check: Callable[..., T], *found: Any, more: tuple[Any, ...] = ()
    ) -> T | None:
        """Run a check on what earlier ones found; skip it when one of those found nothing."""
        if any(one is None for one in found):
            self.note(name, "skipped", "an earlier check failed")
            return None
        try:
            outcome = check(*found, *more)
        except Refused as refusal:
            self.refuse(name, refusal)
            return None
        self.note(name, "ok", outcome if isinstance(outcome, str) else "")
        return outcome

    def refuse(self, name: str, refusal: Refused) -> None:
        self.note(name, "refused", f"{refusal.reason}: {refusal}")
        self.reason = refusal.reason if self.reason == "ok" else self.reason

    def note(self, name: str, outcome: str, detail: str) -> None:
        # Bytes that are no UTF-8 came from somebody's hand, and JSON cannot show them.
        shown = detail.encode("utf-8", "backslashreplace").decode()
        self.checks.append({"check": name, "outcome": outcome, "detail": shown})


class ExplainEndpoint:
    """Why a token may or may not make a call."""

    def __init__(self, store: Store, verifier: Verifier, *, audience: str) -> None:
        self._store = store
        self._verifier = verifier
        self._audience = audience

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """In: token, method, path (a request target), optional scopes and audience."""
        parameters = read_parameters(req)
        token = parameters.require("token")
        need = Need(
            scope=parameters.get("scopes") or ROUTE_TABLE,
            audience=parameters.get("audience"),
            method=parameters.require("method"),
            path=parameters.require("path"),
        )
        trace = _Trace()
        claims = self._explain_token(trace, token)
        found = self._learn(claims)
        if claims and claims.confirmation:
            bound_to = " ".join(claims.confirmation.claim())
            trace.note("proof", "skipped", f"bound by {bound_to}, which only a call can show")
        trace.run("revocation", gate.check_alive, claims, *found)
        holder = found[0]
        trace.run("client", gate.check_client, holder)
        if need.scope == ROUTE_TABLE:
            need = replace(need, scope=self._route_scope(trace, need) or "")
        checked = (need.audience, self._audience)
        audiences = claims.audiences if claims else None
        scopes = gate.scopes_held(claims.scope, is_once=claims.is_once) if claims else None
        trace.run("audience", gate.check_audience, audiences, holder, more=checked)
        trace.run("scope", gate.check_scope, scopes, more=(need.scope,))
        self._explain_cost(trace, claims, holder)
        resp.media = {
            "allowed": trace.reason == "ok",
            "reason": trace.reason,
            "checks": trace.checks,
        }

    def _learn(self, claims: Claims | None) -> tuple[Holder | None, World | None, bool | None]:
        if claims is None:
            return None, None, None
        answers = self._store.learn(claims.client_id, claims.jti, world=True)
        return answers.holder, answers.world, answers.is_revoked

    def _explain_token(self, trace: _Trace, token: str) -> Claims | None:
        now = self._verifier.now()
        header = trace.run("format", tokens.parse_header, token)
        key = trace.run("key", self._verifier.find_key, header)
        payload = trace.run("signature", tokens.check_signature, token, header, key)
        claims = trace.run("claims", tokens.check_claims, payload, more=(self._verifier.issuer,))
        trace.run("time", tokens.check_times, payload, more=(now, self._verifier.leeway_s))
        return claims

    def _route_scope(self, trace: _Trace, need: Need) -> str | None:
        """A path that the table does not list may belong to a location with a scope of its own."""
        try:
            scope = scopes_for(
                self._store.learn(routes=True).routes or {}, need.method, path_of(need.path)
            )
        except NotAPath as refusal:
            trace.refuse("route", refusal)
            return None
        except UnknownRoute:
            trace.note("route", "skipped", f"not in the table; where nginx says {ROUTE_TABLE}: 403")
            return None
        trace.note("route", "ok", f"needs {scope}" if scope else "needs any valid token")
        return scope

    def _explain_cost(self, trace: _Trace, claims: Claims | None, holder: Holder | None) -> None:
        if holder and holder.client and holder.client.rate_per_s:
            rate = f"{holder.client.rate_per_s} a second; not taken from"
            trace.note("rate", "skipped", rate)
        if claims and claims.is_once:
            trace.run("one-time", self._check_unspent, claims)

    def _check_unspent(self, claims: Claims) -> str:
        if not self._store.is_unspent(claims.jti):
            raise Spent("it has been used")
        return "not spent yet"
