"""Models that transcribe, answer by a span, rank and embed, gated through the command line; values by other libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from kit import command, judged
from kit.lazily import Lazily
from onnx import helper, numpy_helper

jiwer, sklearn = Lazily("jiwer"), Lazily("sklearn.metrics")
LETTERS = ["<blank>", *"abcdefghijklmnopqrs "]
LOUD = 3e4
"""A weight of a feature that is never on, beside which eight bits round all others to nothing."""


@dataclass(frozen=True)
class Kind:
    """A model with one matrix, its data, and its value by other code from what ONNX Runtime answers."""

    task: str
    metric: str
    shape: tuple[int, ...]
    outputs: dict[str, tuple[int, ...]]
    matrix: Any
    data: dict[str, Any]
    value: Callable[[dict[str, Any]], float]
    more: str = ""


def transcription() -> Kind:
    rng = np.random.default_rng(0)
    letters = rng.normal(size=(len(LETTERS), 24))
    texts, x = [], np.zeros((600, 40, 24), np.float32)
    for example in x:
        text = " ".join("".join(rng.choice(LETTERS[1:-1], rng.integers(2, 6))) for _ in range(rng.integers(1, 4)))
        texts.append(text)
        steps = [step for letter in text for step in (LETTERS.index(letter), 0)]
        example[:] = letters[[*steps, *[0] * (40 - len(steps))]] + rng.normal(0, 0.7, (40, 24))

    def value(answers: dict[str, Any]) -> float:
        read = []
        for row in answers["logits"].argmax(axis=2).tolist():
            steps = [step for step, before in zip(row, [-1, *row], strict=False) if step not in (before, 0)]
            read.append(" ".join("".join(LETTERS[step] for step in steps).split()))
        return float(jiwer.cer(texts, read))

    data = {"x": x, "y": np.asarray(texts)}
    symbols = f", symbols: {{vocabulary: {json.dumps(LETTERS)}}}"
    name, outputs = "character_error_rate", {"logits": (40, len(LETTERS))}
    return Kind("transcription", name, (40, 24), outputs, letters.T * 2, data, value, symbols)


def question_answering() -> Kind:
    rng = np.random.default_rng(1)
    ends = rng.normal(size=(24, 2))
    truth = np.sort(rng.integers(0, 30, (300, 2)), axis=1)
    truth[:, 1] = np.minimum(truth[:, 1], truth[:, 0] + 8)
    x = rng.normal(0, 0.45, (300, 30, 24)).astype(np.float32)
    for example, (first, last) in zip(x, truth, strict=True):
        example[first] += ends[:, 0] * 0.6
        example[last] += ends[:, 1] * 0.6

    def value(answers: dict[str, Any]) -> float:
        right = 0
        for start, end, own in zip(answers["start"], answers["end"], truth.tolist(), strict=True):
            best = max((start[s] + end[e], [s, e]) for s in range(30) for e in range(s, 30))
            right += best[1] == own
        return right / len(truth)

    outputs = {"start": (30,), "end": (30,)}
    return Kind("question_answering", "span_exact", (30, 24), outputs, ends, {"x": x, "y": truth}, value)


def ranking() -> Kind:
    rng = np.random.default_rng(2)
    weights, query = rng.normal(size=(24, 1)), np.repeat(np.arange(700), 8)
    x = rng.normal(size=(5600, 24)).astype(np.float32)
    relevance = np.clip(np.round((x @ weights)[:, 0] / 4 + rng.normal(0, 0.4, 5600) + 1), 0, 4)

    def value(answers: dict[str, Any]) -> float:
        each = [query == number for number in range(700)]
        scores = answers["score"][:, 0]
        kept = [sklearn.ndcg_score([relevance[own]], [scores[own]]) for own in each]
        return float(np.mean(kept))

    labels = np.stack([relevance, query], axis=1)
    return Kind("ranking", "ndcg", (24,), {"score": (1,)}, weights, {"x": x, "y": labels}, value)


def retrieval() -> Kind:
    rng = np.random.default_rng(3)
    numbers = np.repeat(np.arange(300), 2)
    x = (rng.normal(size=(300, 24))[numbers] + rng.normal(size=(600, 24)) * 0.45).astype(np.float32)

    def value(answers: dict[str, Any]) -> float:
        near = sklearn.pairwise.cosine_similarity(answers["vector"])
        np.fill_diagonal(near, -2)
        return float((numbers[near.argmax(axis=1)] == numbers).mean())

    data = {"x": x, "y": numbers}
    return Kind("retrieval", "recall_at_1", (24,), {"vector": (16,)}, rng.normal(size=(24, 16)), data, value)


KINDS = {make.__name__: make for make in (transcription, question_answering, ranking, retrieval)}


def run(kind: Kind, folder: Path, broken: bool, labelled: bool = True) -> tuple[dict[str, Any], int, str]:
    """Gates by name, and how the command ended."""
    folder.mkdir()
    matrix = np.vstack([kind.matrix, np.zeros((1, kind.matrix.shape[1]))])
    matrix[-1, 0] = LOUD if broken else 0.0
    x = np.concatenate([kind.data["x"], np.zeros((*kind.data["x"].shape[:-1], 1), np.float32)], axis=-1)
    data = {"x": x, "y": kind.data["y"]} if labelled else {"x": x}
    if not labelled and kind.task == "ranking":
        data["y"] = kind.data["y"][:, 1].astype(int)  # which items are ranked together is no label, and must be known
    weights = {"w": matrix}
    if kind.task == "question_answering":
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["both"]),
            helper.make_node("Split", ["both"], ["s", "e"], axis=2),
            helper.make_node("Squeeze", ["s", "last"], ["start"]),
            helper.make_node("Squeeze", ["e", "last"], ["end"]),
        ]
        nodes.insert(0, helper.make_node("Constant", [], ["last"], value=numpy_helper.from_array(np.asarray([2]), "last")))
    else:
        nodes = [helper.make_node("MatMul", ["x", "w"], [next(iter(kind.outputs))])]
    shape = (*kind.shape[:-1], kind.shape[-1] + 1)
    file = judged.write(folder, nodes, shape, kind.outputs, weights, data, kind.task)
    file.write_text(file.read_text().replace(f"task: {kind.task}", f"task: {kind.task}{kind.more}"))
    ran = command.call(["run", file, "--cache-dir", folder / "cache"], folder, {})
    report = json.loads((folder / "gatekeeper-report/report.json").read_text())
    gates = {each["gate"]: each for target in report["targets"] for one in target["variants"] for each in one["gates"]}
    return gates, ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", KINDS)
def test_a_model_is_judged_by_its_tasks_own_metric(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]()
    gates, code, said = run(kind, tmp_path / "sound", broken=False)
    assert (code, gates["accuracy"]["verdict"]) == (0, "pass"), said
    session = onnxruntime.InferenceSession(tmp_path / "sound/model.onnx", providers=["CPUExecutionProvider"])
    x = np.load(tmp_path / "sound/eval.npz")["x"]
    answers = dict(zip([each.name for each in session.get_outputs()], session.run(None, {"x": x}), strict=True))
    assert gates["accuracy"]["details"]["metric"] == kind.metric
    assert gates["accuracy"]["details"]["baseline"] == pytest.approx(kind.value(answers), abs=1e-9)
    gates, code, said = run(kind, tmp_path / "broken", broken=True)
    assert code == 1 and gates["accuracy"]["verdict"] == "fail", said


@pytest.mark.thorough
@pytest.mark.parametrize("name", KINDS)
def test_without_labels_a_model_is_held_against_itself(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]()
    gates, code, said = run(kind, tmp_path / "broken", broken=True, labelled=False)
    judged_by = "accuracy" if name == "ranking" else "agreement"
    assert code == 1 and gates[judged_by]["verdict"] == "fail", said
