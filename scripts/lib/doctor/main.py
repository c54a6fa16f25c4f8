"""The command: look everywhere, print what was found, say by the exit status whether it was."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from . import auth_location, bypasses, headers, redis_durability, secrets_at_rest, sentinels
from .finding import Finding
from .nginx_config import Directive, parse
from .places import run_dir, setting
from .protection import protected_locations

DESCRIPTION = """\
Looks for what would make the gateway let through what it should not, or lose what it must keep:
in nginx's configuration (nginx -T), in Redis, in the modes of keys, and in /health/ready.

Redis is found by REDIS_URL or REDIS_SOCKET, else by $RUN_DIR/demo.env; the gateway by OPS_URL,
else by $RUN_DIR/app.env; the keys by KEYS_DIR, else there too. RUN_DIR is `run` unless set."""
EPILOG = "Exit status: 0 nothing found, 1 findings, 2 cannot look."


class CannotLook(Exception):
    """There is nothing to look at; the text is one line for stderr."""


@dataclass
class Diagnosis:
    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def add(self, found: Iterator[Finding]) -> None:
        """One line of a shared include can be found from several locations: once is enough."""
        seen = {(each.where(), each.remedy) for each in self.findings}
        for each in found:
            if not each.line or (each.where(), each.remedy) not in seen:
                seen.add((each.where(), each.remedy))
                self.findings.append(each)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    diagnosis = Diagnosis()
    try:
        _look_at_nginx(diagnosis, _config_file(options.config))
    except CannotLook as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2
    diagnosis.add(secrets_at_rest.find())
    _look_at_redis(diagnosis)
    _look_at_gateway(diagnosis)
    (_print_json if options.json else _print_text)(diagnosis)
    return 1 if diagnosis.findings else 0


class _Parser(argparse.ArgumentParser):
    """Its complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"doctor: {message} (see --help)\n")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(
        "scripts/doctor",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "-c",
        dest="config",
        metavar="NGINX_CONF",
        help="nginx's main configuration file (default: $RUN_DIR/nginx/nginx.conf)",
    )
    return parser.parse_args(arguments)


def _config_file(given: str | None) -> Path:
    config = Path(given).absolute() if given else run_dir() / "nginx" / "nginx.conf"
    if not config.is_file():
        hint = "" if given else "; name one with -c, or start the stack with `make up`"
        raise CannotLook(f"no nginx configuration at {config}{hint}")
    return config


def _look_at_nginx(diagnosis: Diagnosis, config: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise CannotLook("nginx is not installed")
    # Not a shell: the words are nginx's own options and one path.
    dumped = subprocess.run(  # noqa: S603
        [nginx, "-T", "-q", "-c", str(config)], capture_output=True, text=True, check=False
    )
    if dumped.returncode:
        complaint = dumped.stderr.strip().splitlines() or ["no reason given"]
        raise CannotLook(f"nginx -T refuses {config}: {complaint[0]}")
    root = parse(dumped.stdout)
    _remove_empty_pid_file(root)
    for module in (bypasses, headers, auth_location):
        diagnosis.add(module.find(root))
    protected = len(protected_locations(root))
    diagnosis.checked.append(f"nginx ({protected} protected locations)")


def _remove_empty_pid_file(root: Directive) -> None:
    """`nginx -T` tries whether it may write its pid file, and leaves an empty one behind."""
    for directive in root.children("pid"):
        pid_file = Path(directive.args[0])
        if pid_file.is_file() and not pid_file.stat().st_size:
            pid_file.unlink()


def _look_at_redis(diagnosis: Diagnosis) -> None:
    url = redis_durability.url()
    if not url:
        diagnosis.not_checked.append("Redis: neither REDIS_URL nor REDIS_SOCKET is set")
    elif url == f"unix://{run_dir()}/redis.sock" and _is_down("redis"):
        diagnosis.not_checked.append(f"Redis: the stack in {run_dir()} is not running")
    else:
        diagnosis.add(sentinels.find(url))
        diagnosis.checked.append("Redis")


def _look_at_gateway(diagnosis: Diagnosis) -> None:
    url = setting("OPS_URL", "app.env").rstrip("/")
    if not url:
        diagnosis.not_checked.append("the running gateway: OPS_URL is not set")
    elif not os.environ.get("OPS_URL") and _is_down("nginx"):
        diagnosis.not_checked.append(
            f"the running gateway: the stack in {run_dir()} is not running"
        )
    else:
        diagnosis.add(_readiness(url))
        diagnosis.checked.append("the running gateway")


def _is_down(component: str) -> bool:
    """A stack that is only configured is no finding; what the environment names and is down is."""
    return not (run_dir() / f"{component}.pid").exists()


def _readiness(url: str) -> Iterator[Finding]:
    # Never by a proxy: the ops listener is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health/ready", timeout=3):
            return
    except urllib.error.HTTPError as error:
        with error:
            problem = f"it is not ready: {error.read(300).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        problem = f"it does not answer: {getattr(error, 'reason', error)}"
    yield Finding(url, 0, problem, f"curl {url}/health/ready, and the logs under {run_dir()}/log")


def _print_text(diagnosis: Diagnosis) -> None:
    for one in diagnosis.findings:
        print(f"{one.where()}: {one.problem}\n    remedy: {one.remedy}\n")
    for each in diagnosis.not_checked:
        print(f"not checked: {each}")
    count = len(diagnosis.findings)
    found = "nothing found" if not count else f"{count} finding{'s' if count > 1 else ''}"
    print(f"{found} in {', '.join(diagnosis.checked)}")


def _print_json(diagnosis: Diagnosis) -> None:
    findings = [
        {
            "place": each.place,
            "line": each.line or None,
            "problem": each.problem,
            "remedy": each.remedy,
        }
        for each in diagnosis.findings
    ]
    document = {
        "findings": findings,
        "checked": diagnosis.checked,
        "not_checked": diagnosis.not_checked,
    }
    print(json.dumps(document, indent=2))
