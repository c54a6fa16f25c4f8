"""What ties the traces of one call together: its id, and the trace it belongs to.

The id is made by nginx; `traceparent` is the caller's (W3C Trace Context §3.2).
"""

import re

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)


def sane_request_id(header: str | None) -> str:
    """Return the request id that the gateway made, "" when there is none of a sane form."""
    return header if header and _REQUEST_ID.fullmatch(header) else ""


def trace_id_of(header: str | None) -> str:
    """Return the trace id of a `traceparent`, "" when there is none that is valid."""
    found = _TRACEPARENT.fullmatch(header) if header else None
    return found[1] if found else ""
