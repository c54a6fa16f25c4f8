"""Tokens that are bound to a certificate (RFC 8705 §3), and what is refused for them."""

from pathlib import Path
from time import monotonic

import pytest

from app import certificates
from tests.endpoints.conftest import Build
from tests.forgery import claims_of, good_header, good_payload, sign
from tests.identities import Identity, identity
from tests.service import SECRET, Service, build_service
from tests.unit.announcing_line import AnnouncingLine

BOUND = {"tls_client_certificate_bound_access_tokens": "true"}
MINT = {"client_id": "demo", "client_secret": SECRET, "grant_type": "client_credentials"}
MTLS_URL = "https://mtls.auth.example"
MINE, OTHER = identity(), identity()


@pytest.fixture
def service(announced: Build) -> Service:
    """The app behind an nginx that asks for certificates; the tokens of `demo` are bound."""
    made = announced(mtls_url=MTLS_URL)
    made.add_client(**BOUND)
    return made


def shown(certificate: str) -> dict[str, str]:
    """The header in which nginx passes a certificate on."""
    return {"X-SSL-Client-Cert": certificate}


def mint(service: Service, one: Identity = MINE, path: str = "/token") -> str:
    answer = service.form(path, MINT, shown(one.header))
    assert 200 == answer.status_code, answer.text
    return str(answer.json["access_token"])


def reason(service: Service, token: str, certificate: str | None, **headers: str) -> str:
    more = {"X_SSL_Client_Cert": certificate} if certificate is not None else {}
    return service.reason(token, **more, **headers)


def test_token_of_a_bound_client_names_its_certificate(service: Service) -> None:
    """`cnf` with `x5t#S256`, in the token and in what introspection says of it."""
    token = mint(service)
    assert {"x5t#S256": MINE.thumbprint} == claims_of(token)["cnf"]
    told = service.asked_by("/introspect", token=token).json
    assert (True, {"x5t#S256": MINE.thumbprint}) == (told["active"], told["cnf"])


def test_bound_token_makes_calls_with_its_certificate(service: Service) -> None:
    """Cold and warm."""
    token = mint(service)
    assert ["ok"] * 3 == [reason(service, token, MINE.header) for _ in range(3)]


def test_warm_request_does_not_read_its_certificate_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared with the one from before; any other is looked at, and refused."""
    token = mint(service)
    assert "ok" == reason(service, token, MINE.header)
    read: list[str] = []
    true_decode = certificates.decode

    def counted(header: str) -> bytes:
        read.append(header)
        return true_decode(header)

    monkeypatch.setattr(certificates, "decode", counted)
    assert ["ok"] * 3 == [reason(service, token, MINE.header) for _ in range(3)]
    assert [] == read
    assert "wrong_proof" == reason(service, token, OTHER.header)
    assert [OTHER.header] == read


WRONG = [
    pytest.param(None, id="none"),
    pytest.param("", id="empty"),
    pytest.param(OTHER.header, id="another"),
    pytest.param(MINE.pem.replace("\n", " "), id="not escaped"),
    pytest.param(MINE.header + OTHER.header, id="two"),
    pytest.param(MINE.header[:-1], id="cut"),
    pytest.param(MINE.thumbprint, id="thumbprint"),
    pytest.param("%", id="junk"),
    pytest.param("-----BEGIN%20CERTIFICATE-----%0A=%0A-----END%20CERTIFICATE-----", id="no base64"),
]


@pytest.mark.parametrize("certificate", WRONG)
@pytest.mark.parametrize("is_warm", [True, False])
def test_bound_token_is_refused_without_its_certificate(
    service: Service, certificate: str | None, is_warm: bool
) -> None:
    """401 invalid_token, however well it is known; and its holder is not shut out by that."""
    token = mint(service)
    if is_warm:
        assert "ok" == reason(service, token, MINE.header)
    more = {"X_SSL_Client_Cert": certificate} if certificate is not None else {}
    answer = service.validate(token, **more)
    assert (401, "wrong_proof") == (answer.status_code, answer.headers["X-Auth-Reason"])
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "ok" == reason(service, token, MINE.header)


def test_plain_token_needs_no_certificate(service: Service) -> None:
    """Nothing changes for a client whose record asks for nothing, whatever it shows."""
    service.add_client("plain")
    token = service.mint("plain")
    assert "cnf" not in claims_of(token)
    assert ["ok"] * 2 == [reason(service, token, one) for one in (None, MINE.header)]


def test_mint_of_a_bound_client_without_certificate_is_refused(service: Service) -> None:
    """A token that is bound to nothing would be a bearer token."""
    for certificate in ("", "junk"):
        answer = service.form("/token", MINT, shown(certificate))
        assert (400, "invalid_request") == (answer.status_code, answer.json["error"])


def test_certificate_is_not_believed_where_nobody_asks_for_one(
    service: Service, keys_dir: Path
) -> None:
    """Without MTLS_URL the header may come from anybody: it counts for nothing."""
    token = mint(service)
    elsewhere = build_service(service.redis, keys_dir, AnnouncingLine(service.redis))
    assert 400 == elsewhere.form("/token", MINT, shown(MINE.header)).status_code
    assert "wrong_proof" == reason(elsewhere, token, MINE.header)
    elsewhere.close()


def test_refused_call_does_not_spend_a_bound_one_time_token(service: Service) -> None:
    """A thief without the key cannot even use it up."""
    token = mint(service, path="/ott")
    found = [reason(service, token, one) for one in (OTHER.header, MINE.header, MINE.header)]
    assert ["wrong_proof", "ok", "spent"] == found


def test_bound_token_needs_its_certificate_in_an_outage_too(
    service: Service, line: AnnouncingLine
) -> None:
    """What is known from before says nothing about who is calling now."""
    token = mint(service)
    assert "ok" == reason(service, token, MINE.header)
    line.lose(monotonic() - 1.5)
    found = [reason(service, token, one, X_Allow_Stale="30") for one in (MINE.header, None)]
    assert ["ok", "wrong_proof"] == found


@pytest.mark.parametrize(
    "cnf",
    [
        {"kid": "k"},
        {"x5t#S256": MINE.thumbprint, "kid": "k"},
        {},
        {"x5t#S256": 1},
        {"x5t#S256": ""},
        MINE.thumbprint,
        None,
        [],
    ],
)
def test_unknown_confirmation_is_refused(service: Service, cnf: object) -> None:
    """A token that is bound in a way that nobody here can check is good for nothing."""
    key = service.keys.current().signer(service.clock.now)
    token = sign(key, good_header(key), good_payload(cnf=cnf))
    assert "wrong_proof" == reason(service, token, MINE.header)
    assert {"active": False} == service.asked_by("/introspect", token=token).json


def test_explain_says_what_a_token_is_bound_to(service: Service) -> None:
    """It cannot look at a certificate, and does not say that it did."""
    asked = {"token": mint(service), "method": "GET", "path": "/", "scopes": "orders:read"}
    (check,) = [
        one for one in service.form("/explain", asked).json["checks"] if one["check"] == "proof"
    ]
    assert "skipped" == check["outcome"]
    assert "x5t#S256" in check["detail"]
