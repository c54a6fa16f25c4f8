"""DPoP at the token endpoints and at the gateway (RFC 9449): binding, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from falcon import testing

from app.dpop import WINDOW_S
from app.proof_key import PROOF_ALGORITHMS
from tests.endpoints.conftest import Build
from tests.fake_line import AskingLine
from tests.forgery import claims_of, good_header, good_payload, sign
from tests.identities import identity
from tests.prover import Prover
from tests.service import ISSUER, SECRET, Service, build_service
from tests.unit.announcing_line import AnnouncingLine

REQUIRED = {"dpop_bound_access_tokens": "true"}
MINT = {"client_id": "demo", "client_secret": SECRET, "grant_type": "client_credentials"}
URL = f"{ISSUER}/orders/7"
MTLS_URL = "https://mtls.auth.example"
MINE, OTHER = Prover(), Prover()
CERTIFICATE = identity()
CHALLENGE = f'DPoP realm="portcullis", error="{{}}", algs="{" ".join(PROOF_ALGORITHMS)}"'


@pytest.fixture
def service(announced: Build) -> Service:
    """A client `demo`, which may bind its tokens; `strict` has to."""
    made = announced()
    made.add_client()
    made.add_client("strict", **REQUIRED)
    return made


def ask(
    service: Service, proof: str | None, path: str = "/token", client_id: str = "demo"
) -> testing.Result:
    """Ask for a token, with or without a proof."""
    headers = {"DPoP": proof} if proof is not None else {}
    return service.form(path, {**MINT, "client_id": client_id}, headers)


def proof_of(service: Service, path: str = "/token", by: Prover = MINE, **changes: Any) -> str:
    """A good proof for the token endpoint, but for the changes."""
    return by.proof("POST", f"{ISSUER}{path}", service.clock.now, **changes)


def bound(service: Service, path: str = "/token", by: Prover = MINE, **changes: Any) -> str:
    """A token that is bound to a key."""
    answer = ask(service, proof_of(service, path, by, **changes), path)
    assert 200 == answer.status_code, answer.text
    return str(answer.json["access_token"])


def call(
    service: Service,
    token: str,
    proof: str | None,
    scheme: str = "DPoP",
    method: str = "GET",
    url: str = URL,
    **headers: str,
) -> testing.Result:
    """Make a call, as nginx asks about it."""
    sent = {
        "Authorization": f"{scheme} {token}",
        "X-Original-Method": method,
        "X-Original-URL": url,
        "X-Request-ID": "",
        **({"DPoP": proof} if proof is not None else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return service.http.simulate_get("/validate", headers={k: v for k, v in sent.items() if v})


def fresh(service: Service, token: str, by: Prover = MINE, **changes: Any) -> str:
    """A good proof for GET URL with the token, but for the changes."""
    return by.proof("GET", URL, service.clock.now, token, **changes)


def reason(answer: testing.Result) -> str:
    return str(answer.headers["X-Auth-Reason"])


# Minting


@pytest.mark.parametrize("path", ["/token", "/ott"])
@pytest.mark.parametrize("alg", PROOF_ALGORITHMS)
def test_proof_binds_the_token_to_its_key(service: Service, path: str, alg: str) -> None:
    """`token_type` says so, and the token names the key's thumbprint (RFC 9449 §5, §6.1)."""
    prover = Prover(alg)
    answer = ask(service, proof_of(service, path, prover), path)
    assert (200, "DPoP") == (answer.status_code, answer.json["token_type"])
    assert {"jkt": prover.jkt} == claims_of(answer.json["access_token"])["cnf"]
    assert "DPoP-Nonce" not in answer.headers


def test_without_a_proof_a_token_is_plain(service: Service) -> None:
    """Nothing changes for those who do not ask for it."""
    answer = ask(service, None)
    assert "Bearer" == answer.json["token_type"]
    assert "cnf" not in claims_of(answer.json["access_token"])


