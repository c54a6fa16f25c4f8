"""The only wiring: which endpoint stands at which path, and how errors are rendered."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from wsgiref.types import WSGIApplication

import falcon

from app import rendering
from app.admin.history import History
from app.admin.sampler import Sampler
from app.admin.site import Access, admin_app
from app.certificates import CertificateProofs
from app.config import Config, DashboardConfig
from app.connections import canary_of, line_to, store_and_journal
from app.dpop_proofs import DpopProofs
from app.endpoints.auth_request import AuthRequestEndpoint
from app.endpoints.cache_stats import CacheStatsEndpoint
from app.endpoints.client_authentication import ClientAuthentication
from app.endpoints.discovery import JwksEndpoint, MetadataEndpoint
from app.endpoints.explain import ExplainEndpoint
from app.endpoints.health import HealthEndpoint, ReadinessEndpoint
from app.endpoints.introspection import IntrospectionEndpoint
from app.endpoints.metrics import MetricsEndpoint
from app.endpoints.revocation import RevocationEndpoint
from app.endpoints.token import TokenEndpoint
from app.errors import ConfigError, OAuthError, StoreUnavailable
from app.exposition import Counted, Exposition
from app.journal import Journal
from app.keys import KeyRingFile
from app.memory import Memory
from app.metrics import Metrics
from app.overload import Overload
from app.rates import Rates
from app.refusals import Refusals
from app.remote_keys import RemoteKeys
from app.service import Service, by_path, unless_late
from app.store import Store
from app.verifier import Verifier

_MOST_REFUSALS = 2_000
"""Kept in Redis for whoever looks why calls were refused."""

_REFUSALS_TTL_S = 7 * 86_400
"""From the last one on."""


def application() -> WSGIApplication:
    """Build the service from the environment; what gunicorn calls in each worker."""
    config = Config.from_environ()
    metrics = Metrics(config.metrics_dir)
    timeout_s = config.redis_timeout_ms / 1000
    store, journal = store_and_journal(config, metrics)
    if config.canary_s:
        canary_of(config, metrics).start(config.canary_s)
    with suppress(StoreUnavailable):
        store.ping()  # log in now, rather than while the first caller waits
    service = create_app(
        config,
        store,
        journal,
        KeyRingFile(config.keys_dir),
        access=_access(config.dashboard, timeout_s),
        refused=Journal(
            line_to(config.redis_url, timeout_s=timeout_s),
            most_entries=_MOST_REFUSALS,
            stream="refusals",
            ttl_s=_REFUSALS_TTL_S,
        ),
        metrics=metrics,
    )
    return service if config.traces == "none" else _traced(service, config.traces)


def _traced(service: Service, exporter: str) -> WSGIApplication:
    """Put spans around the service. The library is an extra, and costs memory."""
    try:
        from app.tracing import Traced, make_provider
    except ModuleNotFoundError as error:
        needs = "TRACES needs the packages in deploy/otel/requirements.txt"
        raise ConfigError(f"{needs}: {error}") from error
    return Traced(service, make_provider(exporter))


def _access(config: DashboardConfig, timeout_s: float) -> Access:
    """Lines of the dashboard's own, made with the first question: most workers never need them."""

    line_of = partial(line_to, timeout_s=timeout_s)
    return Access(
        view=line_of(config.redis_url),
        can_list=not config.redis_url.startswith("cluster:"),
        sampling=line_of(config.redis_url),
        change=line_of(config.admin_redis_url) if config.admin_token else None,
        admin_token=config.admin_token,
        hosts=config.hosts,
    )


