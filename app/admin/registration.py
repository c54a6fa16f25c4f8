"""What a person may register, checked before anything changes. Pure.

The same bounds as scripts/lib/checks.sh; a test holds the two against each other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.clients import CLIENT_ID, LONGEST_SCOPE, LONGEST_TTL_S
from app.errors import InvalidRequest

_LONGEST_NAME = 128
_LONGEST_AUDIENCES = 1024
_FASTEST_PER_S = 1_000_000
_LONGEST_GRACE_S = 2_592_000
_DAY_S = 86_400
_WORDS = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JTI = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registration:
    """A client to be. `ttl_s` and `rate_per_s` are "" where the server's default holds."""

    client_id: str
    name: str
    scopes: str
    audiences: str
    ttl_s: str
    rate_per_s: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Registration":
        """Check every member; raise InvalidRequest that names the first problem."""
        client_id = client_id_of(_text(document, "client_id"))
        scopes = _words(document, "scopes", LONGEST_SCOPE)
        if not scopes:
            raise InvalidRequest("a client needs at least one scope")
        return cls(
            client_id=client_id,
            name=_name(_text(document, "name") or client_id),
            scopes=scopes,
            audiences=_words(document, "audiences", _LONGEST_AUDIENCES),
            ttl_s=_optional_number(document, "ttl_s", LONGEST_TTL_S),
            rate_per_s=_optional_number(document, "rate_per_s", _FASTEST_PER_S),
        )


def client_id_of(text: str) -> str:
    """Return a client id; raise InvalidRequest for what cannot be one."""
    if not CLIENT_ID.fullmatch(text):
        raise InvalidRequest(
            "a client id is 1 to 64 of A-Z a-z 0-9 . _ - with a letter or digit first"
        )
    return text


def grace_s_of(document: Mapping[str, Any]) -> int:
    """Return how long the secret until now stays good beside a new one; a day when not said."""
    return _number(document, "grace_s", 0, _LONGEST_GRACE_S, _DAY_S)


def jti_of(document: Mapping[str, Any]) -> str:
    """Return a `jti`; raise InvalidRequest for what no token of this server has."""
    jti = _text(document, "jti")
    if not _JTI.fullmatch(jti):
        raise InvalidRequest("jti is 1 to 128 of A-Z a-z 0-9 . _ -")
    return jti


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is not a string")
    return value


def _name(text: str) -> str:
    if _CONTROL.search(text) or len(text.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise InvalidRequest(f"name is at most {_LONGEST_NAME} bytes without control characters")
    return text


def _words(document: Mapping[str, Any], name: str, longest: int) -> str:
    """Return words once each, single-spaced (RFC 6749 §3.3)."""
    text = _text(document, name)
    if not _WORDS.fullmatch(text):
        raise InvalidRequest(f"{name} are printable ASCII without quotes or backslashes")
    words = " ".join(dict.fromkeys(text.split()))
    if len(words) > longest:
        raise InvalidRequest(f"{name} are longer than {longest} characters together")
    return words


def _optional_number(document: Mapping[str, Any], name: str, high: int) -> str:
    return str(_number(document, name, 1, high, 0) or "")


def _number(document: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise InvalidRequest(f"{name} is a whole number from {low} to {high}")
    return value
