"""Several evaluation sets with limits of their own, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from kit.command import call
from kit.tiny_llm import sentences, write_trained
from onnx import TensorProto, helper, numpy_helper

CLASSES, FEATURES = 4, 16
GATES = "speedup: disabled, memory: disabled, stability: disabled"


def save(path: Path, spoilt: float = 0.0, how: str = "") -> None:
    """A classifier, which answers wrongly where the last feature is on, in a share of the cases that the feature before says."""
    r = np.random.default_rng(0)
    weights = {"w": r.standard_normal((FEATURES, CLASSES)).astype(np.float32)}
    weights["w"][-2:] = 0
    weights["turn"] = np.roll(np.eye(CLASSES, dtype=np.float32), 1, axis=1)
    weights["from"], weights["to"] = np.array([FEATURES - 1]), np.array([FEATURES])
    weights["second"], weights["axis"] = np.array([FEATURES - 2]), np.array([1])
    weights["half"], weights["share"] = np.array([0.5], np.float32), np.array([spoilt], np.float32)
    weights["bad"] = np.array([np.nan if how == "nan" else 0.0], np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["right"]),
        helper.make_node("MatMul", ["right", "turn"], ["turned"]),
        helper.make_node("Mul", ["right", "bad"], ["none"]),
        helper.make_node("Slice", ["x", "from", "to", "axis"], ["maths"]),
        helper.make_node("Slice", ["x", "second", "from", "axis"], ["number"]),
        helper.make_node("Greater", ["maths", "half"], ["of maths"]),
        helper.make_node("Less", ["number", "share"], ["of these"]),
        helper.make_node("And", ["of maths", "of these"], ["spoilt"]),
        helper.make_node("Where", ["spoilt", "none" if how else "turned", "right"], ["logits"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])] for name, width in (("x", FEATURES), ("logits", 4))
    ]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(array, name) for name, array in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def answers(path: Path, x: Any) -> Any:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.array([session.run(None, {"x": row[None]})[0][0].argmax() for row in x])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and variants that keep all of the main set: of maths all, nine tenths, nothing but one class, and no numbers."""
    place = tmp_path_factory.mktemp("also")
    variants: dict[str, tuple[float, str]] = {"kept": (-1, ""), "tenth": (0.1, ""), "constant": (2, "zero"), "nan": (2, "nan")}
    save(place / "model.onnx")
    for name, (share, how) in variants.items():
        save(place / f"{name}.onnx", share, how)
    r = np.random.default_rng(1)
    for name, maths in (("main", 0.0), ("maths", 1.0)):
        x = r.standard_normal((600, FEATURES)).astype(np.float32)
        x[:, -1], x[:, -2] = maths, np.linspace(0, 1, 600, endpoint=False)
        y = answers(place / "model.onnx", x)
        y[::50] = (y[::50] + 1) % CLASSES
        np.savez(place / f"{name}.npz", x=x, y=y)
    return place


def read(folder: Path) -> dict[str, Any]:
    with np.load(folder / "maths.npz") as file:
        return dict(file)


def written(folder: Path, also: str, names: str, gates: str = "", name: str = "p.yaml") -> Path:
    file = folder / name
    variants = ", ".join(f"{{name: {each}, path: {each}.onnx}}" for each in names.split())
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: model.onnx, task: tabular_classification}}
  dataset:
    path: main.npz
    also:
      - {also}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [], variants: [{variants}]}}
  gates: {{{GATES}{gates}}}
