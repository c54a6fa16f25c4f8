"""gunicorn for the app: meinheld workers on one unix socket, JSON lines on stderr.

Read by `make up` and by production alike. Environment: RUN_DIR, APP_SOCKET, WORKERS, LOG_LEVEL.
"""

import os
import resource
import signal
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker
from meinheld import server
from meinheld.gmeinheld import MeinheldWorker

from app import parting

_RUN_DIR = os.environ.get("RUN_DIR") or "run"
_LOG_LEVEL = os.environ.get("LOG_LEVEL") or "INFO"
_MAX_BODY_BYTES = 1024 * 1024
_MAX_FD = 16384
_LINGER_S = 1
_HANG_UP_AFTER_S = 2
_LEAVE_WITHIN_S = 5
_RELIEF_WITHIN_S = 20


class _Logger(Logger):
    """gunicorn's logger with an `error` that meinheld cannot replace.

    meinheld's worker writes its own three-argument `error` over the one of gunicorn's class, in the
    arbiter too: a worker that is killed then takes the arbiter, and so the whole service, with it.
    """

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log as gunicorn does, and exceptions as meinheld has them: type, value, traceback."""
        if isinstance(msg, type) and issubclass(msg, BaseException):
            self.error_log.error("uncaught exception", exc_info=_exc_info(msg, *args))
        else:
            self.error_log.error(msg, *args, **kwargs)


def _exc_info(
    kind: type[BaseException], value: object, trace: TracebackType | None
) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    return kind, value if isinstance(value, BaseException) else kind(value), trace


class _Worker(MeinheldWorker):  # type: ignore[misc]
    """meinheld's worker, which leaves without hanging up on anybody.

    meinheld's own takes SIGTERM for itself and ends within a second, whatever has just arrived on
    its connections. At a reload all workers end at once, so nginx' second try met the same fate.
    """

    def run(self) -> None:
        """Serve; then leave at once, because nobody reads any more what still arrives."""
        server.schedule_call(0, self._begin)
        # meinheld accepts eight connections a round from each listener. Under load a round takes
        # long, and who is not accepted cannot even be turned away: so it listens eight times over.
        self.sockets += [one.sock.dup() for one in self.sockets for _ in range(7)]
        super().run()
        self.wsgi.close()
        os._exit(0)

    def _begin(self) -> None:
        """Take SIGTERM back, now that the loop runs and has set its own; and say that it runs."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        parting.say_serving()
        self._tick()

    def _tick(self) -> None:
        """Run some Python each second: without it an idle worker would never heed a signal.

        And what an idle worker has heard and counted stays fresh.
        """
        if self.alive:
            try:
                server.schedule_call(1, self._tick)
            except (OSError, SystemError):
                # A request for another protocol leaves meinheld's error to whoever comes next.
                server.schedule_call(1, self._tick)
            self.wsgi.tick()

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Go on until those who take over serve, then make for the door.

        An arbiter that finds its worker slow to leave says so again each second. Heard twice,
        meinheld would count its listeners off twice, and think that nobody is connected any more.
        """
        if self.alive:
            self.alive = False
            self._leave_by_s = time.monotonic() + _RELIEF_WITHIN_S
            server.schedule_call(_LINGER_S, self._leave)

    def _leave(self) -> None:
        """Accept nothing more, close each connection after its next answer, then end."""
        if parting.is_relief_coming() and time.monotonic() < self._leave_by_s:
            server.schedule_call(_LINGER_S, self._leave)
            self.wsgi.tick()
            return
        server.set_keepalive(0)
        server.stop(_LEAVE_WITHIN_S)
        with suppress(OSError):
            parting.stop_listening([one.fileno() for one in self.sockets])
        address = self.sockets[0].getsockname()
        if parting.is_reachable(address) and parting.is_anybody_there(address):
            server.schedule_call(_HANG_UP_AFTER_S, parting.hang_up, address)
        else:
            parting.hang_up(address)


def post_worker_init(_: Worker) -> None:
    """Bound what meinheld reads of a body: the app refuses over 16 KiB, with a proper answer."""
    server.set_max_content_length(_MAX_BODY_BYTES)


def _raise_fd_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FD if hard == resource.RLIM_INFINITY else min(_MAX_FD, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


_raise_fd_limit()

bind = "unix:" + (os.environ.get("APP_SOCKET") or f"{_RUN_DIR}/app.sock")
# The socket is for its owner and its group: in production that group is nginx's.
umask = 0o117
workers = int(os.environ.get("WORKERS") or len(os.sched_getaffinity(0)))
worker_class = _Worker
# No preload_app: a reload takes up new code; an arbiter that had the old one would pass it on.
# No max_requests: meinheld counts none, a new worker begins with an empty memory, and an old one
# does not grow (the soak in bench/).
# meinheld's table of connections: a descriptor past its end would never be read.
worker_connections = _MAX_FD
# Longer than nginx keeps an idle upstream connection (60 s): nginx closes first, so it never sends
# a request into a connection that is just being closed.
keepalive = 75
# Seconds without a sign of life until the arbiter replaces a worker.
timeout = 30
graceful_timeout = 10
# The heartbeat is a chmod each second: not worth a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn unlinks it at once
# It would be in the user's home, where two stacks collide.
control_socket_disable = True

logger_class = _Logger
# nginx writes the access log; here one would cost more than the answer.
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(levelname)s %(name)s %(process)d %(message)s",
            "rename_fields": {"levelname": "level", "name": "logger", "process": "pid"},
            "timestamp": "time",
        }
    },
    "filters": {
        "request": {"()": "app.logs.RequestFields"},
        "flood": {"()": "app.logs.FewOfEach"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["flood", "request"],
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"level": _LOG_LEVEL, "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"handlers": [], "propagate": False},
    },
}