@pytest.mark.parametrize("path", ["/token", "/ott"])
def test_client_that_must_bind_gets_nothing_without_a_proof(service: Service, path: str) -> None:
    """dpop_bound_access_tokens (RFC 9449 §5.2)."""
    answer = ask(service, None, path, "strict")
    assert (400, "invalid_dpop_proof") == (answer.status_code, answer.json["error"])
    assert 200 == ask(service, proof_of(service, path), path, "strict").status_code


def test_record_that_says_neither_true_nor_false_mints_nothing(service: Service) -> None:
    """A slip of the hand must not drop the requirement."""
    service.add_client("slip", dpop_bound_access_tokens="yes")
    assert 503 == ask(service, None, client_id="slip").status_code


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htu": f"{ISSUER}/ott"},
        {"htu": "https://evil.example/token"},
        {"iat": 4_000_000_000 - WINDOW_S - 1},
        {"iat": 4_000_000_000 + WINDOW_S + 1},
        {"jti": ...},
        {"header": {"jwk": MINE.private_jwk}},
        {"header": {"jwk": OTHER.jwk}},
        {"header": {"alg": "HS256"}},
        {"header": {"typ": "JWT"}},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_bad_proof_mints_nothing(service: Service, changes: dict[str, Any]) -> None:
    """Nor a plain token: whoever sends a proof means it (RFC 9449 §5)."""
    answer = ask(service, proof_of(service, **changes))
    assert (400, "invalid_dpop_proof") == (answer.status_code, answer.json["error"])
    assert "no-store" == answer.headers["Cache-Control"]


@pytest.mark.parametrize("sent", ["", "x", "two"])
def test_header_that_is_not_one_proof_mints_nothing(service: Service, sent: str) -> None:
    """An empty one is not taken for none, and two are not taken for the first."""
    proof = f"{proof_of(service)}, {proof_of(service)}" if sent == "two" else sent
    assert "invalid_dpop_proof" == ask(service, proof).json["error"]


def test_proof_mints_once(service: Service) -> None:
    """Whoever has seen it go by cannot have another token by it."""
    proof = proof_of(service)
    assert [200, 400] == [ask(service, proof).status_code for _ in range(2)]


def test_wrong_secret_leaves_no_trace_of_its_proof(service: Service) -> None:
    """Nobody fills Redis without being a client."""
    form = {**MINT, "client_secret": "wrong"}
    service.form("/token", form, {"DPoP": proof_of(service)})
    assert [] == service.redis.keys("dpop:*")


def test_introspection_shows_key_and_type(service: Service) -> None:
    """RFC 9449 §6.2."""
    told = service.asked_by("/introspect", token=bound(service)).json
    assert (True, "DPoP", {"jkt": MINE.jkt}) == (told["active"], told["token_type"], told["cnf"])


def test_metadata_lists_the_algorithms(service: Service) -> None:
    """RFC 9449 §5.1."""
    told = service.http.simulate_get("/.well-known/oauth-authorization-server").json
    assert list(PROOF_ALGORITHMS) == told["dpop_signing_alg_values_supported"]


