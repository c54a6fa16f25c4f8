"""An error class is its wire code: the lists of the contract, and one class for each line."""

from collections.abc import Iterator

import pytest

from app import errors
from app.errors import OAuthError, Refused

# /validate's closed list of reasons with status and error code; `ok` is no error.
REASONS = {
    "no_token": (401, None),
    "malformed": (401, "invalid_token"),
    "bad_signature": (401, "invalid_token"),
    "unknown_key": (401, "invalid_token"),
    "wrong_type": (401, "invalid_token"),
    "wrong_issuer": (401, "invalid_token"),
    "wrong_audience": (401, "invalid_token"),
    "wrong_proof": (401, "invalid_token"),
    "expired": (401, "invalid_token"),
    "not_yet_valid": (401, "invalid_token"),
    "revoked": (401, "invalid_token"),
    "spent": (401, "invalid_token"),
    "client_disabled": (401, "invalid_token"),
    "missing_scope": (403, "insufficient_scope"),
    "unknown_route": (403, "insufficient_scope"),
    "rate_limited": (429, None),
    "store_unavailable": (503, None),
    "overloaded": (503, None),
}

OAUTH_ERRORS = {
    "InvalidRequest": (400, "invalid_request"),
    "RequestTooLarge": (413, "invalid_request"),
    "InvalidClient": (401, "invalid_client"),
    "InvalidScope": (400, "invalid_scope"),
    "InvalidTarget": (400, "invalid_target"),
    "UnauthorizedClient": (400, "unauthorized_client"),
    "UnsupportedGrantType": (400, "unsupported_grant_type"),
    "TooManyRequests": (429, "temporarily_unavailable"),
    "TemporarilyUnavailable": (503, "temporarily_unavailable"),
    "StoreUnavailable": (503, "temporarily_unavailable"),
    "MintedDead": (503, "temporarily_unavailable"),
    "NoSigningKey": (503, "temporarily_unavailable"),
}


def descendants(base: type[Exception]) -> Iterator[type[Exception]]:
    for one in base.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from descendants(one)


def refusals() -> list[type[Refused]]:
    return [one for one in descendants(Refused) if issubclass(one, Refused)]


def test_each_reason_has_exactly_one_class() -> None:
    """The documented list and the tree of errors are the same list."""
    assert sorted(REASONS) == sorted(one.reason for one in refusals())


@pytest.mark.parametrize("refusal", refusals())
def test_refusal_has_the_status_and_code_of_its_reason(refusal: type[Refused]) -> None:
    """RFC 6750 §3.1, and the statuses that mean: too much, and undecided."""
    assert REASONS[refusal.reason] == (refusal.status, refusal.error)


def test_each_oauth_error_has_its_status_and_code() -> None:
    """RFC 6749 §5.2, RFC 7009 §2.2.1, RFC 8707 §2."""
    found = {
        one.__name__: (one.status, one.error)
        for one in descendants(OAuthError)
        if issubclass(one, OAuthError)
    }
    assert OAUTH_ERRORS == found


def test_invalid_client_says_the_same_whatever_was_wrong() -> None:
    """Only the way in which the client showed itself makes a difference (RFC 6749 §5.2)."""
    posted, shown = errors.InvalidClient(), errors.InvalidClient(used_header=True)
    assert str(posted) == str(shown)
    assert {} == posted.headers("r")
    assert {"WWW-Authenticate"} == set(shown.headers("r"))
    assert 'Basic realm="r"' == shown.headers("r")["WWW-Authenticate"]


def test_unavailable_store_is_worth_a_retry_and_tells_no_detail() -> None:
    """The caller learns when to come back; what Redis said stays inside."""
    unavailable = errors.StoreUnavailable("NOPERM user app cannot run get")
    assert {"Retry-After": "1"} == unavailable.headers("r")
    assert "NOPERM" not in str(unavailable)
    assert "NOPERM user app cannot run get" == unavailable.detail
