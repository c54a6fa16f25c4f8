"""Is the process alive, and can it decide?"""

from collections.abc import Callable, Mapping

import falcon

from app.errors import StoreUnavailable

ALIVE = b'{"status":"ok"}'
ALIVE_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(ALIVE)))]


class HealthEndpoint:
    """`GET /health` and `/health/live`: 200 while the process serves."""

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = ALIVE

    on_head = on_get


class ReadinessEndpoint:
    """`GET /health/ready`: each dependency by name; 503 when one is down.

    What is there but not at its best is named by its state and does not make the answer 503.
    """

    def __init__(
        self, pings: Mapping[str, Callable[[], None]], states: Mapping[str, Callable[[], str]]
    ) -> None:
        self._pings = pings
        self._states = states

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """A ping raises StoreUnavailable when its dependency is down."""
        states = {}
        for name, ping in self._pings.items():
            try:
                ping()
                states[name] = "ok"
            except StoreUnavailable as error:
                states[name] = error.detail
        is_ready = all(state == "ok" for state in states.values())
        states |= {name: state() for name, state in self._states.items()}
        resp.media = {"status": "ok" if is_ready else "unavailable", "dependencies": states}
        resp.status = falcon.HTTP_200 if is_ready else falcon.HTTP_503

    on_head = on_get
