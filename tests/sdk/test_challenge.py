"""Which 401 a new token may heal."""

import pytest

from portcullis_client.challenge import says_invalid_token


@pytest.mark.parametrize(
    ("challenges", "says"),
    [
        (['Bearer realm="portcullis", error="invalid_token"'], True),
        (["bearer error=invalid_token"], True),
        (['BEARER ERROR = "invalid_token"'], True),
        (['Bearer error="invalid_token", error_description="it, has \\" ended"'], True),
        (['Basic realm="a, b"', 'Bearer error="invalid_token"'], True),
        (['Basic realm="a", Bearer realm="b", error="invalid_token"'], True),
        (["Negotiate abc==", 'Bearer error="invalid_token"'], True),
        (['Bearer realm="portcullis"'], False),
        (["Bearer"], False),
        ([""], False),
        ([], False),
        (['Bearer error="insufficient_scope"'], False),
        (['Bearer error="invalid_token_of_another_kind"'], False),
        (['Bearer realm="error=invalid_token"'], False),
        (['Bearer realm="\\"", error="invalid_request"'], False),
        (['DPoP error="invalid_token"'], False),
        (['Bearer realm="x", DPoP error="invalid_token"'], False),
    ],
)
def test_invalid_token_is_found_in_a_bearer_challenge_only(
    challenges: list[str], says: bool
) -> None:
    """Not in another scheme's, nor in the text of another parameter."""
    assert says == says_invalid_token(challenges)
