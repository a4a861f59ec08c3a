"""Variants that a clean evaluation set would let pass, under corruptions and by how sure they are, from the command line to a
merge; beside bare loops over the models.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from end_to_end.test_text_inputs import CITIES, towns
from end_to_end.test_text_inputs import write as write_towns
from kit import frail
from kit.command import call
from kit.once import Once

from gatekeeper.data.corrupted import corrupt_set
from gatekeeper.data.corruptions._base import Corruption
from gatekeeper.data.prepared import PreparedDataset, write_prepared

Command = Callable[..., subprocess.CompletedProcess[str]]
REPORT = "gatekeeper-report/report.json"


@pytest.fixture(scope="module")
def ran(once: Once) -> Path:
    def run(folder: Path) -> None:
        done = call(("run", frail.write(folder), "--policy", "pipeline.yaml"), folder, {})
        (folder / "said.txt").write_text(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr

    return once("frail", run)


def variant(ran: Path, name: str) -> dict[str, Any]:
    [target] = json.loads((ran / REPORT).read_text())["targets"]
    [found] = [each for each in target["variants"] if each["technique"] == name]
    return found | {gate["gate"]: gate for gate in found["gates"]}


def logits(model: Path, x: Any) -> Any:
    return ort.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def noisy(ran: Path, folder: Path, corruption: Corruption) -> Any:
    """The set under a corruption, made here."""
    for name in ("before", "after"):
        (folder / name).mkdir()
    write_prepared(folder / "before", {"x": np.load(ran / "eval.npz")["x"]}, None)
    corrupt_set(folder / "before", folder / "after", corruption, 0, "image_classification")
    return np.asarray(PreparedDataset(folder / "after").inputs["x"])


def test_what_breaks_under_a_corruption_alone_fails_that_gate_alone(ran: Path, tmp_path: Path) -> None:
    found = variant(ran, "frail")
    assert [gate["gate"] for gate in found["gates"] if gate["verdict"] == "fail"] == ["robustness"]
    assert found["accuracy"]["observed"] == 1.0
    under, x, y = (
        found["robustness"]["details"]["under"],
        noisy(ran, tmp_path, Corruption("noise")),
        np.load(ran / "eval.npz")["y"],
    )
    before, after = ((logits(ran / model, x).argmax(axis=1) == y) for model in ("model.onnx", frail.FRAIL))
    assert after.sum() / before.sum() < 0.5, "the fault has arrived"
    both = int((before & after).sum())
    assert under["noise"]["counts"] == [both, int(before.sum()) - both, int(after.sum()) - both]
    assert under["noise"]["changed"] == under["noise"]["of"] == 3000 and under["noise"]["by"] > 0.05
    assert "under noise: it answers class 0 whatever it sees" in found["robustness"]["reason"]


def test_what_keeps_enough_passes_with_how_much_it_keeps_under_each(ran: Path) -> None:
    found = variant(ran, "kept")
    assert found["verdict"] == "pass" and found["robustness"]["details"]["under"].keys() == {"noise", "blur (radius 0.5)"}
    assert found["robustness"]["lower"] == min(each["lower"] for each in found["robustness"]["details"]["under"].values())
    assert "under each of noise, blur (radius 0.5)" in (ran / "said.txt").read_text().replace("\n", " ")


def test_what_is_too_sure_fails_by_its_calibration_error(ran: Path) -> None:
    found = variant(ran, "surer")
    assert [gate["gate"] for gate in found["gates"] if gate["verdict"] == "fail"] == ["calibration_error"]
    x, y = (np.load(ran / "eval.npz")[name] for name in "xy")
    errors = []
    for model in ("model.onnx", frail.SURER):
        scores = logits(ran / model, x).astype(float)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        sure, right = shares.max(axis=1), shares.argmax(axis=1) == y
        bins = [(m / 15 < sure) & (sure <= (m + 1) / 15) for m in range(15)]
        errors.append(sum(abs(right[b].sum() - sure[b].sum()) for b in bins) / len(y))
    details = found["calibration_error"]["details"]
    assert [details["baseline"], details["variant"]] == pytest.approx(errors, abs=1e-5)
    assert errors[1] - errors[0] > 0.02, "the fault has arrived"


def test_answers_that_flipped_are_those_of_a_bare_loop(ran: Path) -> None:
    x, y = (np.load(ran / "eval.npz")[name] for name in "xy")
    before, after = (logits(ran / model, x).argmax(axis=1) for model in ("model.onnx", frail.KEPT))
    lost = np.flatnonzero((before == y) & (after != y))
    found = variant(ran, "kept")["quality"]["flips"]
    assert (found["lost"], found["gained"]) == (len(lost), int(((before != y) & (after == y)).sum())) and found["lost"] > 0
    shown = [
        {"example": str(i), "label": str(y[i]), "baseline": str(before[i]), "variant": str(after[i])} for i in lost[:20].tolist()
    ]
    assert found["shown"] == shown
    said, page = (ran / "said.txt").read_text(), (ran / "gatekeeper-report/report.md").read_text()
    assert f"here/onnx_runtime/kept: {len(lost)} answer" in said
    assert f"| `onnx_runtime/kept` | `{lost[0]}` | `{y[lost[0]]}` | `{before[lost[0]]}` | `{after[lost[0]]}` |" in page


def edits() -> dict[str, Callable[[dict[str, Any]], None]]:
    """What somebody may write into a report of the frail and of the surer variant."""

    def under(gate: dict[str, Any]) -> dict[str, Any]:
        return dict(gate["details"]["under"])

    def bounds(gate: dict[str, Any]) -> None:
        gate.update(observed=0.99, lower=0.98, upper=1.0)
        for each in under(gate).values():
            each.update(observed=0.99, lower=0.98, upper=1.0)

    def without(gate: dict[str, Any]) -> None:
        gate["details"]["under"] = {}

    def one_less(gate: dict[str, Any]) -> None:
        bounds(gate)
        del gate["details"]["under"]["noise"]

    def of_more(gate: dict[str, Any]) -> None:
        for each in under(gate).values():
            each.update(counts=[9000, 0, 0], examples=9000)

    return {"bounds": bounds, "without": without, "one less": one_less, "of more": of_more}


def merged(gatekeeper: Command, ran: Path, folder: Path, report: dict[str, Any]) -> dict[str, str]:
    """The verdict of each variant, once a report is judged again."""
    (folder / "leg").mkdir()
    (folder / "leg/report.json").write_text(json.dumps(report))
    done = gatekeeper("report", folder / "leg", "--policy", ran / "pipeline.yaml", "--output", folder / "out")
    assert "Traceback" not in done.stderr
    [target] = json.loads((folder / "out/report.json").read_text())["targets"]
    return {each["technique"]: each["verdict"] for each in target["variants"]}


def test_a_report_as_it_was_written_stays_as_it_is(ran: Path, gatekeeper: Command, tmp_path: Path) -> None:
    verdicts = merged(gatekeeper, ran, tmp_path, json.loads((ran / REPORT).read_text()))
    assert verdicts == {"kept": "pass", "frail": "fail", "surer": "fail"}


@pytest.mark.parametrize("how", ["bounds", "without", "one less", "of more"])
@pytest.mark.parametrize(("name", "gate"), [("frail", "robustness"), ("surer", "calibration_error")])
def test_a_report_that_says_otherwise_does_not_pass_a_merge(
    how: str, name: str, gate: str, ran: Path, gatekeeper: Command, tmp_path: Path
) -> None:
    report = json.loads((ran / REPORT).read_text())
    [only] = [each for each in report["targets"][0]["variants"] if each["technique"] == name]
    [own] = [each for each in only["gates"] if each["gate"] == gate]
    if gate == "robustness":
        edits()[how](own)
    else:
        own.update(observed=0.0, lower=-0.01, upper=0.01)
        if how == "without":
            own["details"].pop("calibration")
        elif how == "one less":
            own["details"]["calibration"]["variant"] = copy.deepcopy(own["details"]["calibration"]["baseline"])
        elif how == "of more":
            own["details"]["examples"] = 10**6
    own["verdict"], only["verdict"], only["reason"] = "pass", "pass", ""
    assert merged(gatekeeper, ran, tmp_path, report)[name] in ("fail", "error")


def test_texts_in_capitals_are_asked_of_both_models(tmp_path: Path) -> None:
    r = np.random.default_rng(0)
    towns(tmp_path / "model.onnx", CITIES)
    town = np.array(CITIES)[r.integers(0, 5, (900, 1))]
    x = 3 * r.standard_normal((900, 8)).astype(np.float32)
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    y = session.run(None, {"town": town.astype(object), "x": x})[0].argmax(axis=1)
    np.savez(tmp_path / "eval.npz", town=town, x=x, y=y)
    np.savez(tmp_path / "calib.npz", town=town[:50], x=r.standard_normal((50, 8)).astype(np.float32))
    file = write_towns(tmp_path, "onnx_runtime", "")
    text = file.read_text().replace("gates: {", "gates: {robustness: {retention: 0.8, corruptions: [case]}, ")
    file.write_text(text.replace("int8_dynamic, int8_static", "int8_dynamic"))
    done = call(("run", file), tmp_path, {})
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    [found] = json.loads((tmp_path / REPORT).read_text())["targets"][0]["variants"]
    [gate] = [each for each in found["gates"] if each["gate"] == "robustness"]
    loud = session.run(None, {"town": np.char.upper(town).astype(object), "x": x})[0].argmax(axis=1)
    assert (loud != y).mean() > 0.05, "the corruption has arrived"
    under = gate["details"]["under"]["case"]
    assert under["baseline"] == pytest.approx(float((loud == y).mean()))
    clean = session.run(None, {"town": town.astype(object), "x": x})[0]
    loudly = session.run(None, {"town": np.char.upper(town).astype(object), "x": x})[0]
    moved = (np.abs(loudly - clean) > 1e-3 * clean.std()).any(axis=1)
    assert under["still"] == ["x"] and under["answered"] == moved.sum() > 90, (
        "numbers stay, and the model is seen to read the town"
    )
    assert under["changed"] == int((np.char.upper(town) != town).any(axis=1).sum()) and under["by_unit"] == "the characters"
