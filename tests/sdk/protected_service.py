"""A service behind a gateway, in memory: it accepts some tokens and refuses the rest."""

import httpx

CHALLENGE = 'Bearer realm="portcullis", error="invalid_token"'


class ProtectedService:
    """Refuses what is in `refused`, or everything with `refuses_all`."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.refuses_all = False
        self.challenge = CHALLENGE
        self.seen: list[tuple[str, bytes]] = []
        """Token and body of each request."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append((token, body))
        if self.refuses_all or token in self.refused:
            return httpx.Response(401, headers={"WWW-Authenticate": self.challenge})
        return httpx.Response(200, json={"token": token})

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """The same for an asynchronous client."""
        await request.aread()
        return self(request)

    @property
    def tokens(self) -> list[str]:
        return [token for token, _ in self.seen]
