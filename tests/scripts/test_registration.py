"""The dashboard and scripts/client let the same registrations in, and store the same."""

from typing import Any

import pytest

from app.admin.registration import Registration
from app.errors import InvalidRequest
from tests.scripts.ops import Ops

CASES: list[dict[str, Any]] = [
    {},
    {"client_id": "a" * 64},
    {"client_id": "a" * 65},
    {"client_id": "0._-"},
    {"client_id": ".a"},
    {"client_id": "a b"},
    {"name": "n" * 128},
    {"name": "n" * 129},
    {"name": "\u00e9" * 64},
    {"name": "\u00e9" * 65},
    {"name": "a\u2028b"},
    {"name": "a\u0085b"},
    {"name": "\U0001f512 lock"},
    {"scopes": "b a b"},
    {"scopes": "a" * 2048},
    {"scopes": "a" * 2049},
    {"scopes": " "},
    {"scopes": 'a"b'},
    {"scopes": "a\tb"},
    {"audiences": "u v u"},
    {"audiences": "u" * 1024},
    {"audiences": "u" * 1025},
    {"ttl_s": 86_400},
    {"ttl_s": 86_401},
    {"ttl_s": 0},
    {"rate_per_s": 1_000_000},
    {"rate_per_s": 1_000_001},
]


def by_page(document: dict[str, Any]) -> dict[str, str] | None:
    """What the dashboard would store, None where it refuses."""
    try:
        new = Registration.from_document(document)
    except InvalidRequest:
        return None
    names = ("name", "scopes", "audiences", "ttl_s", "rate_per_s")
    return {name: getattr(new, name) for name in names}


def by_script(ops: Ops, document: dict[str, Any]) -> dict[str, str] | None:
    """What the script has stored, None where it refuses."""
    flags = [f"--{key.replace('_', '-')}={document[key]}" for key in document if key != "client_id"]
    done = ops.run("client", "create", document["client_id"], *flags)
    assert done.returncode in {0, 2}, done.stderr
    if done.returncode:
        return None
    stored = ops.redis.hgetall(f"client:{document['client_id']}")
    names = ("name", "scopes", "audiences", "ttl_s", "rate_per_s")
    return {name: stored[name.encode()].decode() for name in names}


@pytest.mark.parametrize("changes", CASES, ids=lambda changes: repr(changes)[:40])
def test_page_and_script_agree(ops: Ops, changes: dict[str, Any]) -> None:
    """Each bound has a case on either side of it."""
    document = {"client_id": "new", "scopes": "a", **changes}
    assert by_script(ops, document) == by_page(document)
