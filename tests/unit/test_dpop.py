"""DPoP proofs: each rule of RFC 9449 §4.3 alone, with real keys."""

import json
from collections.abc import Callable

import pytest

from app import dpop
from app.dpop import WINDOW_S, Proof
from app.dpop_errors import InvalidProof
from app.errors import WrongProof
from app.proof_key import PROOF_ALGORITHMS, read_key, thumbprint
from tests.forgery import NOW, decode, encode, respelled
from tests.prover import Prover, ath_of

URL = "https://api.example/orders/7"
TOKEN = "header.payload.signature"
PROVERS = {alg: Prover(alg) for alg in PROOF_ALGORITHMS}
ES256 = PROVERS["ES256"]
HEADER = {"typ": "dpop+jwt", "alg": "ES256", "jwk": ES256.jwk}
SMALL_RSA = Prover("RS256", 1024)
LARGE_RSA = Prover("RS256", 4104)


def proof(**changes: object) -> str:
    """A good proof for GET URL with TOKEN, but for the changes."""
    return ES256.proof("GET", URL, NOW, TOKEN, **changes)  # type: ignore[arg-type]


def check(text: str, jkt: str | None = None, now: float = NOW) -> Proof:
    """What the gateway asks of a proof that came with GET URL and TOKEN."""
    read = dpop.read_proof(text)
    dpop.check_request(read, "GET", [URL], now)
    dpop.check_token(read, TOKEN, jkt or ES256.jkt)
    return read


@pytest.mark.parametrize("alg", PROOF_ALGORITHMS)
def test_good_proof_of_each_algorithm_passes(alg: str) -> None:
    """The ground that the other cases stand on."""
    prover = PROVERS[alg]
    assert prover.jkt == check(prover.proof("GET", URL, NOW, TOKEN), prover.jkt).jkt


def test_thumbprint_is_that_of_the_rfc() -> None:
    """The example of RFC 7638 §3.1, with members that do not count."""
    jwk = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6"
        "tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v"
        "MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" == thumbprint(jwk)


@pytest.mark.parametrize(
    "text", [None, "", "x", "a.b", f"{proof()},{proof()}", f"{proof()}, {proof()}", f"{proof()}.x"]
)
def test_anything_but_one_proof_is_refused(text: str | None) -> None:
    """None, half a one and two are no proof; two headers arrive as one with a comma."""
    with pytest.raises(InvalidProof):
        dpop.read_proof(text)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": ...},
        {"typ": "at+jwt"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": ...},
        {"alg": ["ES256"]},
        {"crit": ["b64"], "b64": True},
        {"jwk": ...},
        {"jwk": "https://evil.example/key"},
        {"jwk": ES256.private_jwk},
        {"jwk": {**ES256.jwk, "k": "c2VjcmV0"}},
        {"jwk": {**ES256.jwk, "kty": "oct"}},
        {"jwk": {**ES256.jwk, "crv": "P-384"}},
        {"jwk": {**ES256.jwk, "x": ES256.jwk["y"]}},
        {"jwk": {**ES256.jwk, "x": 7}},
        {"jwk": {name: ES256.jwk[name] for name in ("kty", "crv", "x")}},
        {"jwk": {**ES256.jwk, "x": encode(b"\0" + decode(ES256.jwk["x"]))}},
        {"jwk": Prover().jwk},
        {"note": "x" * 2048},
    ],
    ids=lambda header: json.dumps(header, default=str)[:60],
)
def test_header_that_is_not_of_a_public_key_s_proof_is_refused(header: dict[str, object]) -> None:
    """typ, algorithm and key must be those of a proof, and the key the one that signed it."""
    with pytest.raises(InvalidProof):
        dpop.read_proof(proof(header=header))


@pytest.mark.parametrize("prover", [SMALL_RSA, LARGE_RSA], ids=["1024 bits", "4104 bits"])
def test_rsa_key_of_an_unfit_length_is_refused(prover: Prover) -> None:
    """Too short to be safe, or so long that it works for whoever wants to wear us out."""
    with pytest.raises(InvalidProof):
        dpop.read_proof(prover.proof("GET", URL, NOW, TOKEN))


def test_rsa_key_with_a_giant_exponent_is_refused() -> None:
    """An exponent as long as the modulus makes one verification as costly as a signature."""
    prover = PROVERS["RS256"]
    jwk = {**prover.jwk, "e": encode(b"\x7f" + b"\xff" * 254)}
    with pytest.raises(InvalidProof, match="cannot be used"):
        dpop.read_proof(prover.proof("GET", URL, NOW, TOKEN, header={"jwk": jwk}))


def test_symmetric_proof_is_refused_although_its_mac_is_right() -> None:
    """A shared secret in the header proves nothing."""
    jwk = {"kty": "oct", "k": encode(b"k" * 32)}
    text = ES256.proof("GET", URL, NOW, TOKEN, header={"alg": "HS256", "jwk": jwk})
    with pytest.raises(InvalidProof):
        dpop.read_proof(text)