def create_app(
    config: Config,
    store: Store,
    journal: Journal,
    keys: KeyRingFile,
    clock: Callable[[], float] = time.time,
    access: Access | None = None,
    refused: Journal | None = None,
    metrics: Metrics | None = None,
) -> Service:
    """Wire the collaborators to their paths. `clock` returns epoch seconds."""
    access = access or Access(view=store.line)
    verifier = Verifier(keys, clock, issuer=config.issuer, leeway_s=config.leeway_s)
    metrics = metrics or Metrics(config.metrics_dir)
    memory = _memory(config, store, verifier, metrics)
    rates, overload = Rates(store), Overload()
    certificates = CertificateProofs(is_on=config.mtls_url is not None)
    dpop = DpopProofs(store, verifier, metrics, config.dpop)
    refusals = Refusals(refused.note if refused else _forget)
    auth_request = AuthRequestEndpoint(
        store,
        memory,
        rates,
        overload,
        metrics,
        clock,
        audience=config.audience,
        realm=config.realm,
        refusals=refusals,
        certificates=certificates,
        dpop=dpop,
    )
    authentication = _authentication(config, store, memory, certificates, metrics)
    endpoints = _oauth_app(
        config, store, memory, authentication, rates, journal, metrics, verifier, dpop, refusals
    )
    dashboard = _dashboard(config, access, store, journal, metrics, verifier)
    others = by_path(unless_late(endpoints, overload, clock), dashboard)
    journals = (journal, *([refused] if refused else []))
    return Service(auth_request, others, memory, journals, metrics, refusals)


def _dashboard(
    config: Config,
    access: Access,
    store: Store,
    journal: Journal,
    metrics: Metrics,
    verifier: Verifier,
) -> WSGIApplication:
    history = History(config.metrics_dir / "history" if config.metrics_dir else None)
    if access.sampling:
        Sampler(Counted(metrics, verifier.now), history, access.sampling).start()
    cache_stats = CacheStatsEndpoint(metrics, config.warm_tokens)
    return admin_app(
        access, store, journal, history, verifier, cache_stats, config.realm, metrics.count
    )


def _forget(_: object) -> None:
    """Where nobody wants to see refusals."""


def _memory(config: Config, store: Store, verifier: Verifier, metrics: Metrics) -> Memory:
    most_tokens, most_clients = config.warm_tokens, config.warm_clients
    return Memory(
        store, verifier, most_tokens=most_tokens, most_clients=most_clients, metrics=metrics
    )


def _authentication(
    config: Config,
    store: Store,
    memory: Memory,
    certificates: CertificateProofs,
    metrics: Metrics,
) -> ClientAuthentication:
    bases = config.bases
    return ClientAuthentication(
        store,
        memory,
        certificates,
        RemoteKeys(config.jwks_origins),
        metrics,
        # What a client may call this server in the `aud` of an assertion (RFC 7523 §3).
        audiences=frozenset(f"{base}{path}" for base in bases for path in ("", "/token", "/ott")),
        leeway_s=config.leeway_s,
    )


def _oauth_app(
    config: Config,
    store: Store,
    memory: Memory,
    authentication: ClientAuthentication,
    rates: Rates,
    journal: Journal,
    metrics: Metrics,
    verifier: Verifier,
    dpop: DpopProofs,
    refusals: Refusals,
) -> WSGIApplication:
    issuer, audience = config.issuer, config.audience
    app, renderer = falcon.App(), rendering.ErrorRenderer(config.realm, refusals, verifier.now)
    app.add_error_handler(Exception, rendering.render_surprise)
    app.add_error_handler(falcon.HTTPError, renderer.http_error)
    app.add_error_handler(OAuthError, renderer.oauth_error)
    mint = partial(
        TokenEndpoint, store, memory, authentication, rates, journal, metrics, verifier, dpop
    )
    for path, is_once in (("/token", False), ("/ott", True)):
        endpoint = mint(audience=audience, ttl_s=config.token_ttl_s, is_once=is_once)
        app.add_route(path, endpoint)
    app.add_route(
        "/revoke", RevocationEndpoint(store, memory, authentication, journal, metrics, verifier)
    )
    app.add_route("/introspect", IntrospectionEndpoint(store, memory, authentication, verifier))
    app.add_route("/explain", ExplainEndpoint(store, verifier, audience=audience))
    app.add_route(
        "/.well-known/oauth-authorization-server", MetadataEndpoint(issuer, config.mtls_url)
    )
    app.add_route("/.well-known/jwks.json", JwksEndpoint(verifier))
    exposition = Exposition(metrics, store, verifier, warm_tokens_limit=config.warm_tokens)
    app.add_route("/metrics", MetricsEndpoint(exposition))
    app.add_route("/health", HealthEndpoint())
    app.add_route("/health/live", HealthEndpoint())
    needed = {"redis": store.ping, "dataset": store.check_restored}
    app.add_route("/health/ready", ReadinessEndpoint(needed, {"feed": store.line.feed}))
    return app