""")
    return file


def ran(file: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = call(("run", file, "--output", file.parent / "report", *more), file.parent, {})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads((file.parent / "report/report.json").read_text())


def variants(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["technique"]: each for each in report["targets"][0]["variants"]}


def gates(variant: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["gate"]: each for each in variant["gates"]}


MATHS = "{name: maths, path: maths.npz, retention: 0.98}"


def test_what_is_lost_on_a_further_set_fails(folder: Path) -> None:
    code, report = ran(written(folder, MATHS, "kept tenth constant nan", ", require: all"))
    assert code == 1
    found, data = variants(report), read(folder)
    kept, tenth = gates(found["kept"]), gates(found["tenth"])
    assert found["kept"]["verdict"] == "pass", found["kept"]["reason"]
    assert {"accuracy", "accuracy/maths", "outputs/maths", "worst_class/maths"} <= kept.keys()
    assert kept["accuracy/maths"]["limit"] == 0.98 and kept["accuracy/maths"]["where"].endswith("p.yaml:6")
    right = {name: float((answers(folder / f"{name}.onnx", data["x"]) == data["y"]).mean()) for name in ("model", "tenth")}
    assert right["tenth"] < 0.92 * right["model"], "the fault has arrived"
    assert tenth["accuracy"]["verdict"] == "pass" and tenth["accuracy/maths"]["verdict"] == "fail"
    assert tenth["accuracy/maths"]["observed"] == pytest.approx(right["tenth"] / right["model"], abs=1e-9)
    assert found["tenth"]["also"]["maths"]["value"] == pytest.approx(right["tenth"], abs=1e-9)
    for name in ("constant", "nan"):
        own = gates(found[name])
        assert found[name]["verdict"] == "fail" and own["accuracy"]["verdict"] == "pass"
        assert own["accuracy/maths"]["verdict"] == "fail"
    assert gates(found["constant"])["worst_class/maths"]["verdict"] == "fail"
    assert report["targets"][0]["legs"][0]["also"]["maths"]["examples"] == 600
    for name in ("report.md", "junit.xml", "report.sarif"):
        assert "accuracy/maths" in (folder / "report" / name).read_text(), name


FORGED: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "it passes": lambda variant, leg: None,
    "its bounds": lambda variant, leg: gates(variant)["accuracy/maths"].update(lower=0.99, upper=1.0, observed=1.0),
    "it is gone": lambda variant, leg: variant.update(gates=[g for g in variant["gates"] if g["gate"] != "accuracy/maths"]),
    "another set": lambda variant, leg: gates(variant)["accuracy/maths"].update(gate="accuracy/other"),
    "no set": lambda variant, leg: gates(variant)["accuracy/maths"].update(gate="accuracy/"),
    "it warns": lambda variant, leg: gates(variant)["accuracy/maths"].update(blocking=False),
    "another limit": lambda variant, leg: gates(variant)["accuracy/maths"].update(limit=0.5),
    "its classes are the main set's": lambda variant, leg: leg["also"].clear(),
    "its quality is gone": lambda variant, leg: variant["also"].clear(),
}


def test_nothing_forged_of_a_further_set_passes(folder: Path) -> None:
    code, told = ran(written(folder, MATHS, "tenth"))
    assert code == 1
    for name, change in FORGED.items():
        report = json.loads(json.dumps(told))
        [target] = report["targets"]
        for each in target["variants"][0]["gates"]:
            each["verdict"] = "pass" if each["verdict"] == "fail" else each["verdict"]
        report["verdict"] = target["verdict"] = target["variants"][0]["verdict"] = "pass"
        change(target["variants"][0], target["legs"][0])
        (folder / "told.json").write_text(json.dumps(report))
        done = call(("report", "told.json", "--output", "merged"), folder, {})
        assert done.returncode in (1, 2, 3, 4), (name, done.stdout)


def test_a_set_that_warns_does_not_block(folder: Path) -> None:
    code, report = ran(written(folder, MATHS.replace("}", ", on_fail: warn}"), "tenth"))
    assert code == 0
    found = gates(variants(report)["tenth"])["accuracy/maths"]
    assert found["verdict"] == "fail" and not found["blocking"]


def test_what_a_change_takes_away_is_held(folder: Path) -> None:
    written(folder, MATHS, "tenth", name="base.yaml")
    file = written(folder, MATHS, "tenth")
    file.write_text("".join(line for line in file.read_text().splitlines(True) if "also:" not in line and "maths" not in line))
    code, report = ran(file, "--policy", "base.yaml")
    assert code == 4
    found = gates(variants(report)["tenth"])["accuracy/maths"]
    assert found["verdict"] == "error" and "there is no evaluation set 'maths' in this file" in found["reason"]
    loosened = report["pipeline"]["loosened"]
    assert any("gates.accuracy/maths.retention: 0.98 in the policy, not given here" in each for each in loosened)
    code, report = ran(written(folder, MATHS.replace("0.98", "0.5"), "tenth"), "--policy", "base.yaml")
    assert code == 1 and gates(variants(report)["tenth"])["accuracy/maths"]["limit"] == 0.98


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ("{path: maths.npz}", "6:"),
        ("{name: maths}", "dataset needs `path` or `loader`"),
        ("{name: maths, path: nowhere.npz}", "no such dataset"),
        ("{name: a b, path: maths.npz}", "name"),
        ("{name: maths, path: maths.npz}\n      - {name: Maths, path: main.npz}", "'Maths' is named twice"),
        ("{name: maths, path: maths.npz, metric: bleu}", "dataset.metric is 'bleu'"),
        ("{name: maths, path: narrow.npz}", "x"),
        ("{name: maths, path: maths.npz, labels: z}", "has nothing called 'z'"),
    ],
)
def test_validate_reads_these_too(also: str, said: str, folder: Path) -> None:
    data = read(folder)
    np.savez(folder / "narrow.npz", x=data["x"][:, :5], y=data["y"])
    done = call(("validate", written(folder, also, "kept")), folder, {})
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert "p.yaml:6:" in done.stderr or "p.yaml:7:" in done.stderr


def test_a_set_of_calibration_examples_is_refused(folder: Path) -> None:
    file = written(folder, MATHS, "kept")
    file.write_text(file.read_text().replace("    path: main.npz", "    path: main.npz\n    calibration: maths.npz"))
    done = call(("validate", file), folder, {})
    assert done.returncode == 2 and "the calibration set must not be an evaluation set" in done.stderr


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_language_model_is_asked_questions_beside_its_text(tmp_path: Path) -> None:
    """Windows of a text, and prompts whose right continuation a model that has learnt the form of a sentence takes."""
    folder = write_trained(tmp_path)
    lines = []
    for number, line in enumerate(sentences(90, 7).splitlines()):
        words = line.rstrip(".").split()
        choices = [" " + " ".join(words[5:]), " " + " ".join([words[6], words[7], words[5]])]
        lines.append(
            json.dumps({"prompt": " ".join(words[:5]), "choices": choices[:: 1 - 2 * (number % 2)], "answer": number % 2})
        )
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "text.txt").write_text(sentences(300, 8))
    file = folder / "p.yaml"
    file.write_text(f"""\
edge_ai_pipeline:
  model: {{path: model}}
  dataset: {{path: text.txt, window: 16, also: [{{name: questions, path: questions.jsonl, metric: acc, retention: 0.9}}]}}
  targets: [{{name: here, hardware: cpu, threads: 1}}]
  optimization: {{frameworks: [llama_cpp], techniques: {{llama_cpp: [q8_0]}}}}
  gates: {{{GATES}}}
""")
    code, report = ran(file)
    found = variants(report)["q8_0"]
    own = gates(found)["accuracy/questions"]
    assert code in (0, 3) and own["verdict"] == "pass", own["reason"]
    assert own["details"]["metric"] == "acc" and own["details"]["examples"] >= 80
    assert found["also"]["questions"]["value"] > 0.9 and found["quality"]["metric"] == "perplexity"
    assert "outputs/questions" not in gates(found)
