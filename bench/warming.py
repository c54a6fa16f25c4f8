"""Show tokens to every worker before anything is measured: load alone may spare one of them."""

import re
from collections.abc import Iterable

from bench.entrances import Question
from bench.gateway import Gateway
from tests.wire import request
from tests.workers import connections_to_workers

_BEARER = re.compile(rb"\r\nAuthorization: (Bearer [^\r]+)\r\n")


def warm(gateway: Gateway, questions: Iterable[Question]) -> None:
    """Have each worker judge each bearer token among these questions once."""
    found = (_BEARER.search(question.data) for question in questions)
    headers = {match[1].decode() for match in found if match}
    with connections_to_workers(gateway.stack) as connections:
        for connection in connections.values():
            for header in headers:
                connection.ask(request("GET", "/validate", {"Authorization": header}))
