"""gunicorn for the demo upstream: one meinheld worker, its messages on stderr."""

from meinheld import server  # type: ignore[import-untyped]  # it has none


def post_worker_init(_: object) -> None:
    """Take the body of any upload that nginx lets through: it is read, and dropped."""
    server.set_max_content_length(1024 * 1024 * 1024)


workers = 1
worker_class = "meinheld.gmeinheld.MeinheldWorker"
umask = 0o117
keepalive = 75
control_socket_disable = True
