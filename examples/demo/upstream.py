"""The demo upstream: it answers what reached it, to show what the gateway lets through."""

import json

import falcon


def echo(req: falcon.Request, resp: falcon.Response, **_: object) -> None:
    """Answer any method on any path with the method, the path and every header received."""
    received = {
        "method": req.method,
        "path": req.path,
        "headers": {name.lower(): value for name, value in sorted(req.headers.items())},
    }
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(received) + "\n"


def application() -> falcon.App[falcon.Request, falcon.Response]:
    """Build the WSGI application."""
    app = falcon.App()
    app.add_sink(echo)
    return app