@pytest.mark.parametrize("base", [ISSUER, MTLS_URL])
def test_token_may_be_bound_to_a_certificate_as_well(
    keys_dir: Path, redis_server: fakeredis.FakeServer, base: str
) -> None:
    """Each call shows both; one does not replace the other, warm or cold."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    line = AnnouncingLine(connection)
    service = build_service(connection, keys_dir, line, mtls_url=MTLS_URL)
    service.add_client(tls_client_certificate_bound_access_tokens="true")
    assert "invalid_request" == ask(service, proof_of(service)).json["error"]
    certificate = {"X-SSL-Client-Cert": CERTIFICATE.header}
    proof = MINE.proof("POST", f"{base}/token", service.clock.now)
    token = service.form("/token", MINT, {"DPoP": proof, **certificate}).json["access_token"]
    both = {"x5t#S256": CERTIFICATE.thumbprint, "jkt": MINE.jkt}
    assert both == claims_of(token)["cnf"]
    for _ in range(2):
        shown = {"X_SSL_Client_Cert": CERTIFICATE.header}
        assert "ok" == reason(call(service, token, fresh(service, token), **shown))
        assert "wrong_proof" == reason(call(service, token, fresh(service, token)))
        assert "wrong_proof" == reason(call(service, token, None, **shown))
        stolen = fresh(service, token, OTHER)
        assert "wrong_proof" == reason(call(service, token, stolen, **shown))


def test_address_for_certificates_is_none_where_nobody_asks_for_them(service: Service) -> None:
    """A proof names the token endpoint by an address that it has."""
    proof = MINE.proof("POST", f"{MTLS_URL}/token", service.clock.now)
    assert "invalid_dpop_proof" == ask(service, proof).json["error"]


# Calling


def test_bound_token_calls_with_a_proof_each_time(service: Service) -> None:
    """Cold and warm; the scheme in any case."""
    token = bound(service)
    schemes = ("DPoP", "DPoP", "dpop", "DPOP")
    answers = [call(service, token, fresh(service, token), scheme) for scheme in schemes]
    assert [204] * 4 == [answer.status_code for answer in answers]
    assert "demo" == answers[0].headers["X-Auth-Client-Id"]
    assert "DPoP-Nonce" not in answers[0].headers


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("has_proof", [False, True])
def test_bound_token_as_plain_bearer_is_refused(
    service: Service, scheme: str, *, is_warm: bool, has_proof: bool
) -> None:
    """Whoever has stolen it could leave the proof out (RFC 9449 §7.2)."""
    token = bound(service)
    if is_warm:
        call(service, token, fresh(service, token))
    answer = call(service, token, fresh(service, token) if has_proof else None, scheme)
    assert (401, "wrong_proof") == (answer.status_code, reason(answer))
    assert CHALLENGE.format("invalid_token") == answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("is_warm", [False, True])
def test_plain_token_with_the_dpop_scheme_is_refused(service: Service, *, is_warm: bool) -> None:
    """A proof does not make it a bound one (RFC 9449 §7.1)."""
    token = service.mint()
    if is_warm:
        assert "ok" == service.reason(token)
    answer = call(service, token, fresh(service, token))
    assert (401, "wrong_proof") == (answer.status_code, reason(answer))
    assert "ok" == service.reason(token)


@pytest.mark.parametrize("is_warm", [False, True])
def test_call_whose_proof_was_stripped_is_refused(service: Service, *, is_warm: bool) -> None:
    """The scheme alone is nothing."""
    token = bound(service)
    if is_warm:
        call(service, token, fresh(service, token))
    answer = call(service, token, None)
    assert (401, "wrong_proof") == (answer.status_code, reason(answer))
    assert CHALLENGE.format("invalid_dpop_proof") == answer.headers["WWW-Authenticate"]


WRONG: dict[str, dict[str, Any]] = {
    "other key": {"by": OTHER},
    "another's public key": {"by": OTHER, "header": {"jwk": MINE.jwk}},
    "other method": {"htm": "POST"},
    "other path": {"htu": f"{ISSUER}/orders/8"},
    "other scheme": {"htu": URL.replace("https", "http")},
    "other host": {"htu": "https://evil.example/orders/7"},
    "no ath": {"ath": ...},
    "other ath": {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"},
    "stale": {"iat": 4_000_000_000 - WINDOW_S - 1},
    "from the future": {"iat": 4_000_000_000 + WINDOW_S + 1},
    "no jti": {"jti": ...},
    "private key": {"header": {"jwk": MINE.private_jwk}},
    "symmetric": {"header": {"alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
    "none": {"header": {"alg": "none"}},
    "other typ": {"header": {"typ": "at+jwt"}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("is_warm", [False, True])
def test_bad_proof_makes_no_call(
    service: Service, changes: dict[str, Any], *, is_warm: bool
) -> None:
    """Each rule of RFC 9449 §4.3, whether the token is in memory or not."""
    token = bound(service)
    if is_warm:
        assert "ok" == reason(call(service, token, fresh(service, token)))
    answer = call(service, token, fresh(service, token, **changes))
    assert (401, "wrong_proof") == (answer.status_code, reason(answer))
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


def test_two_proofs_make_no_call(service: Service) -> None:
    """Not even two good ones (RFC 9449 §4.3, 1)."""
    token = bound(service)
    two = f"{fresh(service, token)}, {fresh(service, token)}"
    assert "wrong_proof" == reason(call(service, token, two))


def test_proof_for_another_token_makes_no_call(service: Service) -> None:
    """Of the same client and the same key."""
    token, other = bound(service), bound(service)
    assert "wrong_proof" == reason(call(service, token, fresh(service, other)))


def test_proof_makes_one_call(service: Service) -> None:
    """Whoever has seen token and proof go by can do nothing with them."""
    token = bound(service)
    proof = fresh(service, token)
    answers = [call(service, token, proof, X_Request_ID=one) for one in ("a" * 32, "b" * 32, "")]
    assert ["ok", "wrong_proof", "wrong_proof"] == [reason(answer) for answer in answers]
    assert ["wrong_proof"] * 2 == [reason(call(service, token, proof)) for _ in range(2)]


def test_proof_without_a_request_id_makes_one_call(service: Service) -> None:
    """Requests that cannot be told apart are not one request."""
    token = bound(service)
    proof = fresh(service, token)
    assert ["ok", "wrong_proof"] == [reason(call(service, token, proof)) for _ in range(2)]


def test_proof_makes_one_call_on_any_worker(
    service: Service, keys_dir: Path, redis_server: fakeredis.FakeServer
) -> None:
    """What is used up on one worker is used up on the next."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    other = build_service(connection, keys_dir, AskingLine(connection))
    token = bound(service)
    proof = fresh(service, token)
    assert "ok" == reason(call(service, token, proof))
    assert "wrong_proof" == reason(call(other, token, proof))


