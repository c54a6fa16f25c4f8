"""The token of a request: a bearer's (RFC 6750 §2.1), or one with a proof (RFC 9449 §7.1)."""

from app.errors import NoToken


def is_bearer(header: str | None) -> bool:
    """Tell whether an Authorization header is of the Bearer scheme, in any case (RFC 6750)."""
    return header is not None and header[:7].lower() == "bearer "


def bearer(header: str | None) -> str:
    """Return the token in an Authorization header (RFC 6750 §2.1); raise NoToken."""
    token = header[7:].strip(" ") if header and is_bearer(header) else ""
    if not token:
        raise NoToken("no bearer token was sent")
    return token


def is_dpop(header: str | None) -> bool:
    """Tell whether an Authorization header is of the DPoP scheme, in any case."""
    return header is not None and header[:5].lower() == "dpop "


def shown_token(header: str | None) -> str:
    """Return the token in an Authorization header of either scheme; raise NoToken."""
    if not is_dpop(header):
        return bearer(header)
    token = (header or "")[5:].strip(" ")
    if not token:
        raise NoToken("no token was sent")
    return token
