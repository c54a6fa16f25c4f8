"""The files of the page, read once and served from memory with a strong ETag (RFC 9110 §8.8.3)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import falcon

_STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """Falcon resource: one file."""

    content: bytes
    content_type: str
    etag: str

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Browsers ask each time whether it is still the same, so an upgrade shows at once."""
        resp.set_header("ETag", f'"{self.etag}"')
        resp.set_header("Cache-Control", "no-cache")
        if any(tag in {"*", self.etag} for tag in req.if_none_match or ()):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = self.content_type
        resp.data = self.content

    on_head = on_get


def page_files() -> dict[str, PageFile]:
    """Return each file by its path under /admin/; index.html is the empty one."""
    return {
        path.relative_to(_STATIC).as_posix().removesuffix("index.html"): _read(path)
        for path in sorted(_STATIC.rglob("*"))
        if path.suffix in _TYPES
    }


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:32])
