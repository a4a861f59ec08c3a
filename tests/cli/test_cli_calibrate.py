"""`gatekeeper calibrate`: real rounds of a real model, and what is printed of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from kit.command import Command
from kit.support import write_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, "int8_dynamic", "onnx_runtime")


def add(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_table_names_every_blocking_limit_and_ends_with_a_block_to_paste(project: Path, gatekeeper: Command) -> None:
    done = gatekeeper("calibrate", project, "--rounds", 4)
    assert done.returncode in (0, 3), done.stderr
    assert "speedup" in done.stdout and "\u2265 0.01x" in done.stdout
    assert "4 rounds of" in done.stdout
    assert yaml.safe_load(done.stdout[done.stdout.index("  measure:") :])["measure"]["max_rounds"] >= 8


@pytest.mark.thorough
def test_the_block_is_valid_where_it_is_pasted(project: Path, gatekeeper: Command) -> None:
    done = gatekeeper("calibrate", project, "--rounds", 4, "--format", "yaml", "--quiet")
    block = yaml.safe_load(done.stdout)["measure"]
    assert set(block) == {"max_rounds", "budget", "threads"}
    assert done.stderr == ""
    add(
        project,
        "measure: {max_rounds: 3, blocks: 2,",
        f"measure: {{max_rounds: {block['max_rounds']}, budget: {block['budget']},",
    )
    add(project, "block_ms: 5,", f"threads: {block['threads']}, block_ms: 5,")
    assert gatekeeper("validate", project).returncode == 0


@pytest.mark.thorough
def test_what_can_be_told_apart_grows_with_the_rounds(project: Path, gatekeeper: Command) -> None:
    done = gatekeeper("calibrate", project, "--rounds", 5, "--format", "json", "--effect", "0.5")
    found = json.loads(done.stdout)
    assert (found["leg"], found["rounds"], found["effect"]) == ("here/onnx_runtime", 5, 0.5)
    [speed] = [r for r in found["resolutions"] if r["gate"] == "speedup"]
    assert 0.01 < speed["told_apart"]["24"] < speed["told_apart"]["8"]
    assert speed["noise"] > 0
    assert found["environment"]["cpu"]


@pytest.mark.thorough
def test_a_limit_that_the_runner_breaks_on_its_own_is_pointed_at(project: Path, gatekeeper: Command) -> None:
    add(project, "stability: disabled", "stability: {max_variation: 0.0001}")
    done = gatekeeper("calibrate", project, "--rounds", 3)
    assert done.returncode == 3
    assert "here the original itself has" in done.stdout
    # on a busy machine the speedup is as noisy, and named too
    assert re.search(r"# but not that of (speedup, )?stability: this runner is too noisy for it", done.stdout), done.stdout


def test_a_budget_for_fewer_rounds_than_a_spread_needs(project: Path, gatekeeper: Command) -> None:
    add(project, "blocks: 2,", "blocks: 2, budget: 100ms,")
    done = gatekeeper("calibrate", project)
    assert done.returncode == 4
    assert "`measure.budget` of 100ms ended too early: a round takes" in done.stderr
    assert "Set it to at least" in done.stderr


def test_a_machine_that_can_run_no_leg_says_why(project: Path, gatekeeper: Command) -> None:
    add(project, "hardware: cpu", "hardware: nvidia_gpu")
    done = gatekeeper("calibrate", project)
    assert done.returncode == 2
    assert "no leg can run on this machine" in done.stderr


@pytest.mark.parametrize(
    "words", [("--rounds", "2"), ("--effect", "0"), ("--effect", "nan"), ("--target", "there"), ("--format", "xml")]
)
def test_wrong_usage_is_exit_2(words: tuple[str, str], project: Path, gatekeeper: Command) -> None:
    done = gatekeeper("calibrate", project, *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
