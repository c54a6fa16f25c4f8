"""--help, of each script and each verb."""

import pytest

from tests.scripts.ops import Ops

VERBS = {
    "client": ["create", "show", "list", "set", "scopes", "rotate", "disable", "enable", "delete"],
    "token": ["mint", "revoke", "revoke-client", "revoke-all", "why"],
    "route": ["set", "list", "delete"],
    "key": ["list", "rotate", "retire"],
}


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("script", [*VERBS, "audit"])
def test_help_of_a_script_names_its_verbs(ops: Ops, script: str, flag: str) -> None:
    """Help is on stdout, needs no Redis, and has a usage line for each verb."""
    shown = ops.done(script, flag, env={"PATH": ops.env["PATH"]})
    for verb in VERBS.get(script, []):
        assert f"\n  {script} {verb}" in shown
    assert "[--json]" in shown


@pytest.mark.parametrize(
    ("script", "verb"), [(script, verb) for script, verbs in VERBS.items() for verb in verbs]
)
def test_help_of_a_verb_is_about_it_alone(ops: Ops, script: str, verb: str) -> None:
    """One usage line, then what the verb does and each of its flags, whatever else is said."""
    shown = ops.done(script, verb, "--help", env={"PATH": ops.env["PATH"]})
    usage, *rest = shown.splitlines()
    assert usage.startswith(f"usage: {script} {verb}")
    assert rest
    assert all(line.startswith("  ") for line in rest)
    for word in usage.split():
        flag = word.strip("[]")
        if flag.startswith("--") and flag != "--json":
            assert any(line.strip().startswith(flag) for line in rest), flag


def test_help_lists_every_event(ops: Ops) -> None:
    """The events that --event takes are those that help names."""
    line = ops.refusal("audit", "--event", "nothing")
    shown = ops.done("audit", "--help")
    for event in line.partition("one of ")[2].split(", "):
        assert event in shown
