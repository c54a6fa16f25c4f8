"""What stands between the dashboard and pages that are not the dashboard's.

The ops listener is private, but a browser on that machine shows pages of the whole world: one may
point its own name here (DNS rebinding), or let the browser ask here on its behalf (CSRF).
"""

from collections.abc import Collection

import falcon

from app.admin.problems import ForeignPage, WrongHost

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_API = "/admin/api/"
_OURS = frozenset({"same-origin", "none"})

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Falcon middleware: looks at each request, and marks each answer."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = _LOOPBACK | {host.lower() for host in hosts}

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Raise WrongHost or ForeignPage. A tool that is no browser sends no Origin."""
        host = (req.get_header("Host") or "").lower()
        if _name_of(host) not in self._hosts:
            raise WrongHost
        if not req.path.startswith(_API):
            return
        origin = req.get_header("Origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            raise ForeignPage
        if (req.get_header("Sec-Fetch-Site") or "none") not in _OURS:
            raise ForeignPage

    def process_response(
        self, _req: falcon.Request, resp: falcon.Response, _resource: object, _ok: bool
    ) -> None:
        """No answer may be framed, sniffed or kept; the page's own files say how long they last."""
        resp.set_headers(HEADERS)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")


def _name_of(host: str) -> str:
    """Return a host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host
