"""Read the parameters of an OAuth request: a form or a JSON object (RFC 6749 §3.2, appendix B)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import falcon

from app.errors import InvalidRequest, RequestTooLarge

LONGEST_BODY = 16 * 1024
"""Bytes."""

_MOST_FIELDS = 100
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_KNOWN = {
    *("grant_type", "client_id", "client_secret", "scope", "resource"),
    *("client_assertion", "client_assertion_type"),
    *("token", "token_type_hint"),
    *("method", "path", "scopes", "audience"),
}
_BODY_ONLY = {"client_id", "client_secret", "client_assertion", "token", "grant_type"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that were sent and are not empty. Only `resource` may come repeatedly."""

    fields: dict[str, str]
    resources: tuple[str, ...]

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    def require(self, name: str) -> str:
        """Return a parameter; raise InvalidRequest when it is absent or empty."""
        value = self.fields.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is required")
        return value


def read_parameters(req: falcon.Request, *, may_have_none: bool = False) -> Parameters:
    """Return the body's parameters; raise InvalidRequest or RequestTooLarge.

    With `may_have_none` the type of an empty body does not matter: many HTTP libraries name one.
    """
    if req.query_string:
        in_uri = {name for name, _ in parse_qsl(req.query_string, keep_blank_values=True)}
        if not _BODY_ONLY.isdisjoint(in_uri):
            raise InvalidRequest("parameters belong in the body, not in the URI")
    body = read_body(req)
    if may_have_none and not body:
        return Parameters({}, ())
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    if media_type == _FORM:
        return _collect(_form_pairs(body))
    if media_type == _JSON:
        return _collect(_json_pairs(body))
    if not body and not media_type:
        return Parameters({}, ())
    raise InvalidRequest(f"the content type must be {_FORM} or {_JSON}")


def read_body(req: falcon.Request) -> bytes:
    """Return the whole body; raise InvalidRequest or RequestTooLarge."""
    if (req.content_length or 0) > LONGEST_BODY:
        raise RequestTooLarge(f"the body is longer than {LONGEST_BODY} bytes")
    body: bytes = req.bounded_stream.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        raise RequestTooLarge(f"the body is longer than {LONGEST_BODY} bytes")
    if req.content_length and len(body) < req.content_length:
        raise InvalidRequest("the body is shorter than its Content-Length")
    return body


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise InvalidRequest("the form cannot be read") from error


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the JSON cannot be read") from error
    if not isinstance(document, _Object):
        raise InvalidRequest("the JSON is not an object")
    if len({name for name, _ in document.pairs}) < len(document.pairs):
        raise InvalidRequest("a member is repeated")
    pairs = []
    for name, value in document.pairs:
        if name in _KNOWN and value is not None:
            values = value if name == "resource" and isinstance(value, list) else [value]
            if not all(isinstance(one, str) for one in values):
                raise InvalidRequest(f"{name} is not a string")
            pairs += [(name, one) for one in values]
    return pairs


class _Object:
    """A JSON object with its members as they were written, so that repeats can be seen."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _collect(pairs: Iterable[tuple[str, str]]) -> Parameters:
    fields: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs:
        if name == "resource":
            resources.append(value)
        elif name in fields:
            raise InvalidRequest("a parameter is repeated")
        else:
            fields[name] = value
    return Parameters(
        {name: value for name, value in fields.items() if value},
        tuple(value for value in resources if value),
    )
