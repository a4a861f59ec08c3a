"""What must not be believed is not: time too short, clocks that lie, too few examples, a busy machine, one more attempt."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.support import install_framework, start, write_project


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return install_framework(tmp_path_factory.mktemp("clocks"), "clocks")


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "gatekeeper-report/report.json").read_text())
    return found


def gate_of(variant: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(g for g in variant["gates"] if g["gate"] == name)
    return found


def change(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.serial
def test_a_clock_that_lies_is_an_error_of_that_variant_alone(clocks: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    lying = ("fast_clock", "half_clock", "counting_clock")
    file = write_project(tmp_path, ", ".join(["fine", *lying]), "clocks")
    change(file, "blocks: 2, block_ms: 5", "blocks: 8, block_ms: 40")
    assert gatekeeper("run", file, env=clocks).returncode == 0
    variants = {v["technique"]: v for v in report_of(tmp_path)["targets"][0]["variants"]}
    assert variants["fine"]["verdict"] == "pass"
    for name in lying:
        assert variants[name]["verdict"] == "error"
        assert "clock makes no sense" in variants[name]["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGSTOP")
def test_an_honest_worker_is_not_accused_where_the_parent_is_kept_from_running(clocks: dict[str, str], tmp_path: Path) -> None:
    """Stopped again and again for longer than everything that is timed takes, while its workers go on."""
    file = change(write_project(tmp_path, "fine", "clocks"), "max_rounds: 3, blocks: 2", "max_rounds: 2, blocks: 1")
    process, stops, draw = start(file, clocks), 0, random.Random(3)
    while process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(draw.uniform(0.3, 0.9))
        process.send_signal(signal.SIGCONT)
        time.sleep(draw.uniform(0.05, 0.4))
        stops += 1
    assert stops > 5
    _, errors = process.communicate()
    assert process.returncode in (0, 3), errors
    [leg], [variant] = (report_of(tmp_path)["targets"][0][key] for key in ("legs", "variants"))
    assert leg["error"] == ""
    assert variant["performance"]["p50_ns"] > 0


@pytest.mark.parametrize("technique", ["stopped_clock", pytest.param("backward_clock", marks=pytest.mark.thorough)])
def test_a_clock_that_does_not_go_on_ends_in_a_timeout(
    technique: str, clocks: dict[str, str], gatekeeper: Any, tmp_path: Path
) -> None:
    file = change(write_project(tmp_path, technique, "clocks"), "timeout: 60s", "timeout: 4s")
    assert gatekeeper("run", file, env=clocks).returncode == 4
    assert "no answer within 4 s" in report_of(tmp_path)["targets"][0]["variants"][0]["reason"]


def test_readings_without_any_variance_are_an_error(clocks: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    """Each arm's every latency reads exactly four milliseconds: no noise at all, and no knowledge either."""
    file = change(write_project(tmp_path, "ticking_clock", "clocks"), "stability: disabled", "stability: {max_variation: 0.5}")
    assert gatekeeper("run", file, env=clocks).returncode in (1, 4)  # the other arm's clock is right, so it may seem slow
    found = gate_of(report_of(tmp_path)["targets"][0]["variants"][0], "stability")
    assert found["verdict"] == "error"
    assert "the clock is too coarse" in found["reason"]


def test_a_budget_for_one_round_decides_nothing_and_says_what_would(
    clocks: dict[str, str], gatekeeper: Any, tmp_path: Path
) -> None:
    file = change(write_project(tmp_path, "fine", "clocks"), "max_rounds: 3", "max_rounds: 24, budget: 10ms")
    run = gatekeeper("run", file, env=clocks)
    assert run.returncode == 3
    found = gate_of(report_of(tmp_path)["targets"][0]["variants"][0], "speedup")
    assert found["verdict"] == "inconclusive"
    assert "one round bounds nothing: the budget of 0.01s ended after it" in found["reason"]
    assert "set `measure.budget` to at least" in found["reason"]
    [leg] = report_of(tmp_path)["targets"][0]["legs"]
    assert (leg["rounds"], leg["stopped"]) == (1, "budget")
    assert "the budget was used up" in run.stdout


def test_three_examples_show_nothing(clocks: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    file = write_project(tmp_path, "fine", "clocks", timed=False)
    whole = np.load(tmp_path / "eval.npz")
    first = [int(np.flatnonzero(whole["y"] == label)[0]) for label in (0, 1, 2)]
    np.savez(tmp_path / "eval.npz", x=whole["x"][first], y=whole["y"][first])
    run = gatekeeper("run", file, env=clocks)
    assert run.returncode in (3, 4), run.stdout
    report = report_of(tmp_path)
    assert report["verdict"] in ("inconclusive", "error")
    assert "examples" in run.stdout


@pytest.mark.thorough
def test_later_attempts_ask_for_more(clocks: dict[str, str], gatekeeper: Any, tmp_path: Path) -> None:
    """The same rounds bound less in a later attempt, however it is told of."""
    file = write_project(tmp_path, "fine", "clocks")
    told = (("--attempt", "3"), {}, 3), (("--attempt", "2"), {"GITHUB_RUN_ATTEMPT": "10"}, 10), ((), {}, 1)
    for words, env, attempt in told:
        gatekeeper("run", file, *words, env={"GITHUB_RUN_ATTEMPT": ""} | clocks | env)
        report = report_of(tmp_path)
        assert report["targets"][0]["legs"][0]["attempt"] == attempt
    speed = gate_of(report["targets"][0]["variants"][0], "speedup")
    assert speed["lower"] < speed["observed"] < speed["upper"]


def briefly(example: Path) -> Path:
    """An example's pipeline file with one look: a round takes long on a busy machine."""
    file = example / "briefly.yaml"
    file.write_text((example / "edge_ai_pipeline.yaml").read_text() + "\n  measure: {max_rounds: 8}\n")
    return file


@pytest.mark.serial
@pytest.mark.usefixtures("busy_machine")
def test_on_a_busy_machine_a_fast_variant_is_not_failed_and_the_load_is_named(
    example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path
) -> None:
    """That it passes is for tests/benchmarks/test_bench_busy.py: how busy this machine already is, nobody knows."""
    run = gatekeeper("run", briefly(example("digits-mlp")), "--framework", "onnx_runtime")
    report = report_of(tmp_path)
    assert run.returncode in (0, 3), run.stdout
    assert gate_of(report["targets"][0]["variants"][0], "speedup")["observed"] > 2
    [leg] = report["targets"][0]["legs"]
    assert leg["conditions"]["other_cpu"] > 0.1
    assert "other processes took" in run.stdout


@pytest.mark.serial
@pytest.mark.usefixtures("busy_machine")
def test_on_a_busy_machine_a_slow_variant_does_not_pass(example: Callable[[str], Path], gatekeeper: Any, tmp_path: Path) -> None:
    assert gatekeeper("run", briefly(example("digits-cnn"))).returncode in (1, 3)
    assert all(v["verdict"] != "pass" for v in report_of(tmp_path)["targets"][0]["variants"])


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", "²", "1e3"])
def test_an_attempt_that_is_no_number_is_not_taken_for_the_first(value: str, gatekeeper: Any, tmp_path: Path) -> None:
    run = gatekeeper("run", write_project(tmp_path, "fine", "onnx_runtime"), env={"GITHUB_RUN_ATTEMPT": value})
    assert run.returncode == 2
