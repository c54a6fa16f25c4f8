"""The keyring on disk: each kid bound to one algorithm, each mistake named by file and line."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from app.errors import ConfigError, UnknownKey
from app.keys import ALGORITHMS, KeyRing, load_keyring
from tests.forgery import NOW, decode
from tests.service import add_key


def write_pem(path: Path, made: PrivateKeyTypes, password: bytes = b"") -> None:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    path.write_bytes(pem)


def problem(keys_dir: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        load_keyring(keys_dir)
    return str(raised.value)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_key_of_each_algorithm_is_loaded_with_that_algorithm(ring: KeyRing, alg: str) -> None:
    """The keyring's line decides what a key may be used for."""
    assert alg == ring.find(alg.lower(), NOW).alg


@pytest.mark.parametrize(
    ("kid", "members"),
    [
        ("es256", {"kty", "crv", "x", "y", "kid", "alg", "use"}),
        ("eddsa", {"kty", "crv", "x", "kid", "alg", "use"}),
        ("rs256", {"kty", "n", "e", "kid", "alg", "use"}),
    ],
)
def test_published_key_has_its_public_members_only(
    ring: KeyRing, kid: str, members: set[str]
) -> None:
    """No private member of any algorithm's JWK is among what is shown (RFC 7518 §6)."""
    jwk = ring.find(kid, NOW).public_jwk()
    assert jwk is not None
    shown = {name for name in jwk if name != "key_ops"}
    assert members == shown
    assert [kid, ring.find(kid, NOW).alg, "sig"] == [jwk["kid"], jwk["alg"], jwk["use"]]


def test_shared_secret_is_never_published(ring: KeyRing) -> None:
    """An HS256 key verifies and signs, and nobody else hears of it."""
    assert ring.find("hs256", NOW).public_jwk() is None
    assert ["rs256", "eddsa", "es256"] == [jwk["kid"] for jwk in ring.published(NOW)]


def test_es256_coordinates_are_published_at_full_length(ring: KeyRing) -> None:
    """A coordinate keeps its leading zeros (RFC 7518 §6.2.1.2)."""
    (jwk,) = (jwk for jwk in ring.published(NOW) if jwk["kid"] == "es256")
    assert [32, 32] == [len(decode(jwk[name])) for name in ("x", "y")]


@pytest.mark.parametrize(
    "kid", [None, 1, [], {}, True, "", "ES256", "es256 ", "../es256", "e" * 9999]
)
def test_kid_that_names_no_key_is_unknown(ring: KeyRing, kid: object) -> None:
    """A kid is compared, never looked up as a file and never fetched."""
    with pytest.raises(UnknownKey):
        ring.find(kid, NOW)


def test_comments_and_empty_lines_are_skipped(keys_dir: Path) -> None:
    """The keyring is a file for people too."""
    add_key(keys_dir, "a")
    keyring = keys_dir / "keyring"
    keyring.write_text(f"# our keys\n\n{keyring.read_text().strip()}   # the first\n\n")
    assert ["a"] == [key.kid for key in load_keyring(keys_dir).keys]


@pytest.mark.parametrize(
    "line",
    [
        "b ES256",
        "b ES256 0 more",
        "b ES384 0",
        "b es256 0",
        "b none 0",
        "b ES256 soon",
        "b ES256 -1",
        "b ES256 1.5",
    ],
)
def test_bad_line_is_named_by_file_and_number(keys_dir: Path, line: str) -> None:
    """Whoever edits the keyring is told where to look."""
    add_key(keys_dir, "a")
    with (keys_dir / "keyring").open("a") as keyring:
        keyring.write(f"# next\n{line}\n")
    assert f"{keys_dir}/keyring line 3: expected KID ALG SIGNS_FROM_S" == problem(keys_dir)


def test_missing_keyring_is_named(keys_dir: Path) -> None:
    """The message has the path that was tried."""
    assert problem(keys_dir).startswith(f"cannot read {keys_dir}/keyring: ")


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_keyring_without_a_key_is_refused(keys_dir: Path, text: str) -> None:
    """A service that cannot sign does not start."""
    keys_dir.mkdir()
    (keys_dir / "keyring").write_text(text)
    assert f"{keys_dir}/keyring names no key" == problem(keys_dir)


def test_keyring_that_is_not_ascii_is_refused(keys_dir: Path) -> None:
    """A digit of another script is no number here."""
    add_key(keys_dir, "a")
    (keys_dir / "keyring").write_text("a ES256 \u0661\n", "utf-8")
    assert problem(keys_dir).startswith(f"cannot read {keys_dir}/keyring: ")


def test_kid_named_twice_is_refused(keys_dir: Path) -> None:
    """One kid, one key, one algorithm (RFC 8725 §3.1)."""
    add_key(keys_dir, "a", "ES256")
    add_key(keys_dir, "a", "HS256", signs_from_s=5)
    assert f"{keys_dir}/keyring names a kid twice" == problem(keys_dir)


@pytest.mark.parametrize(
    ("alg", "content"),
    [
        ("ES256", None),
        ("ES256", b""),
        ("ES256", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("EdDSA", b"not a key"),
        ("EdDSA", b"\xff\xfe"),
        ("RS256", b"not a key"),
        ("HS256", None),
        ("HS256", b""),
        ("HS256", b"c2hvcnQ"),
        ("HS256", b"\xff" * 43),
    ],
)
def test_unusable_key_file_is_named(keys_dir: Path, alg: str, content: bytes | None) -> None:
    """Missing, empty, broken or short: the message has the file and the algorithm."""
    add_key(keys_dir, "a", alg)
    path = keys_dir / ("a.secret" if alg == "HS256" else "a.pem")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert problem(keys_dir).startswith(f"cannot use {path} as an {alg} key: ")


def key_of_another_kind() -> list[tuple[str, PrivateKeyTypes]]:
    return [
        ("ES256", ec.generate_private_key(ec.SECP384R1())),
        ("ES256", ec.generate_private_key(ec.SECP256K1())),
        ("ES256", ed448.Ed448PrivateKey.generate()),
        ("EdDSA", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed448.Ed448PrivateKey.generate()),
        ("RS256", ec.generate_private_key(ec.SECP256R1())),
        ("RS256", rsa.generate_private_key(65537, 1024)),
    ]


@pytest.mark.parametrize(("alg", "made"), key_of_another_kind())
def test_key_that_does_not_fit_its_algorithm_is_refused(
    keys_dir: Path, alg: str, made: PrivateKeyTypes
) -> None:
    """Another family, another curve, or an RSA key below 2048 bits (RFC 7518 §3.3, §3.4)."""
    add_key(keys_dir, "a", alg)
    write_pem(keys_dir / "a.pem", made)
    assert problem(keys_dir).startswith(f"cannot use {keys_dir}/a.pem as an {alg} key: ")


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256"])
def test_key_that_cannot_sign_is_refused(keys_dir: Path, ring: KeyRing, alg: str) -> None:
    """A public key, or a private one behind a password, is found at the start, not at a mint."""
    add_key(keys_dir, "a", alg)
    key = ring.find(alg.lower(), NOW)
    public = key.verifying.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (keys_dir / "a.pem").write_bytes(public)
    assert f"as an {alg} key" in problem(keys_dir)
    write_pem(keys_dir / "a.pem", key.signing, password=b"secret")
    assert f"as an {alg} key" in problem(keys_dir)
