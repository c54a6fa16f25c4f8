"""Request targets that try to look like another path, and a bare nginx to say what they are."""

import itertools
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stack import until
from tests.wire import pipeline, request

_ATOMS = (
    *(b"/ // /. /./ /.. /../ /... . .. \\ %5c %5C".split()),
    *(b"%2e %2E %2e%2e %2f %2F %2e%2f /%2e%2e/ /.%2e/ %2f..%2f /%2e".split()),
    *(b"a A b ab %61 %41 %62 a/b a%2fb a/../a b/.. ; ;x=1 %3b a;/../b".split()),
    *(b"%25 %2561 %252e %252f %252e%252e%252f %u0061 % %2 %g1 %-1".split()),
    *(b"# %23 ? %3f %3F ?/../a #/../a ?a=//../ & = + * : @ ~ | < > \" ' , $ {a}".split()),
    *(b"%00 %0d%0a %0a %09 %20 %1f %7f %80 %ff %c0%ae %c0%af".split()),
    "é".encode(),
    b"%c3%a9",
    b"%C3",
    b"%A9",
    b"\xff",
    b"\xc0\xae",
    b"\x7f",
    b"\x01",
    b"\t",
)


def targets(prefix: bytes, count: int) -> list[bytes]:
    """Return `count` targets: every pair of tricks, then longer ones, the same in every run."""
    pairs = [prefix + b"".join(pair) for pair in itertools.product(_ATOMS, repeat=2)]
    chance = random.Random(9110)
    singles = [prefix + atom for atom in _ATOMS] + [atom + prefix for atom in _ATOMS]
    absolute = [b"http://h" + prefix + atom for atom in _ATOMS]
    absolute += [b"http://h", b"http://h/", b"http://h?/a", b"http://h:1//a", b"HTTP://h/a", b"*"]
    kept = singles + absolute + chance.sample(pairs, min(len(pairs), count // 2))
    while len(kept) < count:
        kept.append(prefix + b"".join(chance.choices(_ATOMS, k=chance.randrange(3, 9))))
    return kept


@dataclass(frozen=True, slots=True)
class Seen:
    """What nginx makes of one target: the location it chose, $request_uri and $uri."""

    location: str
    request_uri: bytes
    uri: bytes


class Probe:
    """A bare nginx with prefix locations, each of which says what it was asked for."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    def see(self, raw_targets: Sequence[bytes]) -> list[Seen | None]:
        """Return what nginx makes of each target, None where it answers 400."""
        answers = pipeline(self._socket, [request("GET", target) for target in raw_targets])
        seen: list[Seen | None] = []
        for answer in answers:
            assert answer.status in {200, 400}
            location, _, rest = answer.body.partition(b"\n")
            request_uri, _, uri = rest.partition(b"\n")
            is_seen = answer.status == 200
            seen.append(Seen(location.decode(), request_uri, uri) if is_seen else None)
        return seen


@contextmanager
def probe(folder: Path, locations: Sequence[str]) -> Iterator[Probe]:
    """Run a bare nginx with these prefix locations, beside `/`."""
    blocks = "".join(
        f'location {_quoted(one)} {{ return 200 "{number}\\n$request_uri\\n$uri"; }}\n'
        for number, one in enumerate(locations)
    )
    temporary = "".join(
        f"{kind}_temp_path {folder};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;\n"
        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; {temporary}"
        f"keepalive_requests 100000;\nserver {{ listen unix:{folder}/sock;\n{blocks}"
        '        location / { return 200 "\\n$request_uri\\n$uri"; } } }\n'
    )
    command = ["nginx", "-e", f"{folder}/error.log", "-p", str(folder), "-c", "nginx.conf"]
    process = subprocess.Popen(command)
    try:
        until((folder / "pid").exists, what="nginx starts")
        yield Probe(folder / "sock")
    finally:
        process.terminate()
        process.wait(60)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
