"""Audit entries: who did what, when, from where. A token or a secret is never one of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as nginx tells it."""

    address: str
    request_id: str


def entry(
    event: str, origin: Origin, *, client_id: str, jti: str, detail: str = ""
) -> dict[str, str]:
    """Return the fields of one entry in the `audit` stream; its time is the stream's own."""
    fields = {
        "event": event,
        "who": client_id,
        "client_id": client_id,
        "jti": jti,
        "detail": detail,
        "from": origin.address,
        "request_id": origin.request_id,
    }
    return {name: value for name, value in fields.items() if value}
