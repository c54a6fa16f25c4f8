"""scripts/doctor on the shipped configuration with one fault planted at a time."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.doctor_faults import CONF, FAULTS, SERVER, Fault
from tests.e2e.doctor_runs import doctor, found
from tests.e2e.nginx_harness import make_certificate, render
from tests.processes import free_port


def plant(run_dir: Path, fault: Fault) -> None:
    port = free_port()
    file = render(run_dir, port, free_port()) / fault.file
    old, new = (
        text.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for text in (fault.old, fault.new)
    )
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_planted_fault_is_found_at_its_line(tmp_path: Path, fault: Fault) -> None:
    """A fault gives findings of its own kind only, which name file, line and what to do."""
    plant(tmp_path, fault)
    findings = found(tmp_path)
    assert findings
    assert [] == [each for each in findings if fault.remedy not in each["remedy"]]
    assert fault.problem in findings[0]["problem"]
    lines = Path(findings[0]["place"]).read_text().splitlines()
    assert fault.marker in lines[findings[0]["line"] - 1]


INNOCENT = """
    upstream orders { server 127.0.0.1:9; }
    server {
        listen unix:<run>/one.sock;
        include portcullis-server.conf;
        if ($scheme = ftp) { return 301 https://$host$request_uri; }
        location /closed { include portcullis-protect.conf; return 403; }
        location /denied { include portcullis-protect.conf; deny all; proxy_pass http://orders; }
        location /inside {
            include portcullis-protect.conf;
            rewrite ^/inside/(.*)$ /inside/new/$1 break;
            proxy_pass http://orders;
            location /inside/own { include portcullis-protect.conf; proxy_pass http://orders; }
        }
        location /public { proxy_pass http://127.0.0.1:9; }
        location /health/ { proxy_pass http://portcullis; }
        location = /metrics { proxy_pass http://portcullis; }
        location /static { return 200 "open to {all}; # really"; }
        error_page 403 404 /sorry;
    }
    server {
        listen unix:<run>/two.sock;
        underscores_in_headers on;
        location /other { auth_request /login; proxy_pass http://127.0.0.1:9; }
        location = /login { proxy_pass http://127.0.0.1:9/auth; }
    }
    upstream demo {
"""


def test_innocent_configuration_raises_no_alarm(tmp_path: Path) -> None:
    """What only looks like a fault, or is another gateway's business, is left alone."""
    innocent = INNOCENT.replace("<run>", str(tmp_path))
    plant(tmp_path, Fault(CONF, "    upstream demo {\n", innocent, "", "", ""))
    assert [] == found(tmp_path)


def test_shipped_configuration_is_clean(tmp_path: Path) -> None:
    """The doctor has nothing to say about what ships, the examples included."""
    shutil.copy(make_certificate(tmp_path), tmp_path / "clients-ca.crt")
    names = ("tls", "mtls", "grpc", "websocket")
    tls = " ".join(f"include example-{name}.conf;" for name in names)
    plant(tmp_path, Fault(CONF, "    upstream demo {", f"{tls}\n    upstream demo {{", "", "", ""))
    for name in names:
        example = tmp_path / "nginx" / f"example-{name}.conf"
        example.write_text(example.read_text().replace("/etc/nginx/tls/", f"{tmp_path}/"))
    done = doctor(tmp_path)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "nothing found in nginx (9 protected locations)" in done.stdout


def test_text_names_place_problem_and_remedy(tmp_path: Path) -> None:
    """For people: file:line, what is wrong, and below it the remedy."""
    plant(tmp_path, FAULTS["not internal"])
    done = doctor(tmp_path)
    assert 1 == done.returncode
    assert f"{tmp_path}/nginx/{SERVER}:13: location = /_portcullis/validate answers" in done.stdout
    assert "    remedy: add `internal;`" in done.stdout
    assert "1 finding in nginx (4 protected locations)" in done.stdout


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "no nginx configuration at"),
        (["-c", "/nowhere/nginx.conf"], "no nginx configuration at /nowhere/nginx.conf"),
        (["-c", "broken.conf"], "nginx -T refuses"),
        (["--loud"], "unrecognized arguments: --loud"),
    ],
)
def test_what_cannot_be_looked_at_ends_in_2(
    tmp_path: Path, options: list[str], complaint: str
) -> None:
    """No configuration, a broken one or a bad option is one clear line and status 2."""
    (tmp_path / "broken.conf").write_text("events {} http { no_such_thing; }")
    options = [each.replace("broken", f"{tmp_path}/broken") for each in options]
    done = doctor(tmp_path, *options)
    assert (2, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    assert complaint in line
