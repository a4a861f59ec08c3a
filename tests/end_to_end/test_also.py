"""Several evaluation sets with limits of their own, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.command import call
from kit.further import GATES, MATHS, answers, fill, written
from kit.tiny_llm import sentences, write_trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("also")
    fill(place)
    return place


def read(folder: Path) -> dict[str, Any]:
    with np.load(folder / "maths.npz") as file:
        return dict(file)


def ran(file: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = call(("run", file, "--output", file.parent / "report", *more), file.parent, {})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads((file.parent / "report/report.json").read_text())


def variants(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["technique"]: each for each in report["targets"][0]["variants"]}


def gates(variant: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["gate"]: each for each in variant["gates"]}


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
    said = (folder / "report/report.md").read_text()
    assert "; on maths: accuracy of logits, 600 examples, 4 classes" in said
    for name in ("report.md", "junit.xml", "report.sarif"):
        assert "accuracy/maths" in (folder / "report" / name).read_text(), name


FORGED: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "it passes": lambda variant, leg: None,
    "its bounds": lambda variant, leg: gates(variant)["accuracy/maths"].update(lower=0.99, upper=1.0, observed=1.0),
    "it is gone": lambda variant, leg: variant.update(gates=[g for g in variant["gates"] if g["gate"] != "accuracy/maths"]),
    "all of it is gone": lambda variant, leg: variant.update(gates=[g for g in variant["gates"] if "/" not in g["gate"]]),
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


WAIVER = "waivers: [{{gate: accuracy, set: {name}, target: here, ceiling: {least}, reason: r, owner: o, expires: 2099-12-31}}]\n"


@pytest.mark.parametrize(
    ("name", "least", "code", "said"),
    [
        ("maths", 0.8, 0, ""),
        ("maths", 0.9, 1, "its ceiling is 0.9"),
        ("maths", 0.99, 2, "waives nothing: the limit is 0.98"),
        ("physics", 0.8, 2, "no gate 'accuracy/physics' is on here. The further sets are maths"),
    ],
)
def test_a_waiver_names_its_set(name: str, least: float, code: int, said: str, folder: Path, tmp_path: Path) -> None:
    for file in folder.glob("*.np*"), folder.glob("*.onnx"):
        for each in file:
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / "gatekeeper-waivers.yml").write_text(WAIVER.format(name=name, least=least))
    done = call(("run", written(tmp_path, MATHS, "tenth", ", worst_class: disabled"), "--output", "r"), tmp_path, {})
    assert done.returncode == code and said in done.stdout + done.stderr, done.stdout + done.stderr
