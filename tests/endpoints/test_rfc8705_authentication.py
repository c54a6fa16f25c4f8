"""Clients that authenticate with a certificate (RFC 8705 §2), and whoever pretends to be one."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from falcon.testing import Result

from tests.identities import Identity, dn, identity, key_set, new_key, public_jwk
from tests.service import ISSUER, SECRET, Service, build_service

MTLS_URL = "https://mtls.auth.example"
ENDPOINTS = ("/token", "/ott", "/revoke", "/introspect")
CA = identity(dn(CN="Clients CA"), is_ca=True)
SUBJECT = dn(C="DE", O="Acme, Inc.", CN="billing")
MINE = identity(
    SUBJECT,
    by=CA,
    dns=("billing.example", "*.wild.example"),
    uris=("urn:acme:billing",),
    ips=("192.0.2.7", "2001:db8::7"),
    emails=("billing@acme.example",),
)
NAMELESS = identity(SUBJECT, by=CA)
SELF_SIGNED, STRANGER = identity(), identity()
BY_CA = {
    "token_endpoint_auth_method": "tls_client_auth",
    "tls_client_auth_subject_dn": "CN=billing,O=Acme\\, Inc.,C=DE",
}
BY_ITSELF = {
    "token_endpoint_auth_method": "self_signed_tls_client_auth",
    "jwks": key_set(public_jwk(new_key(), kid="another"), SELF_SIGNED.jwk()),
}
REFUSED = (401, "invalid_client")
VERIFIED, UNSIGNED = "SUCCESS", "FAILED:self-signed certificate"


@pytest.fixture
def service(keys_dir: Path, redis_server: fakeredis.FakeServer) -> Iterator[Service]:
    """The app behind an nginx that asks for certificates."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    made = build_service(connection, keys_dir, mtls_url=MTLS_URL)
    made.add_client("billing", **BY_CA)
    made.add_client("lonely", **BY_ITSELF)
    made.add_client("demo")
    yield made
    made.close()


def ask(
    service: Service,
    client_id: str,
    certificate: str = MINE.header,
    verify: str = VERIFIED,
    path: str = "/token",
    **fields: str,
) -> Result:
    """POST with nothing but a client_id, over a connection that has shown a certificate."""
    sent = {"grant_type": "client_credentials", "token": "x", "client_id": client_id, **fields}
    headers = {"X-SSL-Client-Cert": certificate, "X-SSL-Client-Verify": verify}
    return service.form(path, sent, {name: value for name, value in headers.items() if value})


def outcome(answer: Result) -> tuple[int, str]:
    return answer.status_code, answer.json["error"] if answer.status_code >= 400 else "ok"


@pytest.mark.parametrize("path", ENDPOINTS)
def test_certificate_is_taken_wherever_clients_authenticate(service: Service, path: str) -> None:
    """Of an authority, and the client's own."""
    assert 200 == ask(service, "billing", path=path).status_code
    assert 200 == ask(service, "lonely", SELF_SIGNED.header, UNSIGNED, path).status_code


@pytest.mark.parametrize(
    ("client_id", "certificate", "verify"),
    [
        ("billing", "", ""),
        ("billing", "", VERIFIED),
        ("billing", MINE.header, ""),
        ("billing", MINE.header, "NONE"),
        ("billing", MINE.header, UNSIGNED),
        ("billing", MINE.header, "success"),
        ("billing", STRANGER.header, VERIFIED),
        ("billing", CA.header, VERIFIED),
        ("billing", "junk", VERIFIED),
        ("lonely", "", ""),
        ("lonely", STRANGER.header, VERIFIED),
        ("lonely", MINE.header, VERIFIED),
        ("lonely", "junk", UNSIGNED),
        ("demo", MINE.header, VERIFIED),
        ("nobody", MINE.header, VERIFIED),
        ("no body", MINE.header, VERIFIED),
    ],
)
def test_other_certificate_is_refused(
    service: Service, client_id: str, certificate: str, verify: str
) -> None:
    """None, an unverified one, another's; and a good one for a client that has another method."""
    for path in ENDPOINTS:
        assert REFUSED == outcome(ask(service, client_id, certificate, verify, path))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subject_dn", "CN=billing,O=Acme\\, Inc.,C=DE"),
        ("san_dns", "billing.example"),
        ("san_dns", "*.wild.example"),
        ("san_uri", "urn:acme:billing"),
        ("san_ip", "192.0.2.7"),
        ("san_ip", "2001:DB8:0::7"),
        ("san_email", "billing@acme.example"),
    ],
)
def test_certificate_is_known_by_the_name_in_the_record(
    service: Service, name: str, expected: str
) -> None:
    """Distinguished name, or one of the alternative ones."""
    service.redis.hdel("client:billing", "tls_client_auth_subject_dn")
    service.redis.hset("client:billing", f"tls_client_auth_{name}", expected)
    assert 200 == ask(service, "billing").status_code


