"""What a request says, read strictly: money is no place for guesses."""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import falcon

from examples.accounts.bank import LARGEST_CENTS, Attempt
from examples.accounts.problems import KeyMissing, MalformedRequest, NoAccount, Unidentified

LONGEST_REFERENCE = 140
MOST_ENTRIES, USUAL_ENTRIES = 100, 20
_LARGEST_BODY = 16 * 1024
_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_CURSOR = re.compile(r"[0-9]{1,15}-[0-9]{1,9}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something done, and the members of the body."""

    attempt: Attempt
    members: dict[str, Any]


def caller(req: falcon.Request) -> str:
    """Return the client's id as the gateway vouches for it; nothing else says who is calling."""
    client_id = req.get_header("X-Auth-Client-Id")
    if not client_id:
        raise Unidentified
    return client_id


def account_id(text: object) -> str:
    """Return the id of an account that may exist; raise NoAccount."""
    if not isinstance(text, str) or not _ACCOUNT.fullmatch(text):
        raise NoAccount
    return text


def read_order(req: falcon.Request, *, allowed: Collection[str]) -> Order:
    """Return what a POST asks for. Its fingerprint is the meaning of the body, not its spelling."""
    client_id, key, members = caller(req), _key(req), _members(req, allowed)
    meaning = json.dumps([req.method, req.path, members], sort_keys=True)
    fingerprint = hashlib.sha256(meaning.encode()).hexdigest()
    return Order(Attempt(client_id, key, fingerprint), members)


def cents(members: dict[str, Any]) -> int:
    """Return `amount_cents`, a whole number of at least 1; raise MalformedRequest."""
    value = members.get("amount_cents")
    if type(value) is not int or not 1 <= value <= LARGEST_CENTS:
        raise MalformedRequest(f"amount_cents must be a whole number from 1 to {LARGEST_CENTS}")
    return value


def reference(members: dict[str, Any]) -> str:
    """Return the text that stands beside an entry, "" when there is none."""
    value = members.get("reference", "")
    if not isinstance(value, str) or len(value) > LONGEST_REFERENCE or not value.isprintable():
        raise MalformedRequest(
            f"reference must be text of at most {LONGEST_REFERENCE} printable characters"
        )
    return value


def page(req: falcon.Request) -> tuple[str, int]:
    """Return the cursor, "" for the newest entries, and how many entries are wanted."""
    cursor, limit = req.get_param("before") or "", req.get_param("limit") or str(USUAL_ENTRIES)
    if cursor and not _CURSOR.fullmatch(cursor):
        raise MalformedRequest("before must be the `next` of an earlier answer")
    if not re.fullmatch("[0-9]{1,3}", limit, re.ASCII) or not 1 <= int(limit) <= MOST_ENTRIES:
        raise MalformedRequest(f"limit must be a whole number from 1 to {MOST_ENTRIES}")
    return cursor, int(limit)


def _key(req: falcon.Request) -> str:
    """A structured string, in quotes, or the same without them, as most clients send it."""
    key = (req.get_header("Idempotency-Key") or "").strip(" ")
    if not key:
        raise KeyMissing
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise MalformedRequest("Idempotency-Key must be 1 to 255 printable characters")
    return key


def _members(req: falcon.Request, allowed: Collection[str]) -> dict[str, Any]:
    body = req.bounded_stream.read(_LARGEST_BODY + 1)
    if len(body) > _LARGEST_BODY:
        raise falcon.HTTPContentTooLarge(description="a body is at most 16 KiB")
    if not body:
        return {}
    if (req.content_type or "").partition(";")[0].strip().lower() != falcon.MEDIA_JSON:
        raise falcon.HTTPUnsupportedMediaType(description="the body must be application/json")
    try:
        found = json.loads(body, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not JSON, or says something twice") from error
    if not isinstance(found, dict) or not found.keys() <= set(allowed):
        raise MalformedRequest(f"the body must be an object; its members: {', '.join(allowed)}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member came twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
