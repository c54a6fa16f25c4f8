"""scripts/client: clients whose tokens are bound by DPoP (RFC 9449 §5.2)."""

from app.clients import Client
from tests.scripts.ops import Ops


def test_dpop_is_required_as_ops_say(ops: Ops) -> None:
    """From the creation on, and changed later; the app reads what the script writes."""
    ops.create("orders", "a", "--dpop-bound", "true")
    assert Client.from_fields("orders", ops.client()).is_dpop_bound
    assert "dpop_bound_access_tokens" in ops.done("client", "show", "orders")
    ops.done("client", "set", "orders", "--dpop-bound", "false")
    assert not Client.from_fields("orders", ops.client()).is_dpop_bound
    ops.create("plain", "a")
    assert not Client.from_fields("plain", ops.client("plain")).is_dpop_bound


def test_anything_but_true_and_false_is_refused(ops: Ops) -> None:
    """And nothing is made or changed."""
    refused = ops.refusal("client", "create", "orders", "--scopes", "a", "--dpop-bound", "yes")
    assert "--dpop-bound must be true or false" in refused