def test_subject_may_be_written_as_openssl_does(service: Service) -> None:
    """With attributes that RFC 4514 has no name for."""
    shown = identity(dn(O="Acme", CN="billing", emailAddress="a@acme.example"))
    subject = "emailAddress=a@acme.example,CN=billing,O=Acme"
    service.redis.hset("client:billing", "tls_client_auth_subject_dn", subject)
    assert 200 == ask(service, "billing", shown.header).status_code


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subject_dn", "CN=billing"),
        ("subject_dn", "C=DE,O=Acme\\, Inc.,CN=billing"),
        ("subject_dn", "CN=Billing,O=Acme\\, Inc.,C=DE"),
        ("subject_dn", "CN=billing,O=Acme\\, Inc.,C=DE,C=DE"),
        ("subject_dn", "billing"),
        ("subject_dn", "="),
        ("san_dns", "Billing.example"),
        ("san_dns", "a.wild.example"),
        ("san_dns", "example"),
        ("san_uri", "urn:acme"),
        ("san_uri", "billing.example"),
        ("san_ip", "192.0.2.8"),
        ("san_ip", "192.0.2.0/24"),
        ("san_ip", "billing"),
        ("san_email", "other@acme.example"),
    ],
)
@pytest.mark.parametrize("shown", [MINE, NAMELESS], ids=["named", "nameless"])
def test_certificate_of_another_name_is_refused(
    service: Service, name: str, expected: str, shown: Identity
) -> None:
    """Exactly the name, and of its kind; what cannot be read is nobody's."""
    service.redis.hdel("client:billing", "tls_client_auth_subject_dn")
    service.redis.hset("client:billing", f"tls_client_auth_{name}", expected)
    assert REFUSED == outcome(ask(service, "billing", shown.header))


def test_client_with_a_certificate_cannot_use_a_secret(service: Service) -> None:
    """Not even with its certificate beside it."""
    for client_id in ("billing", "lonely"):
        for certificate in ("", MINE.header, SELF_SIGNED.header):
            answer = ask(service, client_id, certificate, client_secret=SECRET)
            assert REFUSED == outcome(answer)


@pytest.mark.parametrize("method", ["", "client_secret_basic", "private_key_jwt"])
def test_certificate_beside_a_key_is_no_way_in(service: Service, method: str) -> None:
    """A key set may have certificates; they count only where the record names the method."""
    service.redis.hset("client:lonely", "token_endpoint_auth_method", method)
    assert REFUSED == outcome(ask(service, "lonely", SELF_SIGNED.header, UNSIGNED))


def test_certificate_counts_for_nothing_where_nobody_asks_for_one(
    service: Service, keys_dir: Path
) -> None:
    """Without MTLS_URL the headers may come from anybody."""
    elsewhere = build_service(service.redis, keys_dir)
    for client_id, one in (("billing", MINE), ("lonely", SELF_SIGNED)):
        assert REFUSED == outcome(ask(elsewhere, client_id, one.header))
    elsewhere.close()


def test_disabled_client_is_refused(service: Service) -> None:
    """Whatever it shows."""
    service.redis.hset("client:billing", "status", "disabled")
    assert REFUSED == outcome(ask(service, "billing"))


def test_token_of_such_a_client_can_be_bound_too(service: Service) -> None:
    """To the certificate that it has authenticated with."""
    service.redis.hset("client:lonely", "tls_client_certificate_bound_access_tokens", "true")
    token = str(ask(service, "lonely", SELF_SIGNED.header, UNSIGNED).json["access_token"])
    certificates = (SELF_SIGNED.header, STRANGER.header)
    found = [service.reason(token, X_SSL_Client_Cert=one) for one in certificates]
    assert ["ok", "wrong_proof"] == found


@pytest.mark.parametrize(
    "jwks",
    [
        key_set(public_jwk(SELF_SIGNED.key, x5c=[])),
        key_set(public_jwk(SELF_SIGNED.key, x5c="AAAA")),
        key_set(public_jwk(SELF_SIGNED.key, x5c=["%"])),
        key_set(public_jwk(SELF_SIGNED.key)),
    ],
)
def test_registered_certificate_that_cannot_be_read_matches_none(
    service: Service, jwks: str
) -> None:
    """The key alone is not enough: it is the certificate that was registered."""
    service.redis.hset("client:lonely", "jwks", jwks)
    assert REFUSED == outcome(ask(service, "lonely", SELF_SIGNED.header, UNSIGNED))


def test_metadata_lists_what_works_with_certificates(service: Service) -> None:
    """RFC 8705 §3.3 and §5; only where MTLS_URL says that they are asked for."""
    document = service.http.simulate_get("/.well-known/oauth-authorization-server").json
    assert document["tls_client_certificate_bound_access_tokens"] is True
    methods = document["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(methods)
    assert {
        "token_endpoint": f"{MTLS_URL}/token",
        "revocation_endpoint": f"{MTLS_URL}/revoke",
        "introspection_endpoint": f"{MTLS_URL}/introspect",
    } == document["mtls_endpoint_aliases"]
    assert f"{ISSUER}/token" == document["token_endpoint"]
