"""One token for many callers, and one request for it however many of them wait."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future

from portcullis_client.errors import TokenEndpointUnreachable
from portcullis_client.patience import Patience, raised_again
from portcullis_client.token import Token


class SingleFlight:
    """Keeps a token and has it minted again before it ends.

    The request flies in a thread of the pool, whoever asked for it: no caller's event loop,
    cancellation or Ctrl-C can take it away from the others.
    """

    def __init__(
        self,
        mint: Callable[[], Token],
        patience: Patience,
        pool: Executor,
        clock: Callable[[], float],
        token: Token | None,
    ) -> None:
        self.held = token
        self._mint = mint
        self._patience = patience
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._flight: Future[Token] | None = None
        self._overdue_at = 0.0

    def token(self, timeout_s: float) -> Token:
        """Return the token, at once if it is good, or the next one; raise TokenError."""
        found = self._take(timeout_s)
        if isinstance(found, Token):
            return found
        with contextlib.suppress(TimeoutError):
            found.exception(timeout_s)
        return _outcome(found)

    async def token_async(self, timeout_s: float) -> Token:
        """The same, without keeping the event loop waiting."""
        found = self._take(timeout_s)
        if isinstance(found, Token):
            return found
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_landing(found), timeout_s)
        return _outcome(found)

    def discard(self, token: Token) -> bool:
        """Hand this very token out no more; False when too many went that way lately."""
        with self._lock:
            if token == self.held:
                if not self._patience.may_replace(self._clock()):
                    return False
                self.held = None
        return True

    def _take(self, timeout_s: float) -> Token | Future[Token]:
        with self._lock:
            now = self._clock()
            token = self.held if self.held and now < self.held.expires_at else None
            if token and now < token.renew_at:
                return token
            if self._flight and now < self._overdue_at:
                return token or self._flight
            if trouble := self._patience.trouble(now):
                if token:
                    return token
                raise trouble
            flight = self._flight = Future()
            self._overdue_at = now + 2 * timeout_s
        try:
            self._pool.submit(self._fly, flight)
        except RuntimeError:  # the interpreter is ending, and starts no more threads
            self._fly(flight)
        return token or flight

    def _fly(self, flight: Future[Token]) -> None:
        try:
            token = self._mint()
        except BaseException as error:
            self._land(flight, None)
            flight.set_exception(error)
        else:
            self._land(flight, token)
            flight.set_result(token)

    def _land(self, flight: Future[Token], token: Token | None) -> None:
        with self._lock:
            self.held = token or self.held
            if self._flight is flight:
                self._flight = None


async def _landing(flight: Future[Token]) -> None:
    """Wait until it has an outcome. A caller that goes away leaves it flying."""
    loop = asyncio.get_running_loop()
    landed = asyncio.Event()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(landed.set)

    flight.add_done_callback(tell)
    await landed.wait()


def _outcome(flight: Future[Token]) -> Token:
    if not flight.done():
        raise TokenEndpointUnreachable("no token in time")
    if error := flight.exception():
        raise raised_again(error)
    return flight.result()