def test_question_that_nginx_repeats_is_no_replay(service: Service) -> None:
    """It carries the id that nginx made for the request; a client cannot choose one."""
    token = bound(service)
    proof = fresh(service, token)
    assert ["ok"] * 2 == [
        reason(call(service, token, proof, X_Request_ID="c" * 32)) for _ in range(2)
    ]


def test_proof_is_remembered_for_as_long_as_it_could_be_used(service: Service) -> None:
    """And no longer: at the very end of its window it is still known."""
    token = bound(service)
    service.redis.flushdb()
    service.add_client()
    service.redis.hset("dataset", mapping={"id": claims_of(token)["jti"].split(".")[0]})
    for ahead_s in (-WINDOW_S, 0, WINDOW_S):
        call(service, token, fresh(service, token, iat=service.clock.now + ahead_s))
        (key,) = service.redis.keys("dpop:*")
        ttl_s: Any = service.redis.ttl(key)
        assert WINDOW_S + ahead_s < ttl_s <= WINDOW_S + ahead_s + 10
        service.redis.delete(key)


def test_refused_proof_leaves_no_trace(service: Service) -> None:
    """Only a good one is worth remembering."""
    token = bound(service)
    before = service.redis.keys("dpop:*")
    for changes in WRONG.values():
        call(service, token, fresh(service, token, **changes))
    assert before == service.redis.keys("dpop:*")


@pytest.mark.parametrize("url", ["", "/orders/7", "https://evil.example/orders/7"])
def test_proof_for_what_the_gateway_does_not_serve_makes_no_call(
    service: Service, url: str
) -> None:
    """A client lured elsewhere made it; its Host header, brought here, changes nothing."""
    token = bound(service)
    proof = MINE.proof("GET", url, service.clock.now, token)
    assert "wrong_proof" == reason(call(service, token, proof, url=url))


