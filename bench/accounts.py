"""A real upstream, protected and unprotected: the accounts example at 500 connections."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import load, redis_pipe
from bench.entrances import Question
from bench.front import Nginx
from bench.gateway import cpu_s
from bench.load import Outcome, RanOut, Requests, write_requests
from bench.results import Spread
from bench.testbed import Testbed
from bench.tokens import Token
from bench.warming import warm
from tests.accounts_stack import AccountsStack
from tests.stack import free_port
from tests.wire import request

CONNECTIONS = 500
_TOKENS = 1_000
_OPENING_CENTS = 1_000_000
_FIRST_GUESS_PER_S = 8_000
_SPARE = 1.6
_TRIES = 3
_TIMEOUT_S = 10
_RUN_IN_S = 3
_OPERATIONS = ("balance", "deposit")
_WAYS = ("protected", "unprotected")
_SERVERS = """
    include portcullis-http.conf;
    upstream accounts {{ server unix:{socket}; keepalive 512; }}
    proxy_http_version 1.1;
    server {{
        listen 127.0.0.1:{protected};
        include portcullis-server.conf;
        location /accounts {{
            set $portcullis_scope "bench:read";
            include portcullis-protect.conf;
            proxy_pass http://accounts;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen 127.0.0.1:{unprotected};
        location /accounts {{
            proxy_pass http://accounts;
            proxy_set_header Connection "";
            proxy_set_header Authorization "";
            proxy_set_header X-Auth-Client-Id $http_x_bench_client;
        }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long each of the four is run."""

    rounds: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk saw, and the processor time of nginx, the app, the service and its Redis."""

    outcome: Outcome
    cpu_us: float


class _AccountsFront(Nginx):
    """One nginx with one worker: the same upstream on two ports, with the include and without."""

    def __init__(self, folder: Path, shipped: Path, socket: Path) -> None:
        self.ports = {way: free_port() for way in _WAYS}
        folder.mkdir(parents=True)
        for path in shipped.glob("portcullis-*.conf"):
            (folder / path.name).write_text(path.read_text())
        super().__init__(folder, _SERVERS.format(socket=socket, **self.ports))


@dataclass
class _Course:
    """One operation, one way in; `per_s` is how fast it went the last time."""

    operation: str
    port: int
    usual: Requests
    per_s: float = _FIRST_GUESS_PER_S


class _Measuring:
    def __init__(
        self, folder: Path, front: _AccountsFront, tokens: list[Token], processes: list[int]
    ) -> None:
        self._folder = folder
        self._tokens = tokens
        self._processes = processes
        self._files = 0
        self.courses = {
            (operation, way): self._prepare(operation, front.ports[way])
            for operation in _OPERATIONS
            for way in _WAYS
        }

    def run(self, operation: str, way: str, seconds: int) -> Run:
        """Put one course under load. What can be sent only once is made anew each time."""
        course = self.courses[operation, way]
        for _ in range(_TRIES):
            requests = course.usual
            if operation == "deposit":
                count = int(course.per_s * seconds * _SPARE) + 2 * CONNECTIONS
                requests = Requests(rare=self._write(self._deposits(count)), every=1)
            try:
                before_s = cpu_s(self._processes)
                outcome = load.run(
                    course.port,
                    requests,
                    seconds=seconds,
                    connections=CONNECTIONS,
                    timeout_s=_TIMEOUT_S,
                )
                used_s = cpu_s(self._processes) - before_s
            except RanOut:
                course.per_s *= 2
                continue
            finally:
                if requests.rare:
                    requests.rare.unlink()
            course.per_s = outcome.requests_per_s
            return Run(outcome, used_s / outcome.requests * 1e6)
        raise RuntimeError(f"{operation}, {way}: faster than requests can be made")

    def _prepare(self, operation: str, port: int) -> _Course:
        if operation == "deposit":
            load.probe(port, list(self._deposits(1)))
            return _Course(operation, port, Requests())
        questions = [
            Question(
                200,
                request("GET", f"/accounts/{_account(one.client_id)}", _named(one), token=one.text),
            )
            for one in self._tokens
        ]
        load.probe(port, questions)
        return _Course(operation, port, Requests(self._write(questions)))

    def _deposits(self, count: int) -> Iterator[Question]:
        run = uuid4().hex
        for number in range(count):
            token = self._tokens[number % len(self._tokens)]
            headers = {
                **_named(token),
                "Idempotency-Key": f"{run}-{number}",
                "Content-Type": "application/json",
            }
            path = f"/accounts/{_account(token.client_id)}/deposits"
            body = b'{"amount_cents": 1}'
            yield Question(201, request("POST", path, headers, body, token=token.text))

    def _write(self, questions: Iterable[Question]) -> Path:
        self._files += 1
        return write_requests(self._folder / f"accounts-{self._files}", list(questions))


def measure(testbed: Testbed, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Return throughput and latency of each operation both ways, and the ratio round by round."""
    gateway, signer = testbed.gateway("ES256"), testbed.signer("ES256")
    accounts = AccountsStack(gateway.stack)
    testbed.callback(accounts.stop)
    accounts.start()
    tokens = signer.sign(_TOKENS)
    _open_accounts(accounts.run_dir / "redis.sock", {token.client_id for token in tokens})
    front = testbed.enter_context(
        _AccountsFront(
            gateway.run_dir / "bench-accounts",
            gateway.run_dir / "nginx",
            accounts.run_dir / "app.sock",
        )
    )
    processes = [front.worker, *gateway.workers, *accounts.workers(), accounts.pid("redis")]
    warm(gateway, map(_balance, tokens))
    measuring = _Measuring(testbed.folder, front, tokens, processes)
    runs: dict[tuple[str, str], list[Run]] = {one: [] for one in measuring.courses}
    for operation, way in runs:
        say(f"accounts, warm-up: {operation}, {way}")
        measuring.run(operation, way, _RUN_IN_S)
    for number in range(plan.rounds):
        say(f"accounts, round {number + 1} of {plan.rounds}")
        for one, found in runs.items():
            found.append(measuring.run(*one, plan.seconds))
    if accounts.sum() != 0:
        raise load.WrongAnswer("the balances do not add up")
    return {
        "connections": CONNECTIONS,
        "workers": len(accounts.workers()),
        **{operation: _figures(operation, runs) for operation in _OPERATIONS},
    }


def _figures(operation: str, runs: dict[tuple[str, str], list[Run]]) -> dict[str, Any]:
    ways = {way: _spreads(runs[operation, way]) for way in _WAYS}
    pairs = zip(*(runs[operation, way] for way in _WAYS), strict=True)
    ratios = [one.outcome.requests_per_s / other.outcome.requests_per_s for one, other in pairs]
    return {**ways, "ratio": asdict(Spread.of(ratios))}


def _spreads(runs: list[Run]) -> dict[str, Any]:
    found = {
        "requests_per_s": [run.outcome.requests_per_s for run in runs],
        "p50_ms": [run.outcome.p50_ms for run in runs],
        "p99_ms": [run.outcome.p99_ms for run in runs],
        "cpu_us": [run.cpu_us for run in runs],
    }
    return {name: asdict(Spread.of(values)) for name, values in found.items()}


def _open_accounts(socket: Path, client_ids: set[str]) -> None:
    """One account for each client, with money that the world outside owes."""
    commands: list[redis_pipe.Command] = [
        ("HSET", f"{{bank}}:account:{_account(one)}", "owner", one, "balance", _OPENING_CENTS)
        for one in client_ids
    ]
    owed = -_OPENING_CENTS * len(client_ids)
    redis_pipe.write(socket, [*commands, ("HSET", "{bank}:account:outside", "balance", owed)])


def _balance(token: Token) -> Question:
    path = f"/accounts/{_account(token.client_id)}"
    return Question(200, request("GET", path, _named(token), token=token.text))


def _account(client_id: str) -> str:
    return client_id.ljust(22, "_")


def _named(token: Token) -> dict[str, str]:
    """What stands in for the gateway's word where there is no gateway; sent both ways alike."""
    return {"X-Bench-Client": token.client_id}
