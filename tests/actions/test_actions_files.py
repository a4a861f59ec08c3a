"""The action and every workflow file, held against the tools of the field: GitHub's own parser, zizmor, shellcheck, a schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from github_says import MODULES, ask, needed, value
from kit.support import REPOSITORY

from gatekeeper.github import action as code
from gatekeeper.github._release import UNUSED
from gatekeeper.starting.release import TRUST, release_text, trust_text
from gatekeeper.starting.workflows import UNKNOWN, comment_text, gate_text

ACTION = REPOSITORY / "action.yml"
GATE = REPOSITORY / ".github/workflows/gate.yml"
OWN = [ACTION, *sorted((REPOSITORY / ".github/workflows").glob("*.yml"))]
EXAMPLES = REPOSITORY / "examples/workflows"
FILES = [*OWN, *sorted(EXAMPLES.glob("*.yml"))]
BIN = Path(sys.executable).parent


def read(path: Path) -> dict[str, Any]:
    """`on` stays a word, as GitHub reads it."""
    found: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    found = read(path)
    if path == ACTION:
        return list(found["runs"]["steps"])
    return [step for job in found["jobs"].values() for step in job.get("steps", [])]


def test_githubs_own_parser_has_no_error() -> None:
    found = ask({str(path.relative_to(REPOSITORY)): path.read_text() for path in FILES})["files"]
    assert {path.name: answer["errors"] for path, answer in zip(FILES, found, strict=True) if answer["errors"]} == {}
    assert found[FILES.index(GATE)]["jobs"] == {"plan": "job", "leg": "job", "verdict": "job"}


def test_githubs_parser_would_find_an_error() -> None:
    broken = GATE.read_text().replace("needs.plan.outputs.matrix", "need.plan.outputs.matrix")
    assert ask({"gate.yml": broken})["files"][0]["errors"] != []


def test_zizmor_finds_nothing_and_ignores_one_thing() -> None:
    command = [BIN / "zizmor", "--offline", "--persona", "auditor", "--format", "json-v1", "--config", ".github/zizmor.yml"]
    done = subprocess.run([*command, *FILES], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [f["ident"] for f in found if not f["ignored"]] == []
    assert [f["ident"] for f in found if f["ignored"]] in ([], ["dangerous-triggers"])
    ignores = [line for path in FILES for line in path.read_text().splitlines() if "zizmor: ignore" in line]
    assert len(ignores) == 1 and "workflow_run" in ignores[0]


def test_zizmor_would_find_a_template_injection(tmp_path: Path) -> None:
    bad = tmp_path / "action.yml"
    bad.write_text(ACTION.read_text().replace('exec "$PYTHON" -I -m gatekeeper.github work', "echo ${{ inputs.config }}"))
    done = subprocess.run([BIN / "zizmor", "--offline", bad], capture_output=True, text=True, check=False)
    assert "template-injection" in done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_step_in_a_shell_is_clean(path: Path, tmp_path: Path) -> None:
    for number, step in enumerate(steps(path)):
        if "run" not in step:
            continue
        if path == ACTION:
            assert step["shell"] == "bash", "GitHub demands a shell of a composite action's step; act does not"
        assert "${{" not in step["run"], "inputs reach the shell through env"
        script = tmp_path / f"{number}.sh"
        script.write_text("#!/bin/bash\n" + step["run"])
        done = subprocess.run([BIN / "shellcheck", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


# action-validator's schema is older than the permission `attestations`.
@pytest.mark.parametrize("path", [p for p in FILES if p.name != "release.yml"], ids=lambda path: path.name)
def test_action_validator_agrees(path: Path) -> None:
    needed()
    command = ["node", MODULES / ".bin/action-validator", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_use_is_pinned_to_a_commit_and_to_one() -> None:
    pinned: dict[str, set[str]] = {}
    for path in OWN:
        for name, ref in re.findall(r"uses: ([\w./-]+)@(\S+)", path.read_text()):
            assert re.fullmatch("[0-9a-f]{40}", ref), f"{path.name}: {name}@{ref}"
            pinned.setdefault(name, set()).add(ref)
    assert all(len(refs) == 1 for refs in pinned.values()), pinned


def test_every_input_is_used_and_every_use_is_an_input() -> None:
    text = ACTION.read_text()
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(read(ACTION)["inputs"])
    outputs = set(re.findall(r"steps\.(?:work|publish)\.outputs\.([\w-]+)", text))
    assert outputs - {"exit-code", "message"} == set(read(ACTION)["outputs"])


def test_the_variables_that_the_code_reads_are_those_that_the_steps_set() -> None:
    by_id = {step.get("id"): set(step.get("env", {})) for step in steps(ACTION)}
    folder = Path(code.__file__).parent
    source = "".join(
        (folder / f"{name}.py").read_text() for name in ("action", "_steps", "publish", "certify", "verify", "_release")
    )
    read_names = set(re.findall(r'environ(?:\.get\(|\[|, )"([A-Z_]+)"', source)) | {"MODEL", "TARGET", "FRAMEWORK", *UNUSED}
    assert read_names - {"RUNNER_TEMP", "GITHUB_WORKSPACE"} <= by_id["work"] | by_id["publish"]


def told(step: dict[str, Any], inputs: dict[str, str]) -> dict[str, str]:
    """The secrets among `inputs` that a step has in its environment, by the name of the variable."""
    asked = {name: text for name, text in step.get("env", {}).items() if re.search(r"inputs\.(key|token)", str(text))}
    given = {name: value(text, inputs=inputs) for name, text in asked.items()}
    return {name: text for name, text in given.items() if text in (inputs["key"], inputs["token"])}


def test_the_token_is_not_where_a_model_runs() -> None:
    [work] = [step for step in steps(ACTION) if step.get("id") == "work"]
    token, key = "the token itself", "the key itself"
    secrets = {"token": token, "key": key}
    allowed = {"report": {"TOKEN": token}, "certify": {"TOKEN": token, "KEY": key}}
    for command in ("run", "plan", "report", "certify", "verify"):
        assert told(work, {"command": command, **secrets}) == allowed.get(command, {})
    # that a key was given decides what is installed; the key itself is not told to an installer
    [install] = [step for step in steps(ACTION) if step.get("id") == "install"]
    assert told(install, {"command": "certify", **secrets}) == {}
    assert not any(re.search(r"inputs\.(key|token)", step.get("run", "")) for step in steps(ACTION))


@pytest.mark.parametrize(
    ("event", "inputs", "expected"),
    [
        ({"pull_request": {"base": {"sha": "base"}}}, {"policy-ref": ""}, "base"),
        ({"merge_group": {"base_sha": "queue"}}, {"policy-ref": ""}, "queue"),
        ({}, {"policy-ref": ""}, "pushed"),
        ({"pull_request": {"base": {"sha": "base"}}}, {"policy-ref": "release"}, "release"),
    ],
)
def test_the_base_is_what_a_change_is_made_against(event: dict[str, Any], inputs: dict[str, str], expected: str) -> None:
    assert value(read(GATE)["env"]["BASE_REF"], github={"event": event, "sha": "pushed"}, inputs=inputs) == expected


@pytest.mark.parametrize(
    ("command", "cached", "published"),
    [("run", True, True), ("report", True, True), ("plan", True, False), ("certify", False, False), ("verify", False, False)],
)
def test_a_release_is_judged_by_nothing_that_another_run_left(command: str, cached: bool, published: bool) -> None:
    first, *_, publish = steps(ACTION)
    assert value(first["with"]["enable-cache"], inputs={"command": command, "cache": "keep"}) == ("auto" if cached else "false")
    assert value(first["with"]["enable-cache"], inputs={"command": command, "cache": "fresh"}) == "false"
    assert (value(publish["if"].replace("always() && ", ""), inputs={"command": command}) == "true") == published


def test_what_certifies_has_the_key_to_itself() -> None:
    jobs = read(EXAMPLES / "gatekeeper-release.yml")["jobs"]
    assert list(jobs) == ["gatekeeper", "certify", "publish"]
    certify, publish = jobs["certify"], jobs["publish"]
    assert (certify["needs"], publish["needs"]) == ("gatekeeper", "certify")
    assert jobs["gatekeeper"]["with"]["fresh"] == jobs["gatekeeper"]["with"]["upload-models"] == "true"
    assert certify["environment"] == "release" and "environment" not in publish
    assert certify["permissions"] == {"actions": "read", "contents": "read"}
    assert publish["permissions"] == {"contents": "write"}
    assert all("run" not in step for step in certify["steps"])
    checkouts = [step["with"] for step in certify["steps"] if "checkout" in step["uses"]]
    assert [(each["sparse-checkout"], each["sparse-checkout-cone-mode"]) for each in checkouts] == [
        ("/edge_ai_pipeline.yaml", "false")
    ], "the pipeline file, and no code of anybody's"
    assert certify["steps"][-2]["with"]["config"] == "edge_ai_pipeline.yaml"
    assert [name for name, job in jobs.items() if "secrets." in json.dumps(job)] == ["certify"]
    assert [step.get("with", {}).get("command") for step in publish["steps"]] == [None, None, "verify", None]
    assert not [job for job in jobs.values() if "if" in job or any("if" in step for step in job.get("steps", []))], (
        "nothing goes on"
    )


def test_the_verdict_runs_always_and_keeps_its_name() -> None:
    job = read(GATE)["jobs"]["verdict"]
    assert (job["name"], job["if"]) == ("verdict", "always()")
    assert job["needs"] == ["plan", "leg"]
    assert read(GATE)["jobs"]["leg"]["strategy"]["fail-fast"] == "false"


def test_permissions_are_the_least() -> None:
    found = read(GATE)
    assert found["permissions"] == {}
    jobs = {name: job["permissions"] for name, job in found["jobs"].items()}
    assert jobs["plan"] == jobs["leg"] == {"contents": "read"}
    assert jobs["verdict"] == {"contents": "read", "actions": "read", "pull-requests": "write"}
    assert "GITHUB_ENV" not in ACTION.read_text() + GATE.read_text()


@pytest.mark.parametrize("fork", [True, False])
def test_one_of_two_workflows_comments(fork: bool) -> None:
    name = "stranger/models" if fork else "octo/models"
    call = yaml.safe_load(gate_text("a.yaml", UNKNOWN, forks=True))["jobs"]["gatekeeper"]["with"]
    github = {"repository": "octo/models", "event": {"pull_request": {"head": {"repo": {"full_name": name}}}}}
    assert value(call["comment-mode"], github=github) == ("off" if fork else "always")
    other = yaml.safe_load(comment_text(UNKNOWN))["jobs"]["comment"]["if"]
    run = {"event": "pull_request", "head_repository": {"full_name": name}}
    assert value(other, github={"repository": "octo/models", "event": {"workflow_run": run}}) == str(fork).lower()


def test_the_examples_are_what_init_writes() -> None:
    config = "edge_ai_pipeline.yaml"
    assert (EXAMPLES / "gatekeeper.yml").read_text() == gate_text(config, UNKNOWN, forks=True)
    assert (EXAMPLES / "gatekeeper-comment.yml").read_text() == comment_text(UNKNOWN)
    assert (EXAMPLES / "gatekeeper-release.yml").read_text() == release_text(config, UNKNOWN)
    assert (EXAMPLES / TRUST).read_text() == trust_text()


def test_what_strangers_left_is_only_read() -> None:
    [job] = read(EXAMPLES / "gatekeeper-comment.yml")["jobs"].values()
    assert [set(step) for step in job["steps"]] == [{"uses", "with"}]
    assert job["steps"][0]["with"]["command"] == "report"
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}


def test_the_lock_fits_what_the_project_asks_for() -> None:
    import tomllib

    from packaging.requirements import Requirement

    lines = (REPOSITORY / ".github/constraints.txt").read_text().splitlines()
    locked: dict[str, set[str]] = {}
    for requirement in map(Requirement, lines):
        locked.setdefault(requirement.name, set()).add(next(iter(requirement.specifier)).version)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for group in project["optional-dependencies"].values() for line in group]
    asked += map(Requirement, project["dependencies"])
    for requirement in asked:
        if requirement.name != project["name"]:
            name = requirement.name.lower().replace("_", "-").replace(".", "-")
            assert any(requirement.specifier.contains(version) for version in locked[name]), requirement
