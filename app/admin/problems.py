"""What the dashboard refuses, rendered like every OAuthError: status, error, description."""

from app.errors import OAuthError


class WrongHost(OAuthError):
    """The page was reached under a name that is not ours: DNS rebinding looks like that."""

    status = 421
    error = "misdirected_request"

    def __init__(self) -> None:
        super().__init__("ask for localhost, 127.0.0.1, [::1] or a name in ADMIN_HOSTS")


class ForeignPage(OAuthError):
    """Another site's page is asking."""

    status = 403
    error = "foreign_page"

    def __init__(self) -> None:
        super().__init__("only the dashboard's own page may ask")


class ReadOnly(OAuthError):
    status = 403
    error = "read_only"

    def __init__(self) -> None:
        super().__init__("ADMIN_TOKEN is not set, so nothing can be changed here")


class NotSignedIn(OAuthError):
    status = 401
    error = "not_signed_in"

    def __init__(self, text: str = "sign in with the admin token first") -> None:
        super().__init__(text)


class TooManyTries(OAuthError):
    status = 429
    error = "too_many_tries"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many wrong tries from this address; wait {retry_after_s} s")
        self.retry_after_s = retry_after_s

    def headers(self, _realm: str) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class NoSuchClient(OAuthError):
    status = 404
    error = "no_such_client"

    def __init__(self) -> None:
        super().__init__("there is no client of this id")


class CannotList(OAuthError):
    """SCAN sees one node of a cluster; half a list would be worse than none."""

    status = 501
    error = "cannot_list"

    def __init__(self) -> None:
        super().__init__("a cluster's clients cannot be listed: type the whole id of one")


class ClientExists(OAuthError):
    status = 409
    error = "client_exists"

    def __init__(self) -> None:
        super().__init__("there is a client of this id already")


class StoreRefused(OAuthError):
    """Redis denies it: the account in ADMIN_REDIS_URL may not do that, or this is a replica."""

    status = 502
    error = "store_refused"

    def __init__(self) -> None:
        super().__init__("Redis refuses the change; the app's log has its answer")
