"""JSON in and out of the dashboard's questions."""

import json
from collections.abc import Iterable
from typing import Any

import falcon

from app.endpoints.parameters import read_body
from app.errors import InvalidRequest

MOST_BYTES = 100_000
"""Of one answer. What does not fit a socket's buffer at once, 208 KB as Linux comes, meinheld may
never send the rest of."""


def read_object(req: falcon.Request) -> dict[str, Any]:
    """Return the JSON object in the body. No form: another site's page could send one unasked."""
    if (req.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("the content type must be application/json")
    try:
        document = json.loads(read_body(req).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the JSON cannot be read") from error
    if not isinstance(document, dict):
        raise InvalidRequest("the JSON is not an object")
    return document


def fitting(documents: Iterable[Any]) -> list[Any]:
    """Return as many of the first documents as fit one answer, at least one if there is any."""
    kept: list[Any] = []
    left = MOST_BYTES
    for document in documents:
        left -= len(json.dumps(document))
        if left < 0 and kept:
            break
        kept.append(document)
    return kept


def show(resp: falcon.Response, document: object) -> None:
    """Answer with JSON in ASCII: what somebody's hand put into Redis need not be UTF-8."""
    resp.text = json.dumps(document, separators=(",", ":"))
