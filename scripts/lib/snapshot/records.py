"""What Redis holds, as Postgres can hold it, to the byte and back. Pure."""

from __future__ import annotations

import json
import math
import re

# What a request can name, as app/clients.py and app/tokens.py have it. A key of another form was
# made by hand and means nothing to anybody.
_NAME = rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
CLIENT_ID = re.compile(_NAME)
SUBJECT = re.compile(_NAME + rb"|\*")
JTI = re.compile(rb"[A-Za-z0-9._-]{1,128}")


def to_json(fields: dict[bytes, bytes]) -> str:
    """Return a hash as JSON in ASCII. Bytes that are no UTF-8 become lone surrogates."""
    return json.dumps({_text(name): _text(value) for name, value in fields.items()})


def from_json(text: str) -> dict[bytes, bytes]:
    """Return the very hash that `to_json` was given."""
    return {_bytes(name): _bytes(value) for name, value in json.loads(text).items()}


def shown(value: bytes) -> str:
    """Return a text for people: what Postgres cannot hold as text is marked as such."""
    return value.decode("utf-8", "replace").replace("\0", "\ufffd")


def mark_s(mark: str | bytes | None) -> float:
    """Return a not-before in epoch seconds: -inf for none, inf for what app/gate.py cannot read."""
    if mark is None:
        return -math.inf
    try:
        second = float(mark)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(second) else second


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
