"""JSON in and out of the dashboard's questions."""

import json
from typing import Any

import falcon

from app.endpoints.parameters import read_body
from app.errors import InvalidRequest


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


def show(resp: falcon.Response, document: object) -> None:
    """Answer with JSON in ASCII: what somebody's hand put into Redis need not be UTF-8."""
    resp.text = json.dumps(document, separators=(",", ":"))
