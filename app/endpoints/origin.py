"""What nginx tells about where a request came from."""

import re

import falcon

from app.audit import Origin

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def sane_request_id(header: str | None) -> str:
    """Return the request id that the gateway made, "" when there is none of a sane form."""
    return header if header and _REQUEST_ID.fullmatch(header) else ""


def origin_of(req: falcon.Request) -> Origin:
    return Origin(
        req.get_header("X-Real-IP") or "", sane_request_id(req.get_header("X-Request-ID"))
    )