def test_gateway_serves_the_origins_that_it_is_told(
    keys_dir: Path, redis_server: fakeredis.FakeServer
) -> None:
    """DPOP_ORIGINS, besides the issuer's own; each proof is for one of them."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    origins = ("https://API.example:443", "https://api.example:8443")
    service = build_service(connection, keys_dir, dpop_origins=origins)
    service.add_client()
    token = bound(service)
    for asked, proven, expected in (
        ("https://api.example/x", "https://api.example/x", "ok"),
        ("https://api.example:8443/x", "https://api.example:8443/x", "ok"),
        (URL, URL, "ok"),
        ("https://api.example/x", "https://api.example:8443/x", "wrong_proof"),
        ("http://api.example/x", "http://api.example/x", "wrong_proof"),
    ):
        proof = MINE.proof("GET", proven, service.clock.now, token)
        assert expected == reason(call(service, token, proof, url=asked))


def test_revoked_bound_token_is_refused(service: Service, line: AnnouncingLine) -> None:
    """As any other, at once; with a challenge of its own scheme."""
    token = bound(service)
    assert "ok" == reason(call(service, token, fresh(service, token)))
    service.asked_by("/revoke", token=token)
    line.announce(f"revoked:{claims_of(token)['jti']}")
    answer = call(service, token, fresh(service, token))
    assert "revoked" == reason(answer)
    assert CHALLENGE.format("invalid_token") == answer.headers["WWW-Authenticate"]


def test_missing_scope_is_told_in_the_scheme_of_the_call(service: Service) -> None:
    """403, with the scope that is needed."""
    token = bound(service)
    answer = call(service, token, fresh(service, token), X_Required_Scope="admin")
    assert 403 == answer.status_code
    assert answer.headers["WWW-Authenticate"].startswith(
        'DPoP realm="portcullis", error="insufficient_scope", scope="admin", algs='
    )


def test_replayed_proof_does_not_spend_a_one_time_token(service: Service) -> None:
    """Nor does one by another key; the token's own client still can."""
    token, other = bound(service, "/ott"), bound(service)
    used = fresh(service, other)
    call(service, other, used)
    assert "wrong_proof" == reason(call(service, token, None))
    assert "wrong_proof" == reason(call(service, token, fresh(service, token, OTHER)))
    assert "ok" == reason(call(service, token, fresh(service, token)))
    assert "spent" == reason(call(service, token, fresh(service, token)))


def test_replayed_proof_takes_nothing_from_the_rate(service: Service) -> None:
    """Nobody can use up a client's calls with what they have seen go by."""
    service.add_client("limited", rate_per_s="2")
    answer = ask(service, proof_of(service), client_id="limited")
    token = answer.json["access_token"]
    proof = fresh(service, token)
    assert ["ok", *["wrong_proof"] * 5] == [reason(call(service, token, proof)) for _ in range(6)]
    assert "ok" == reason(call(service, token, fresh(service, token)))


def test_without_redis_a_bound_token_is_undecided_and_a_plain_one_is_not(
    service: Service, line: AnnouncingLine, redis_server: fakeredis.FakeServer
) -> None:
    """Nobody knows whether the proof is new; a location that declares staleness changes nothing."""
    plain, token = service.mint(), bound(service)
    assert "ok" == service.reason(plain)
    assert "ok" == reason(call(service, token, fresh(service, token)))
    redis_server.connected = False
    assert "ok" == service.reason(plain)
    for stale in ("", "60"):
        before = len(line.asked)
        answer = call(service, token, fresh(service, token), X_Allow_Stale=stale)
        assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
        assert 1 == len(line.asked) - before, "asking a second time takes its time, too"
    assert 503 == ask(service, proof_of(service)).status_code


def test_explain_says_that_only_a_call_can_prove(service: Service) -> None:
    """What the operator asks about a bound token is answered without its key."""
    form = {"token": bound(service), "method": "GET", "path": "/x", "scopes": "orders:read"}
    told = service.form("/explain", form).json
    assert told["allowed"]
    assert "jkt" in next(one["detail"] for one in told["checks"] if one["check"] == "proof")


