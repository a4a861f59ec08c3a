"""A pipeline file without a gate on rounds: nothing is timed, and everything else is as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from filelock import FileLock
from kit.support import write_model, write_project

from gatekeeper.config.limits import Limit, limits
from gatekeeper.config.load import load
from gatekeeper.config.loaded import Loaded, Policy
from gatekeeper.gates._base import gate
from gatekeeper.legs.measuring import asked
from gatekeeper.records.base import Verdict
from gatekeeper.records.report import Report
from gatekeeper.verdicts.regate import held, leg_evidence
from gatekeeper.verdicts.rules import Rules

Command = Callable[..., subprocess.CompletedProcess[str]]
DISABLED = ("memory", "speedup", "stability")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run while another one measures: it needs the machine to itself, and this one does not."""
    folder = tmp_path_factory.mktemp("untimed")
    file = write_project(folder, "fp16, int8_dynamic", "onnx_runtime", timed=False)
    words = [sys.executable, "-m", "gatekeeper", "run", file.name, "--cache-dir", "cache"]
    (folder / "cache").mkdir()
    with FileLock(folder / "cache/measuring.lock"):
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return folder, done


@pytest.fixture
def report(ran: tuple[Path, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ran[0] / "gatekeeper-report/report.json").read_text())
    return found


def test_it_passes_on_what_is_judged(ran: tuple[Path, subprocess.CompletedProcess[str]], report: dict[str, Any]) -> None:
    assert ran[1].returncode == 0, ran[1].stdout + ran[1].stderr
    assert "another gatekeeper is measuring" not in ran[1].stderr
    assert "measuring" not in ran[1].stderr
    [target] = report["targets"]
    variants = {v["technique"]: v for v in target["variants"]}
    assert {v["verdict"] for v in variants.values()} == {"pass"}
    smallest = min(variants.values(), key=lambda v: v["artifact"]["bytes"])
    assert target["selected"] == smallest["id"], "where no speed is known"
    gates = {g["gate"]: (g["verdict"], g["blocking"], g["reason"]) for g in variants["fp16"]["gates"]}
    assert all(gates[name] == ("skip", False, "disabled in the pipeline file") for name in DISABLED)
    assert gates["accuracy"][:2] == ("pass", True)


def test_no_round_is_in_the_report(report: dict[str, Any]) -> None:
    [target] = report["targets"]
    [leg] = target["legs"]
    assert (leg["rounds"], leg["control_rounds"], leg["measuring_s"], leg["budget_s"], leg["stopped"]) == (0, [], 0, 0, "")
    assert (leg["baseline"], leg["control"], leg["conditions"], leg["error"]) == (None, None, None, "")
    assert leg["environment"]["packages"]["onnxruntime"]
    assert leg["basis"]["timed"] == 0
    assert {name: leg["basis"]["not_judged"][name] for name in DISABLED} == dict.fromkeys(
        DISABLED, "disabled in the pipeline file"
    )
    for variant in target["variants"]:
        assert variant["performance"] is None and variant["pareto"] is None and variant["quality"]["value"] > 0.9


def test_people_read_nothing_of_it(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    text, said = (ran[0] / "gatekeeper-report/report.md").read_text(), ran[1].stdout
    assert "not judged: memory, speedup, stability (disabled in the pipeline file)" in text
    assert "not judged: memory, speedup, stability (disabled in the pipeline file)" in " ".join(said.split())
    [head] = [line for line in text.splitlines() if line.startswith("|  | target |")]
    assert [cell.split()[0] for cell in head.strip("| ").split(" | ")] == [
        "target", "variant", "accuracy", "outputs", r"worst\_class",
    ]  # fmt: skip
    assert not any(name in said.partition("rests on")[0] for name in DISABLED)
    numbers = text.partition("Measurements on here")[2].partition("</details>")[0].strip().splitlines()
    assert "|  | file | quality |" in numbers
    assert sum("accuracy" in line for line in numbers) == 3, "the original and both variants"
    assert not any(word in text for word in ("nan", "p50", "energy", "budget", "?"))


def test_the_merge_finds_the_same(ran: tuple[Path, Any], report: dict[str, Any], gatekeeper: Command, tmp_path: Path) -> None:
    done = gatekeeper("report", ran[0] / "gatekeeper-report", "--output", tmp_path / "merged")
    assert done.returncode == 0, done.stdout + done.stderr
    merged = json.loads((tmp_path / "merged/report.json").read_text())
    assert merged["targets"] == report["targets"]


def test_a_limit_of_its_own_makes_a_report_without_rounds_an_error(report: dict[str, Any]) -> None:
    """Nothing is believed of what a report says to be disabled where the pipeline file asks for it."""
    whole = msgspec.convert(report, Report)
    [target] = whole.targets
    limit = Limit("speedup", gate("speedup"), gate("speedup").Config(), "policy.yaml:1")
    for variant in target.variants:
        [speed] = [g for g in variant.gates if g.gate == "speedup"]
        found = held(speed, "speedup", limit, variant, leg_evidence(target.legs[0], "", 3, Rules())).gate
        assert (found.verdict, found.blocking, found.limit) == (Verdict.ERROR, True, limit.config.min)
        assert found.reason == "its report holds no rounds to judge it by"


OFF = "gates: {memory: disabled, stability: disabled, speedup: disabled}"
REQUIRED = {
    "a baseline": "model_validation: {performance_baseline: required}",
    "a comparison": "optimization: {validation: {performance_comparison: required}}",
}


def written(folder: Path, parts: Iterable[str]) -> Loaded:
    write_model(folder / "model.onnx")
    file = folder / "p.yaml"
    file.write_text("\n  ".join(["edge_ai_pipeline:", "model: {path: model.onnx}", *parts]) + "\n")
    return load(file)


def wanted(tmp_path: Path, *parts: str, dataset: bool = True, policy: Sequence[str] = ()) -> bool:
    """Whether rounds run for a file with these parts, held to a policy with those."""
    loaded = written(tmp_path, parts)
    if policy:
        loaded = replace(loaded, policy=Policy("p", "0" * 64, written(tmp_path / "policy", policy), None))
    leg: Any = SimpleNamespace(loaded=loaded)
    return asked(leg, limits(loaded, loaded.targets[0]), tmp_path if dataset else None)


def test_nothing_is_timed_where_every_gate_on_rounds_is_disabled(tmp_path: Path) -> None:
    assert not wanted(tmp_path, OFF)


@pytest.mark.parametrize("name", DISABLED)
def test_one_gate_is_enough(name: str, tmp_path: Path) -> None:
    limit = {"memory": "reduction: 0.1", "speedup": "min: 1.1", "stability": "max_variation: 0.1"}[name]
    assert wanted(tmp_path, OFF.replace(f"{name}: disabled", f"{name}: {{{limit}, on_fail: warn}}"))
    assert wanted(tmp_path, OFF.replace(f"{name}: disabled", "package_size: {max: 1MB}")), "its default is on"


@pytest.mark.parametrize("what", REQUIRED)
def test_a_file_may_ask_for_it_in_words(what: str, tmp_path: Path) -> None:
    assert wanted(tmp_path, OFF, REQUIRED[what])


def test_a_policy_may_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    assert not wanted(tmp_path, OFF, policy=[OFF])
    assert wanted(tmp_path, OFF, policy=["gates: {memory: disabled, stability: disabled}"])
    assert wanted(tmp_path, OFF, policy=[OFF, REQUIRED["a comparison"]])


def test_without_an_evaluation_set_it_is_what_opens_the_model(tmp_path: Path) -> None:
    assert wanted(tmp_path, OFF, dataset=False)
