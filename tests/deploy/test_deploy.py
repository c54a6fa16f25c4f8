"""What is shipped for deploying: run where that can be done here, else held against linters."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.service import add_key
from tests.stack import ROOT, until

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
BIN = Path(sys.executable).parent
NOT_HERE = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here"
)
MOST_EXPOSED = {"portcullis": 1.2, "portcullis-redis": 1.4, "portcullis-snapshot": 1.9}
"""As docs/deploying.md has it: systemd's own score, 0 is closed and 10 is open."""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a linter; whatever it says is shown when a test fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False
    )
    print(done.stdout, done.stderr)
    return done


@NOT_HERE
@pytest.mark.parametrize("name", ["portcullis", "portcullis-redis"])
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    """With this checkout where it expects one: unknown settings and missing programs are told."""
    unit = tmp_path / f"{name}.service"
    text = (UNITS / unit.name).read_text()
    unit.write_text(text.replace("/opt/portcullis", str(ROOT)))
    done = run("systemd-analyze", "verify", "--man=no", unit)
    told = [line for line in done.stderr.splitlines() if name in line]
    assert (0, []) == (done.returncode, told)


@NOT_HERE
@pytest.mark.parametrize(("name", "most"), MOST_EXPOSED.items())
def test_unit_is_no_more_exposed_than_stated(name: str, most: float) -> None:
    """systemd-analyze security, without a running systemd."""
    done = run("systemd-analyze", "security", "--offline=true", UNITS / f"{name}.service")
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found
    assert float(found[1]) <= most


def test_dockerfile_has_no_fault() -> None:
    """hadolint's rules, but for pinning Debian's packages, which would only age."""
    assert 0 == run(BIN / "hadolint", DEPLOY / "docker" / "Dockerfile").returncode


def test_image_runs_as_nobody_in_particular_and_holds_only_what_it_needs() -> None:
    """A user of its own by number, and no folder of the repository that is not named."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert "USER 10001:10001" in text
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" == ignored[0]
    copied = {line.split()[1] for line in text.splitlines() if re.match(r"COPY (?!--)", line)}
    assert copied <= {line[1:] for line in ignored if line.startswith("!")}


@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The folder that the image has, and its environment."""
    folder = tmp_path / "opt"
    folder.mkdir()
    for line in (DEPLOY / "docker" / "Dockerfile").read_text().splitlines():
        if match := re.fullmatch(r"COPY (app|redis|scripts|gunicorn\.conf\.py) \S+", line):
            source = ROOT / match[1]
            if source.is_dir():
                shutil.copytree(source, folder / match[1])
            else:
                shutil.copy(source, folder)
    add_key(tmp_path / "keys", "k1")
    (tmp_path / "run").mkdir()
    return folder, {
        "PATH": os.environ["PATH"],
        "RUN_DIR": str(tmp_path / "run"),
        "KEYS_DIR": str(tmp_path / "keys"),
        "METRICS_DIR": str(tmp_path / "run" / "metrics"),
        "STATE_DIR": str(tmp_path / "state"),
        "ISSUER": "https://auth.example.com",
        "REDIS_URL": "redis://127.0.0.1:1",
        "WORKERS": "1",
    }


def test_what_the_image_copies_is_enough_to_serve(image: tuple[Path, dict[str, str]]) -> None:
    """Started as its entry point does; its probe sees it live, and not ready without a Redis."""
    folder, environ = image
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app.main:application()"]
    app = subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL)

    def status(path: str) -> int:
        probe = [sys.executable, str(folder / "scripts" / "lib" / "probe"), path]
        return subprocess.run(probe, env=environ, capture_output=True, check=False).returncode

    try:
        until(lambda: status("/health/live") == 0, 60, "it serves")
        assert 1 == status("/health/ready")
    finally:
        app.terminate()
        app.wait(60)
    assert 1 == status("/health/live")


def test_compose_file_is_one() -> None:
    """By the schema of the Compose specification."""
    file = DEPLOY / "docker" / "compose.yaml"
    command = ("--builtin-schema", "vendor.compose-spec", file)
    assert 0 == run(BIN / "check-jsonschema", *command).returncode


def test_kubernetes_takes_the_manifests() -> None:
    """By the published schemas, unknown fields being errors."""
    file = DEPLOY / "kubernetes" / "portcullis.yaml"
    assert 0 == run(BIN / "kubernetes-validate", "--strict", file).returncode


def manifests() -> dict[str, dict[str, object]]:
    text = (DEPLOY / "kubernetes" / "portcullis.yaml").read_text()
    found = {}
    for one in yaml.safe_load_all(text):
        found[f"{one['kind']}/{one['metadata']['name']}"] = one
    return found


def test_pods_run_nginx_as_the_containers_do() -> None:
    """One nginx.conf for both."""
    nginx_conf: object = manifests()["ConfigMap/portcullis-nginx"]["data"]
    assert {"nginx.conf": (DEPLOY / "docker" / "nginx.conf").read_text()} == nginx_conf


def test_nginx_takes_the_containers_configuration(tmp_path: Path) -> None:
    """With a protected location in it, as the comment shows one."""
    text = (DEPLOY / "docker" / "nginx.conf").read_text()
    text = re.sub(r"(?m)^(\s+)# (location /orders|    |\})", r"\1\2", text)
    text = text.replace("http://orders:8000", "http://127.0.0.1:8000").replace(
        "/tmp/", f"{tmp_path}/"
    )
    (tmp_path / "nginx.conf").write_text(text)
    (tmp_path / "portcullis").symlink_to(ROOT / "nginx")
    done = run("nginx", "-t", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
    assert "test is successful" in done.stderr
    assert "portcullis_scope" in text


def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    """A dry run: it reads the file and finds nothing wrong."""
    copy = tmp_path / "portcullis"
    shutil.copy(DEPLOY / "logrotate" / "portcullis", copy)
    copy.chmod(0o644)
    done = run("logrotate", "--debug", "--state", tmp_path / "state", copy)
    assert 0 == done.returncode
    assert "error" not in done.stderr.lower()


def test_each_kernel_setting_has_its_reason() -> None:
    """A comment above it, and a known place under /proc/sys."""
    text = (DEPLOY / "sysctl" / "90-portcullis.conf").read_text()
    paragraphs = text.strip().split("\n\n")[1:]
    assert all(paragraph.startswith("# ") for paragraph in paragraphs)
    settings = re.findall(r"^([a-z0-9_.]+) = ", text, re.MULTILINE)
    assert 6 == len(settings)
    # A container shows what belongs to its network, and not all of the machine's.
    missing = {name for name in settings if not Path("/proc/sys", *name.split(".")).exists()}
    assert missing <= {"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_tw_reuse", "vm.swappiness"}
