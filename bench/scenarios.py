"""What is measured: the requests of each scenario, and the figures that it has to reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench import redis_pipe
from bench.entrances import CERTIFICATE, Entrance, Question
from bench.tokens import Signer, Token

WARM_TOKENS = 1_000
_GROUPS = 100

Usual = Callable[[Signer, Entrance], Sequence[Question]]
Rare = Callable[[Signer, Entrance, int], Sequence[Question]]


@dataclass(frozen=True, slots=True)
class Goal:
    """The least ratio to the yardstick, the one hoped for, and the most processor time."""

    ratio: float
    stretch: float | None = None
    cpu_us: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Requests sent in turn (`usual`), and requests sent once each (`rare`), one in `every`.

    `way` is "nginx", "straight", or "empty" for the empty Falcon application.
    """

    name: str
    way: str
    usual: Usual | None = None
    rare: Rare | None = None
    every: int = 1
    alg: str = "ES256"
    goal: Goal | None = None

    @property
    def is_warmed(self) -> bool:
        """Whether a run ahead is needed to tell how many requests to make."""
        return self.rare is not None

    @property
    def title(self) -> str:
        ways = {"nginx": ", through nginx", "straight": ", straight", "empty": ", straight"}
        return self.name + ways.get(self.way, "")


def _health(_: Signer, entrance: Entrance) -> list[Question]:
    return [entrance.health()]


def _warm(signer: Signer, entrance: Entrance) -> list[Question]:
    return [entrance.call(token) for token in signer.sign(WARM_TOKENS)]


def _warm_bound(signer: Signer, entrance: Entrance) -> list[Question]:
    """As many tokens that are good only together with a certificate, which comes along."""
    tokens = signer.sign(WARM_TOKENS, bound_to=CERTIFICATE.thumbprint)
    return [entrance.call(token, is_bound=True) for token in tokens]


def _new(signer: Signer, entrance: Entrance, count: int) -> list[Question]:
    return [entrance.call(token) for token in signer.sign(count)]


def _warm_with_refusals(signer: Signer, entrance: Entrance) -> list[Question]:
    """Of each hundred 97 warm, one revoked, one with the wrong scope. The last one is `_new`."""
    good = signer.sign(WARM_TOKENS)
    revoked = signer.sign(_GROUPS)
    signer.revoke(revoked)
    others = signer.sign(_GROUPS, scope="bench:write")
    questions = []
    for group in range(_GROUPS):
        calls = [entrance.call(good[(group * 97 + i) % WARM_TOKENS]) for i in range(97)]
        calls.insert(33, entrance.call(revoked[group], refused=401))
        calls.insert(66, entrance.call(others[group], refused=403))
        questions += calls
    return questions


def _mint(path: str) -> Usual:
    def questions(signer: Signer, entrance: Entrance) -> list[Question]:
        grant = {"grant_type": "client_credentials"}
        client_ids = map(redis_pipe.client_id, range(signer.clients))
        return [entrance.post(path, client_id, grant) for client_id in client_ids]

    return questions


def _spend(signer: Signer, entrance: Entrance, count: int) -> list[Question]:
    tokens = signer.sign(count, is_once=True)
    signer.arm(tokens)
    return [entrance.call(token) for token in tokens]


def _revoke(signer: Signer, entrance: Entrance, count: int) -> list[Question]:
    return [_post_token("/revoke", entrance, token) for token in signer.sign(count)]


def _introspect(signer: Signer, entrance: Entrance) -> list[Question]:
    return [_post_token("/introspect", entrance, token) for token in signer.sign(WARM_TOKENS)]


def _post_token(path: str, entrance: Entrance, token: Token) -> Question:
    return entrance.post(path, token.client_id, {"token": token.text})


WARM, BOUND = "validate warm", "validate warm, certificate-bound"

NOOP = Scenario("noop", "noop", _warm)
"""The yardstick: the same nginx and includes, and a backend that lets everything pass at once."""

EMPTY = Scenario("health of an empty Falcon app", "empty", _health)

_KINDS = (
    Scenario(WARM, "", _warm, goal=Goal(0.80, 0.88, cpu_us=16)),
    Scenario(BOUND, "", _warm_bound),
    Scenario("validate mixed", "", _warm_with_refusals, _new, 100, goal=Goal(0.72)),
    Scenario("validate cold ES256", "", None, _new, goal=Goal(0.12)),
    Scenario("validate cold HS256", "", None, _new, alg="HS256", goal=Goal(0.18)),
    Scenario("mint ES256", "", _mint("/token"), goal=Goal(0.20, 0.30)),
    Scenario("mint HS256", "", _mint("/token"), alg="HS256", goal=Goal(0.28, 0.40)),
    Scenario("one-time mint", "", _mint("/ott"), goal=Goal(0.14)),
    Scenario("one-time spend", "", None, _spend, goal=Goal(0.14)),
    Scenario("revoke", "", None, _revoke, goal=Goal(0.14)),
    Scenario("introspect", "", _introspect),
    Scenario("health", "", _health),
)


def all_scenarios() -> list[Scenario]:
    """Return every scenario, through nginx and straight; the goals are for the first of these."""
    through = [replace(kind, way="nginx") for kind in _KINDS]
    straight = [replace(kind, way="straight", goal=None) for kind in _KINDS]
    return [*through, *straight, EMPTY]


def quick_scenarios() -> list[Scenario]:
    """Return those that a minute has room for: all kinds through nginx, two of them straight."""
    return [
        one
        for one in all_scenarios()
        if one.name in {WARM, "health"} or (one.way != "straight" and one.name != BOUND)
    ]