def test_confirmation_of_another_kind_is_refused(service: Service) -> None:
    """What cannot be checked is not passed over."""
    key = service.keys.current().keys[0]
    wrong: list[object] = [{}, {"jkt": 1}, {"jkt": ""}, {"jkt": MINE.jkt, "jwk": 1}, [], None, "x"]
    for cnf in wrong:
        token = sign(key, good_header(key), good_payload(cnf=cnf))
        assert "wrong_proof" == reason(call(service, token, fresh(service, token)))


# Nonces


@pytest.fixture
def nonces(keys_dir: Path, redis_server: fakeredis.FakeServer) -> Iterator[Service]:
    """The app with DPOP_NONCE=1."""
    connection = fakeredis.FakeRedis(server=redis_server, decode_responses=True)
    made = build_service(connection, keys_dir, dpop_needs_nonce=True)
    made.add_client()
    yield made
    made.close()


def nonce_of(service: Service) -> str:
    return str(ask(service, proof_of(service)).headers["DPoP-Nonce"])


@pytest.mark.parametrize("nonce", [..., "", "forged", "A" * 22])
def test_proof_without_a_nonce_of_ours_mints_nothing(nonces: Service, nonce: object) -> None:
    """The answer has the one to use (RFC 9449 §8)."""
    answer = ask(nonces, proof_of(nonces, nonce=nonce))
    assert (400, "use_dpop_nonce") == (answer.status_code, answer.json["error"])
    again = ask(nonces, proof_of(nonces, nonce=answer.headers["DPoP-Nonce"]))
    assert (200, "DPoP") == (again.status_code, again.json["token_type"])
    assert again.headers["DPoP-Nonce"]


def test_plain_mint_hears_nothing_of_nonces(nonces: Service) -> None:
    """They are for proofs."""
    answer = ask(nonces, None)
    assert (200, False) == (answer.status_code, "DPoP-Nonce" in answer.headers)
    assert "DPoP-Nonce" not in nonces.validate(answer.json["access_token"]).headers


@pytest.mark.parametrize("nonce", [..., "forged"])
def test_call_without_a_nonce_of_ours_is_told_one(nonces: Service, nonce: object) -> None:
    """401 with a challenge that says so, and the nonce beside it (RFC 9449 §9)."""
    token = bound(nonces, nonce=nonce_of(nonces))
    answer = call(nonces, token, fresh(nonces, token, nonce=nonce))
    assert (401, CHALLENGE.format("use_dpop_nonce")) == (
        answer.status_code,
        answer.headers["WWW-Authenticate"],
    )
    allowed = call(nonces, token, fresh(nonces, token, nonce=answer.headers["DPoP-Nonce"]))
    assert 204 == allowed.status_code
    assert allowed.headers["DPoP-Nonce"]


def test_old_nonce_is_refused(nonces: Service) -> None:
    """What was made two minutes ahead cannot be used; each answer brings the next nonce."""
    old = nonce_of(nonces)
    token = bound(nonces, nonce=old)
    nonces.clock.now += 60
    allowed = call(nonces, token, fresh(nonces, token, nonce=old))
    assert "ok" == reason(allowed)
    nonces.clock.now += 60
    assert "wrong_proof" == reason(call(nonces, token, fresh(nonces, token, nonce=old)))
    new = str(allowed.headers["DPoP-Nonce"])
    assert "ok" == reason(call(nonces, token, fresh(nonces, token, nonce=new)))


def test_nonce_does_not_make_a_proof_good_twice(nonces: Service) -> None:
    """It is the same one for a minute."""
    nonce = nonce_of(nonces)
    token = bound(nonces, nonce=nonce)
    proof = fresh(nonces, token, nonce=nonce)
    assert ["ok", "wrong_proof"] == [reason(call(nonces, token, proof)) for _ in range(2)]


def test_proof_by_a_stranger_is_told_no_nonce(nonces: Service) -> None:
    """Only a proof that is right otherwise is worth one."""
    token = bound(nonces, nonce=nonce_of(nonces))
    answer = call(nonces, token, fresh(nonces, token, OTHER))
    assert "DPoP-Nonce" not in answer.headers
