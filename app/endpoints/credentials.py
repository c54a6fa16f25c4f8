"""What a client shows of itself: a secret, an assertion or a certificate, and never two of them.

RFC 6749 §2.3.1, RFC 7521 §4.2, RFC 8705 §2. Checked for form only.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_plus

import falcon

from app.assertions import TYPE, Assertion, read_assertion
from app.certificates import Shown, shown_in
from app.clients import CLIENT_ID
from app.endpoints.parameters import Parameters
from app.errors import InvalidClient, InvalidRequest
from app.methods import KEY_METHOD

CERTIFICATE = "a certificate"


@dataclass(frozen=True, slots=True)
class Credentials:
    """One way of showing who one is: `method` as in RFC 7591 §2, or CERTIFICATE for either of TLS.

    `certificate` is what the connection has shown, whether or not it is the way.
    """

    client_id: str
    method: str
    secret: str = ""
    assertion: Assertion | None = None
    certificate: Shown | None = None

    @property
    def used_header(self) -> bool:
        return self.method == "client_secret_basic"


def read_credentials(req: falcon.Request, parameters: Parameters) -> Credentials:
    """Return the one set of credentials that was sent; raise InvalidClient, InvalidRequest."""
    header, certificate = req.get_header("Authorization"), shown_in(req.env)
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    assertion = _assertion(parameters)
    if sum(one is not None for one in (header, secret, assertion)) > 1:
        raise InvalidRequest("credentials came in more than one way")
    if assertion is not None:
        # RFC 7521 §4.2: client_id is not needed, but it must not be another's.
        if client_id is not None and client_id != assertion.client_id:
            raise InvalidClient(detail="client_id is not the sub of the assertion")
        found = Credentials(assertion.client_id, KEY_METHOD, "", assertion, certificate)
    elif header is not None:
        name, secret = _from_basic(header)
        if client_id is not None and client_id != name:
            raise InvalidRequest("client_id differs from the one in the header")
        found = Credentials(name, "client_secret_basic", secret, certificate=certificate)
    elif client_id is not None and secret is not None:
        found = Credentials(client_id, "client_secret_post", secret, certificate=certificate)
    elif client_id is not None and certificate is not None:
        found = Credentials(client_id, CERTIFICATE, certificate=certificate)
    else:
        raise InvalidClient
    return _checked(found)


def _assertion(parameters: Parameters) -> Assertion | None:
    text, kind = parameters.get("client_assertion"), parameters.get("client_assertion_type")
    if text is None and kind is None:
        return None
    if text is None or kind is None:
        raise InvalidRequest("client_assertion and client_assertion_type come together")
    if kind != TYPE:
        raise InvalidClient(detail="client_assertion_type is not one that is taken")
    return read_assertion(text)


def _from_basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient(used_header=True)
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = decoded.partition(":")
        if not colon:
            raise ValueError("no colon")
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient(used_header=True) from error


def _checked(credentials: Credentials) -> Credentials:
    """A name that no client can have is not worth a question, and must not become a key."""
    if not CLIENT_ID.fullmatch(credentials.client_id):
        raise InvalidClient(used_header=credentials.used_header)
    return credentials
