"""The house itself: who may import whom, and that nothing in it has grown too long."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APP = ROOT / "app"
FILES = {".".join(path.relative_to(APP).with_suffix("").parts): path for path in APP.rglob("*.py")}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}

PURE = {
    "errors",
    "config",
    "tokens",
    "keys",
    "clients",
    "routes",
    "gate",
    "audit",
    "topology",
    "trail",
    "confirmation",
    *("dpop", "dpop_errors", "htu", "nonces", "proof_key"),
    "methods",
    "certificates",
    "key_sets",
    "assertions",
    "fetching",
}
PURE |= {f"admin.{name}" for name in ("history", "problems", "registration", "session")}
PURE |= {"overload", "wrong_secrets", "counters", "names", "metrics", "meter"}
LONGEST_FILE, LONGEST_FUNCTION = 250, 40
VAGUE = re.compile(r"util|manager|helper|handler|(?<!un)authoriz", re.IGNORECASE)


def imported(name: str) -> set[str]:
    """Return the modules that a module imports, those of the app by their name inside it."""
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            inner = {f"{base}.{alias.name}" for alias in node.names}
            known = {one for one in inner if one.removeprefix("app.") in FILES}
            found |= known or {base}
    return {one.removeprefix("app.") for one in found}


def of_the_app(name: str) -> set[str]:
    return imported(name) & set(FILES)


def roots(name: str) -> set[str]:
    return {one.split(".")[0] for one in imported(name)}


def is_endpoint(name: str) -> bool:
    return name.startswith("endpoints")


def is_admin(name: str) -> bool:
    return name.startswith("admin")


def is_web(name: str) -> bool:
    """Tell whether a module stands where requests come in."""
    return is_endpoint(name) or is_admin(name) or name == "service"


MODULES = sorted(FILES)


@pytest.mark.parametrize("name", MODULES)
def test_import_goes_down_the_house_only(name: str) -> None:
    """main; service, admin, endpoints; the rooms below; errors. Who wires has the config."""
    found = of_the_app(name)
    assert "main" not in found
    assert "config" not in found or name in {"main", "connections"}
    if name != "main":
        assert is_web(name) or not any(is_endpoint(one) for one in found)
        assert is_admin(name) or not any(is_admin(one) for one in found)
    if name == "errors":
        assert set() == found


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_module_knows_neither_web_nor_store(name: str) -> None:
    """What decides can be tried with values alone."""
    assert not {"falcon", "redis", "fakeredis", "gunicorn", "meinheld"} & roots(name)
    assert not {"store", "rendering"} & of_the_app(name)


@pytest.mark.parametrize("name", MODULES)
def test_redis_is_known_to_the_dial_alone(name: str) -> None:
    """One user of redis-py, so one place where its errors become ours."""
    assert ("redis" in roots(name)) == (name in {"dial", "slots"})


@pytest.mark.parametrize("name", MODULES)
def test_tracing_is_known_to_one_module(name: str) -> None:
    """Its library is an extra: nobody else may need it."""
    assert ("opentelemetry" in roots(name)) == (name == "tracing")


@pytest.mark.parametrize("name", MODULES)
def test_postgres_is_never_on_a_requests_path(name: str) -> None:
    """Only snapshot and restore know it."""
    assert not {"psycopg", "psycopg2", "asyncpg", "sqlalchemy"} & roots(name)


def test_imports_have_no_cycle() -> None:
    """Modules can be put in an order in which each one knows only earlier ones."""
    waiting = {name: of_the_app(name) - {name} for name in FILES}
    while waiting:
        ready = {name for name, needs in waiting.items() if not needs & set(waiting)}
        assert ready, f"a cycle among {sorted(waiting)}"
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}


@pytest.mark.parametrize("name", MODULES)
def test_file_and_its_functions_are_short(name: str) -> None:
    """A file is a screen or three, a function is one thought."""
    assert len(FILES[name].read_text("utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("name", MODULES)
def test_module_says_what_it_is(name: str) -> None:
    """Each module begins with a docstring."""
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", MODULES)
def test_names_say_something(name: str) -> None:
    """No utils, manager, helper or handler; and `authorize` belongs to RFC 6749 §3.1."""
    defined = [name] + [
        node.name
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    for one in defined:
        assert not VAGUE.search(one), one


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_hung_onto_a_request(name: str) -> None:
    """What a step needs comes as an argument, and what it leaves is its result."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            assert not (isinstance(node.value, ast.Name) and node.value.id == "req")
        if isinstance(node, ast.Attribute):
            assert node.attr != "context"


@pytest.mark.parametrize("path", sorted((ROOT / "redis").glob("*.lua")), ids=lambda path: path.name)
def test_script_of_redis_says_its_keys_arguments_and_reply(path: Path) -> None:
    """The head comment is all that a caller has to read."""
    head = [line for line in path.read_text("utf-8").splitlines() if line.startswith("--")]
    for word in ("KEYS", "ARGV", "reply"):
        assert any(line.startswith(f"-- {word}") for line in head), word


def test_redis_directory_is_no_package() -> None:
    """An __init__.py there would shadow redis-py."""
    assert [] == list((ROOT / "redis").glob("*.py"))
