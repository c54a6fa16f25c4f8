"""Read the challenge of a 401 (RFC 9110 §11.6.1, RFC 6750 §3)."""

import re
from collections.abc import Iterable

_WORD = re.compile(
    r"""([A-Za-z0-9!#$%&'*+.^_`|~-]+)           # a scheme, or the name of a parameter
        (?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+))?  # its value""",
    re.VERBOSE,
)


def says_invalid_token(challenges: Iterable[str]) -> bool:
    """Tell whether a Bearer challenge gives `invalid_token` as the reason.

    A 401 without it is about something else, and a new token would not help.
    """
    scheme = ""
    for name, value in _WORD.findall(", ".join(challenges)):
        if not value:
            scheme = name.lower()
        elif scheme == "bearer" and name.lower() == "error":
            return bool(value.strip('"') == "invalid_token")
    return False
