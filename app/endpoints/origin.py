"""What nginx tells about where a request came from."""

import falcon

from app.audit import Origin
from app.correlation import sane_request_id


def origin_of(req: falcon.Request) -> Origin:
    return Origin(
        req.get_header("X-Real-IP") or "", sane_request_id(req.get_header("X-Request-ID"))
    )
