"""Trained models of tasks with several answers an example, through the front door and by a bare loop beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from kit import places
from kit.command import call
from kit.lazily import Lazily

metrics = Lazily("sklearn.metrics")
seqeval = Lazily("seqeval.metrics")
torch = Lazily("torch")
torchmetrics = Lazily("torchmetrics.functional")

MAKERS: dict[str, Callable[[Path], Path]] = {
    "token_classification": places.tagger,
    "semantic_segmentation": places.painter,
    "multi_label_classification": places.reporter,
}
WRONG = ("constant", "one_lost", "half_lost", "swapped", "nan")


@pytest.fixture(scope="module", params=MAKERS)
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(task: str, once: Callable[..., Path]) -> Path:
    return once(f"task-{task}", MAKERS[task])


def answered(folder: Path, model: str) -> tuple[Any, Any]:
    """What a model says, asked without gatekeeper, and the labels."""
    session = ort.InferenceSession(str(folder / f"{model}.onnx"), providers=["CPUExecutionProvider"])
    data = dict(np.load(folder / "eval.npz"))
    labels = data.pop("labels" if "labels" in data else "y")
    return session.run(None, data)[0], labels


def report(folder: Path, file: Path, to: str, code: int) -> dict[str, Any]:
    """Variants by name: their gates, and what they score."""
    done = call(["run", file, "--output", folder / to, "--quiet"], folder, {})
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    [target] = json.loads((folder / to / "report.json").read_text())["targets"]
    found = {each["id"].rpartition("/")[2]: each for each in target["variants"]}
    for each in found.values():
        each["by"] = {gate["gate"]: gate for gate in each["gates"]}
    return found


@pytest.fixture(scope="module")
def ran(folder: Path) -> dict[str, Any]:
    return report(folder, folder / "pipeline.yaml", "labelled", 0)


def test_values_are_those_of_independent_code(task: str, folder: Path, ran: dict[str, Any]) -> None:
    for model in ("model", "half", "one_lost"):
        scores, labels = answered(folder, model)
        if task == "token_classification":
            seen = labels != -100
            expected = metrics.accuracy_score(labels[seen], scores.argmax(axis=2)[seen])
        elif task == "semantic_segmentation":
            expected = float(
                torchmetrics.jaccard_index(
                    torch.from_numpy(scores.argmax(axis=1)), torch.from_numpy(labels.astype(int)),
                    task="multiclass", num_classes=places.KINDS, ignore_index=255,
                )
            )  # fmt: skip
        else:
            expected = metrics.f1_score(labels, scores > 0.5, average="macro")
        details = ran["half" if model == "model" else model]["by"]["accuracy"]["details"]
        assert details["baseline" if model == "model" else "variant"] == pytest.approx(expected, abs=1e-6)
        assert details["examples"] == len(labels)


def test_what_rounding_does_passes(ran: dict[str, Any]) -> None:
    assert ran["half"]["verdict"] == "pass", ran["half"]["reason"]
    assert ran["half"]["by"]["worst_class"]["verdict"] == "pass"


@pytest.mark.parametrize("variant", WRONG)
def test_what_is_broken_does_not_pass(variant: str, task: str, ran: dict[str, Any]) -> None:
    assert ran[variant]["verdict"] == "fail", ran[variant]["reason"]


def test_a_class_that_is_lost_is_named(task: str, ran: dict[str, Any]) -> None:
    lost = {"token_classification": "I-LOC", "semantic_segmentation": "9", "multi_label_classification": "sun"}[task]
    gate = ran["one_lost"]["by"]["worst_class"]
    assert gate["verdict"] == "fail" and gate["reason"].startswith(f"class {lost}: 0 of "), gate["reason"]


ONE_OF_THEM = pytest.mark.parametrize(
    "task",
    [name if name == "token_classification" else pytest.param(name, marks=pytest.mark.thorough) for name in MAKERS],
    indirect=True,
)
"""What is the same whatever the task is; tests/evaluate/test_broken_variants.py has every task, with labels and without."""


@ONE_OF_THEM
def test_without_labels_the_baselines_answers_are_right(task: str, folder: Path) -> None:
    file = folder / "unlabelled.yaml"
    file.write_text((folder / "pipeline.yaml").read_text().replace("eval.npz", "unlabelled.npz"))
    found = report(folder, file, "unlabelled", 0)
    assert {name: found[name]["verdict"] for name in WRONG} == dict.fromkeys(WRONG, "fail")
    assert found["half"]["verdict"] == "pass", found["half"]["reason"]
    (before, labels), (after, _) = answered(folder, "model"), answered(folder, "one_lost")
    if task == "token_classification":
        same = before.argmax(axis=2) == after.argmax(axis=2)
        expected = same[labels != -100].mean()  # as the attention mask has it: padding is no token
        assert same.mean() > expected
    elif task == "semantic_segmentation":
        expected = metrics.jaccard_score(before.argmax(axis=1).ravel(), after.argmax(axis=1).ravel(), average="macro")
    else:
        expected = metrics.f1_score(before > 0.5, after > 0.5, average="macro")
    assert found["one_lost"]["by"]["agreement"]["observed"] == pytest.approx(expected, abs=1e-6)


def test_entities_are_seqevals(once: Callable[..., Path]) -> None:
    folder = once("task-token_classification", places.tagger)
    file = folder / "entities.yaml"
    file.write_text((folder / "pipeline.yaml").read_text().replace("eval.npz", "eval.npz, metric: entity_f1"))
    found = report(folder, file, "entities", 0)
    for model, side in (("model", "baseline"), ("half", "variant"), ("one_lost", "variant")):
        scores, labels = answered(folder, model)
        truth, given = (
            [[places.TAGS[t] for t in row[seen]] for row, seen in zip(each, labels != -100, strict=True)]
            for each in (labels, scores.argmax(axis=2))
        )
        details = found["half" if model == "model" else model]["by"]["accuracy"]["details"]
        assert details[side] == pytest.approx(seqeval.f1_score(truth, given))
    assert {name: found[name]["verdict"] for name in WRONG} == dict.fromkeys(WRONG, "fail")
    assert found["half"]["verdict"] == "pass"


@ONE_OF_THEM
def test_the_wrong_task_says_which_is_right(task: str, folder: Path) -> None:
    file = folder / "wrong.yaml"
    file.write_text((folder / "pipeline.yaml").read_text().replace(task, "text_classification").replace(", ignore: 255", ""))
    text = file.read_text()
    file.write_text(text[: text.index(", classes:")] + text[text.index("]}") + 1 :] if ", classes:" in text else text)
    done = call(["run", file, "--output", folder / "wrong", "--quiet"], folder, {})
    assert done.returncode == 4
    assert f"model: {{task: {task}}}" in " ".join(done.stdout.split())


@ONE_OF_THEM
def test_one_class_an_example_is_no_such_task(task: str, folder: Path) -> None:
    data = dict(np.load(folder / "unlabelled.npz"))
    np.savez(folder / "one.npz", **data, y=np.arange(len(next(iter(data.values())))) % 3)
    file = folder / "one.yaml"
    file.write_text((folder / "pipeline.yaml").read_text().replace("eval.npz", "one.npz"))
    done = call(["run", file, "--output", folder / "one", "--quiet"], folder, {})
    assert done.returncode == 4
    assert "Traceback" not in done.stderr and "the labels have" in " ".join(done.stdout.split())