def test_proof_signed_by_another_key_than_it_shows_is_refused() -> None:
    """Whoever copies a public key cannot sign for it."""
    with pytest.raises(InvalidProof, match="did not sign"):
        dpop.read_proof(Prover().proof("GET", URL, NOW, TOKEN, header={"jwk": ES256.jwk}))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_altered_proof_is_refused(place: int) -> None:
    """Header, claims and signature are all held by the signature."""
    segments = proof().split(".")
    segments[place] = ES256.proof("POST", URL, NOW, header={"x": 1}).split(".")[place]
    with pytest.raises(InvalidProof):
        dpop.read_proof(".".join(segments))


def test_other_spelling_of_a_proof_is_refused() -> None:
    """One proof has one spelling (RFC 4648 §3.5)."""
    for text in respelled(proof()):
        with pytest.raises(InvalidProof):
            dpop.read_proof(text)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b'"x"', b"{", b'{"jti":"a","jti":"b"}', b'{"iat":NaN}', b"\xff"]
)
def test_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    """Read as strictly as a token's."""
    with pytest.raises(InvalidProof):
        dpop.read_proof(ES256.signed(HEADER, payload))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: ...} for name in ("jti", "htm", "htu", "iat")),
        *({name: 1} for name in ("jti", "htm", "htu", "ath", "nonce")),
        *({"iat": value} for value in ("4000000000", True, None)),
        *({"jti": value} for value in ("", "x" * 257)),
    ],
    ids=str,
)
def test_claim_that_is_missing_or_of_another_type_is_refused(changes: dict[str, object]) -> None:
    """All of jti, htm, htu and iat are needed, as what they are."""
    with pytest.raises(InvalidProof):
        dpop.read_proof(proof(**changes))


@pytest.mark.parametrize("htm", ["POST", "get", "GET ", ""])
def test_proof_for_another_method_is_refused(htm: str) -> None:
    """Methods are told apart by the letter (RFC 9110 §9.1)."""
    with pytest.raises(InvalidProof, match="htm"):
        check(proof(htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        "https://api.example/orders/8",
        "https://api.example/orders/7/",
        "https://api.example/Orders/7",
        "http://api.example/orders/7",
        "https://api.example:8443/orders/7",
        "https://other.example/orders/7",
        "/orders/7",
        "",
    ],
)
def test_proof_for_another_uri_is_refused(htu: str) -> None:
    """Scheme, host, port and path are all of the URI."""
    with pytest.raises(InvalidProof, match="htu"):
        check(proof(htu=htu))


@pytest.mark.parametrize(
    "htu", [f"{URL}?page=2", f"{URL}#top", "HTTPS://API.example:443/x/../orders/%37"]
)
def test_proof_for_the_same_uri_in_another_spelling_passes(htu: str) -> None:
    """Query and fragment do not count, and spellings of one URI are one (RFC 9449 §4.3)."""
    check(proof(htu=htu))


def test_nothing_matches_a_request_whose_uri_is_unknown() -> None:
    """Two that are no URI are not the same one."""
    with pytest.raises(InvalidProof, match="htu"):
        dpop.check_request(dpop.read_proof(proof(htu="")), "GET", [""], NOW)


@pytest.mark.parametrize("away_s", [-WINDOW_S, -0.5, 0, WINDOW_S])
def test_proof_made_about_now_passes(away_s: float) -> None:
    """The very end of the window is within it, either way."""
    check(proof(iat=NOW + away_s))


@pytest.mark.parametrize("iat", [NOW - WINDOW_S - 1, NOW + WINDOW_S + 1, 0, 1e300, -1e300, 10**400])
def test_proof_of_another_time_is_refused(iat: float) -> None:
    """Neither an old one nor one made ahead."""
    with pytest.raises(InvalidProof, match="iat"):
        check(proof(iat=iat), now=float(NOW))


@pytest.mark.parametrize("ath", [..., "", ath_of("another.token.here"), TOKEN])
def test_proof_without_this_token_s_hash_is_refused(ath: object) -> None:
    """A proof for one token is none for another; one for the token endpoint is none here."""
    with pytest.raises(InvalidProof, match="ath"):
        check(proof(ath=ath))


def test_proof_by_another_key_than_the_token_s_is_refused() -> None:
    """Whoever has the token and a key of their own has nothing."""
    with pytest.raises(WrongProof, match="another key"):
        check(Prover().proof("GET", URL, NOW, TOKEN))


def test_mark_tells_keys_and_jtis_apart_and_nothing_else() -> None:
    """Nobody can use up another client's `jti`, and a `jti` counts once for all requests."""
    mark: Callable[[str], str] = lambda text: dpop.read_proof(text).mark()  # noqa: E731
    first = mark(proof(jti="a"))
    assert first == mark(proof(jti="a", htm="POST", iat=NOW + 1))
    assert first != mark(proof(jti="b"))
    assert first != mark(PROVERS["EdDSA"].proof("GET", URL, NOW, jti="a"))
    assert 32 == len(first)


def test_header_is_read_once_for_all_proofs_of_a_key() -> None:
    """The key is remembered by its header, not its client: what cannot be read is not kept."""
    read_key.cache_clear()
    for _ in range(3):
        dpop.read_proof(proof())
        with pytest.raises(InvalidProof):
            dpop.read_proof(proof(header={"typ": "JWT"}))
    assert (1, 2) == (read_key.cache_info().currsize, read_key.cache_info().hits)
