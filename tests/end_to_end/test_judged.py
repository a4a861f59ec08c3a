"""Models whose variants an average would let pass, through the front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from kit import judged
from kit.lazily import Lazily

metrics = Lazily("sklearn.metrics")

Run = Callable[[Callable[[Path], Path], int], dict[str, Any]]


@pytest.fixture
def run(gatekeeper: Any, tmp_path: Path) -> Run:
    def one_variant(make: Callable[[Path], Path], code: int) -> dict[str, Any]:
        done = gatekeeper("run", make(tmp_path), "--output", tmp_path / "report")
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        [target] = json.loads((tmp_path / "report/report.json").read_text())["targets"]
        [variant], [leg] = target["variants"], target["legs"]
        assert "rests on" in done.stdout and "not judged: " in done.stdout
        checks = (variant["tested"] or {}).get("checks", [])
        return {gate["gate"]: gate for gate in variant["gates"]} | {"checks": checks, "basis": leg["basis"]}

    return one_variant


def answers(folder: Path, model: Path) -> Any:
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    x = np.load(folder / "eval.npz")["x"]
    return [np.concatenate(each) for each in zip(*(session.run(None, {"x": row[None]}) for row in x), strict=True)]


def both(folder: Path) -> tuple[Any, Any]:
    """What the model and its variant say, asked without gatekeeper."""
    [variant] = (folder / "report/artifacts").iterdir()
    return answers(folder, folder / "model.onnx"), answers(folder, variant)


def test_an_output_that_no_metric_reads_fails(run: Run, tmp_path: Path) -> None:
    gates = run(judged.two_heads, 1)
    assert gates["accuracy"]["verdict"] == "pass" and gates["accuracy"]["observed"] == 1.0
    before, after = (each[1].astype(float) for each in both(tmp_path))
    explained = 1 - ((after - before) ** 2).sum(axis=0) / ((before - before.mean(axis=0)) ** 2).sum(axis=0)
    assert gates["outputs"]["verdict"] == "fail" and "range_mm" in gates["outputs"]["reason"]
    assert gates["outputs"]["observed"] == pytest.approx(explained.min(), abs=0.05)
    assert explained.max() < 0.5, "the fault has arrived"
    switched_off = dict.fromkeys(("speedup", "memory", "stability"), "disabled in the pipeline file")
    assert gates["basis"] == {
        "metric": "accuracy", "output": "logits", "outputs": ["range_mm"], "examples": 500, "copies": 0, "classes": 10,
        "groups": 0, "parts": 10, "timed": 0,
        "not_judged": switched_off | {"behaviour under tests": "the stages have no testing"},
    }  # fmt: skip


def test_an_output_that_nobody_uses_is_ignored_by_name(run: Run) -> None:
    def ignoring(folder: Path) -> Path:
        file = judged.two_heads(folder)
        file.write_text(file.read_text().replace("gates: {", "gates: {outputs: {ignore: [range_mm]}, "))
        return file

    gates = run(ignoring, 0)
    assert gates["outputs"]["verdict"] == "skip" and "not judged: range_mm (ignored" in gates["outputs"]["reason"]
    assert gates["basis"]["outputs"] == []
    assert gates["basis"]["not_judged"]["output range_mm"] == "ignored in the pipeline file"


@pytest.mark.parametrize("labelled", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_a_variant_that_answers_one_class_fails(labelled: bool, run: Run, tmp_path: Path) -> None:
    gates = run(lambda folder: judged.minority_lost(folder, labelled), 1)
    assert len(np.unique(both(tmp_path)[1][0].argmax(axis=1))) == 1, "the fault has arrived"
    accuracy = gates["accuracy" if labelled else "agreement"]
    assert accuracy["verdict"] == "fail" and "answers class 0 whatever it sees" in accuracy["reason"]
    assert 0.95 < accuracy["observed"] < 0.97
    assert gates["worst_class"]["verdict"] == "fail" and gates["worst_class"]["observed"] == 0
    assert gates["worst_class"]["reason"].startswith("class 1: 0 of ")


def test_a_class_that_is_ruined_fails_where_the_whole_keeps_enough(run: Run, tmp_path: Path) -> None:
    """More than 96 % are kept, and everything else passes."""
    gates = run(judged.one_class_ruined, 1)
    y = np.load(tmp_path / "eval.npz")["y"]
    before, after = (each[0].argmax(axis=1) == y for each in both(tmp_path))
    assert before[y == 3].mean() > 0.9 and after[y == 3].mean() < 0.2, "the fault has arrived"
    assert gates["accuracy"]["verdict"] == "pass" and gates["accuracy"]["observed"] == pytest.approx(after.sum() / before.sum())
    assert gates["accuracy"]["lower"] > 0.95 and 0.96 < gates["accuracy"]["observed"] < 0.98
    assert gates["worst_class"]["verdict"] == "fail" and gates["worst_class"]["reason"].startswith("class 3: ")


def test_tokens_are_compared_one_by_one(run: Run, tmp_path: Path) -> None:
    found = run(judged.tagger, 1)["agreement"]
    before, after = (each[0].argmax(axis=2) for each in both(tmp_path))
    assert found["observed"] == pytest.approx(np.mean(before == after))
    assert found["verdict"] == "fail" and found["observed"] < 0.3


@pytest.mark.thorough
def test_a_mask_is_compared_pixel_by_pixel(run: Run, tmp_path: Path) -> None:
    found = run(judged.masks, 0)["agreement"]
    before, after = (each[0] > 0.5 for each in both(tmp_path))
    assert found["observed"] == pytest.approx(np.mean(before == after))
    assert found["observed"] > 0.99


def test_an_example_beside_a_loud_one_answers_as_alone(run: Run) -> None:
    gates = run(judged.loud_neighbours, 1)
    assert gates["accuracy"]["verdict"] == "pass", "one by one it answers well"
    [check] = [each for each in gates["checks"] if each["name"] == "batch_invariance"]
    assert check["verdict"] == "fail", check
    assert gates["unit_tests"]["verdict"] == "fail"


def test_a_group_that_is_lost_fails(run: Run, tmp_path: Path) -> None:
    gates = run(judged.site_lost, 1)
    data = np.load(tmp_path / "eval.npz")
    before, after = (each[0].argmax(axis=1) == data["y"] for each in both(tmp_path))
    assert before.mean() > 0.99 and 0.4 < after[data["site"] == "north"].mean() < 0.6, "the fault has arrived"
    assert gates["accuracy"]["verdict"] == "pass"
    found = gates["worst_class"]
    assert found["verdict"] == "fail" and found["reason"].startswith("site = north: ")
    assert found["observed"] == pytest.approx(after[data["site"] == "north"].mean() / before[data["site"] == "north"].mean())
    answers_of = {"answers of class 0", "answers of class 1"}
    assert set(found["details"]["classes"]) == {"class 0", "class 1", "site = north", "site = south"} | answers_of
    assert (gates["basis"]["classes"], gates["basis"]["groups"], gates["basis"]["parts"]) == (2, 2, 2)
    north = int((data["site"] == "north").sum())
    assert found["details"]["classes"]["site = north"]["examples"] == north
    markdown = (tmp_path / "report/report.md").read_text()
    assert f"| site = north | {north} | {north} | {found['observed']:.1%} |" in markdown


def test_each_of_several_answers_counts_as_much(run: Run, tmp_path: Path) -> None:
    found = run(judged.two_scales, 1)["accuracy"]
    before, after = (metrics.r2_score(np.load(tmp_path / "eval.npz")["y"], each[0]) for each in both(tmp_path))
    assert before > 0.99 and after < 0.6, "the fault has arrived"
    assert found["verdict"] == "fail" and found["observed"] == pytest.approx(after / before, abs=0.01)


@pytest.mark.parametrize("metric", ["r2", pytest.param("mae", marks=pytest.mark.thorough)])
def test_one_of_many_answers_that_an_average_hides_fails(metric: str, run: Run, tmp_path: Path) -> None:
    found = run(lambda folder: judged.one_of_many(folder, metric), 1)
    truth = np.load(tmp_path / "eval.npz")["y"]
    before, after = (metrics.r2_score(truth, each[0], multioutput="raw_values") for each in both(tmp_path))
    assert before.min() > 0.99 and after[7] < 0.2 and np.delete(after, 7).min() > 0.98, "the fault has arrived"
    assert found["accuracy"]["verdict"] == "pass"
    assert found["outputs"]["verdict"] == "fail" and "yhat[7] keeps" in found["outputs"]["reason"]
    assert found["outputs"]["observed"] == pytest.approx(after[7] / before[7], abs=0.02)
    assert found["basis"]["outputs"] == ["yhat"]


def test_losses_too_rare_to_be_seen_are_feared(run: Run) -> None:
    found = run(judged.rare_outliers, 3)["accuracy"]
    assert found["verdict"] == "inconclusive" and found["lower"] < 0.95 < found["observed"]
    assert "200 examples cannot show it, about " in found["reason"]


@pytest.mark.thorough
def test_and_are_found_where_there_are_enough_examples(run: Run) -> None:
    found = run(lambda folder: judged.rare_outliers(folder, 4000), 1)["accuracy"]
    assert found["verdict"] == "fail" and found["upper"] < 0.95


def test_a_sequence_that_nothing_can_judge_is_skipped_by_name(run: Run) -> None:
    gates = run(judged.ragged, 0)
    assert gates["accuracy"]["verdict"] == "pass" and gates["basis"]["output"] == "logits"
    assert gates["outputs"]["verdict"] == "skip" and "not judged: parts (it is a sequence" in gates["outputs"]["reason"]
    assert gates["basis"]["not_judged"]["output parts"].startswith("it is a sequence, a map or ragged")
