"""Falcon with one route that does nothing: what the framework and the worker cost by themselves."""

from wsgiref.types import WSGIApplication

import falcon


class _Nothing:
    def on_get(self, _req: falcon.Request, _resp: falcon.Response) -> None:
        return


def application() -> WSGIApplication:
    """Build the application; what gunicorn calls in each worker."""
    app = falcon.App()
    app.add_route("/health", _Nothing())
    return app
