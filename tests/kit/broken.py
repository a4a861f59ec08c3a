"""Of every task a baseline that answers well, labels, and variants that a user would call broken: what answers of theirs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kit.scored import scored

from gatekeeper.config.sections.symbols import Symbols
from gatekeeper.data.prepared import write_prepared
from gatekeeper.evaluate.compared import comparison_of, scores_of
from gatekeeper.evaluate.detection.form import padded
from gatekeeper.evaluate.score import Score
from gatekeeper.evaluate.tasks._base import Reading
from gatekeeper.gates import accuracy, outputs, worst_class
from gatekeeper.records.base import Verdict
from gatekeeper.records.evidence import Evidence
from gatekeeper.records.gates import Decision
from gatekeeper.records.measured import Artifact


@dataclass
class World:
    """Outputs of a baseline, labels, and outputs of variants by what is wrong with them; `sound` is one that is not."""

    task: str
    before: Any
    labels: Any
    broken: dict[str, Any]
    sound: Any
    told: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    unlabelled: Any = None  # what there is where there are no labels


def shuffled(rng: Any, outputs: Any) -> Any:
    return rng.permutation(outputs)


def constant(outputs: Any) -> Any:
    return np.repeat(outputs[:1], len(outputs), axis=0)


def scores(answers: Any, classes: int, rng: Any) -> Any:
    return (np.eye(classes)[answers] * 5 + rng.normal(0, 0.1, (*answers.shape, classes))).astype(np.float32)


def near(rng: Any, outputs: Any) -> Any:
    """Moved by what rounding moves."""
    return (outputs + rng.normal(0, 1e-4, outputs.shape)).astype(outputs.dtype)


def _classified(task: str) -> World:
    rng = np.random.default_rng(1)
    truth = np.where(rng.random(2000) < 0.02, 7, rng.integers(0, 7, 2000))
    answers = np.where(rng.random(2000) < 0.03, rng.integers(0, 8, 2000), truth)
    before = scores(answers, 8, rng)
    alarms = np.where((rng.random(2000) < 0.035) & (answers != 7), 7, answers)
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "one class lost": scores(np.where(answers == 7, 0, answers), 8, rng),
        "false alarms": scores(alarms, 8, rng),
    }
    return World(task, before, truth, broken, near(rng, before))


def _tokens() -> World:
    rng = np.random.default_rng(2)
    truth = np.where(rng.random((600, 30)) < 0.02, 5, rng.integers(0, 5, (600, 30)))
    nothing, single = np.arange(60), np.arange(60, 100)
    truth[:100] = 0
    truth[single, rng.integers(0, 30, 40)] = rng.integers(1, 5, 40)
    answers = np.where(rng.random(truth.shape) < 0.02, rng.integers(0, 6, truth.shape), truth)
    answers[:100] = truth[:100]

    def of(answers: Any) -> Any:
        return scores(answers, 6, rng)

    third, late, early, sparse, alarms, filled, emptied = (answers.copy() for _ in range(7))
    filled[nothing, rng.integers(0, 30, 60)] = rng.integers(1, 5, 60)
    emptied[single] = 0
    third[(answers == 5) & (rng.random(answers.shape) < 0.34)] = 0
    late[:, 29] = 0
    early[:, 0] = 0
    sparse[:, 17] = (sparse[:, 17] + 1) % 6
    alarms[rng.random(answers.shape) < 0.03] = 5
    broken = {
        "random": shuffled(rng, of(answers)),
        "constant": of(np.zeros_like(answers)),
        "one class lost": of(np.where(answers == 5, 0, answers)),
        "a third of a class": of(third),
        "the last step": of(late),
        "the first step": of(early),
        "a step": of(sparse),
        "false alarms": of(alarms),
        "nothing filled": of(filled),
        "single ones lost": of(emptied),
    }
    before = of(answers)
    return World(
        "token_classification",
        before,
        truth,
        broken,
        near(rng, before),
        told={"classes": ("O", "B-A", "I-A", "B-B", "I-B", "B-C")},
    )


def _pixels() -> World:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 6, (300, 12, 1)).repeat(12, axis=2)
    truth[:, 3, :4] = 6
    truth[:90] = 0
    for i in range(60, 90):
        _blob(rng, truth[i], 2, 6)
    answers = np.where(rng.random(truth.shape) < 0.02, rng.integers(0, 7, truth.shape), truth)
    answers[:90] = truth[:90]

    def of(answers: Any) -> Any:
        return np.moveaxis(scores(answers, 7, rng), -1, 1)

    shrunk, grown, border, filled, emptied = (answers.copy() for _ in range(5))
    for each in filled[:60]:
        _blob(rng, each, 2, 6)
    emptied[60:90] = 0
    shrunk[:, 3, 2:4] = 0
    grown[:, 4, :3] = 6
    border[:, :, 11] = (border[:, :, 11] + 1) % 6
    broken = {
        "random": shuffled(rng, of(answers)),
        "constant": of(np.zeros_like(answers)),
        "one class lost": of(np.where(answers == 6, 0, answers)),
        "a class shrunk": of(shrunk),
        "a class grown": of(grown),
        "a border": of(border),
        "nothing filled": of(filled),
        "small ones lost": of(emptied),
    }
    before = of(answers)
    return World("semantic_segmentation", before, truth, broken, near(rng, before))


def _blob(rng: Any, image: Any, size: int, classes: int) -> None:
    """Of some class, somewhere."""
    row, column = (rng.integers(0, length - size + 1) for length in image.shape)
    image[row : row + size, column : column + size] = rng.integers(1, classes)


def _labels() -> World:
    rng = np.random.default_rng(4)
    truth = (rng.random((2000, 12)) < [0.3] * 11 + [0.02]).astype(int)
    answers = np.where(rng.random(truth.shape) < 0.005, 1 - truth, truth)

    def of(answers: Any) -> Any:
        return (0.05 + 0.9 * answers + rng.normal(0, 0.01, answers.shape)).astype(np.float32)

    lost, alarms, filled, emptied = (answers.copy() for _ in range(4))
    nothing = np.flatnonzero(~answers.any(axis=1))
    filled[nothing, rng.integers(0, 11, len(nothing))] = 1
    emptied[answers.sum(axis=1) == 1] = 0
    lost[:, 11] = 0
    alarms[rng.random(2000) < 0.04, 11] = 1
    broken = {
        "random": shuffled(rng, of(answers)),
        "constant": of(np.zeros_like(answers)),
        "all": of(np.ones_like(answers)),
        "one class lost": of(lost),
        "false alarms": of(alarms),
        "nothing filled": of(filled),
        "single ones lost": of(emptied),
    }
    before = of(answers)
    return World("multi_label_classification", before, truth, broken, near(rng, before))


def _boxes() -> World:
    rng = np.random.default_rng(5)
    corner = np.stack([rng.uniform(0, 20, (500, 3)), rng.uniform(0, 20, (500, 3))], axis=2) + np.arange(3)[None, :, None] * 40
    kind = rng.integers(0, 4, (500, 3))
    truth = np.concatenate([corner, corner + 30, kind[..., None], np.zeros((500, 3, 1))], axis=2)

    def of(kinds: Any, kept: Any = None, moved: float = 0.0) -> Any:
        found = np.concatenate([corner + moved, corner + 30 + moved, np.full((500, 3, 1), 0.9), kinds[..., None]], axis=2)
        return padded(
            [row if kept is None else row[own] for row, own in zip(found, kind >= 0 if kept is None else kept, strict=True)]
        )

    before = of(kind)
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "empty": of(kind, kind < 0),
        "one class lost": of(kind, kind != 3),
        "elsewhere": of(kind, moved=20.0),
    }
    moved = before.copy()
    moved[..., :4] = near(rng, moved[..., :4])
    return World("object_detection", before, truth, broken, moved)


def _spans() -> World:
    rng = np.random.default_rng(6)
    first = np.where(rng.random(3000) < 0.96, 0, rng.integers(1, 40, 3000))
    truth = np.stack([first, np.where(first > 0, first + rng.integers(0, 5, 3000), 0)], axis=1)

    def of(first: Any, last: Any) -> Any:
        found = rng.normal(0, 0.1, (3000, 2, 48)).astype(np.float32)
        for end, place in enumerate((first, last)):
            found[np.arange(3000), end, place] += 8
        return found

    begin, end = truth.T
    before = of(begin, end)
    crossed = before.copy()
    crossed[:, 0, 47] += 20
    crossed[:, 1, 0] += np.where(begin > 0, 20, 0)
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "empty": of(begin * 0, end * 0),
        "answers lost": of(np.where(begin > 0, (begin + 20) % 45 + 1, 0), np.where(begin > 0, (begin + 20) % 45 + 1, 0)),
        "end first": crossed,
    }
    return World("question_answering", before, truth, broken, near(rng, before))


def _ranked() -> World:
    rng = np.random.default_rng(7)
    query, relevance = np.repeat(np.arange(2500), 10), (rng.random(25000) < 0.85).astype(float)
    before = (query * 3 + relevance + 0.01 * rng.random(25000)).astype(np.float32)[:, None]
    inside = before - query[:, None] * 3
    broken = {
        "random": rng.random((25000, 1)).astype(np.float32),
        "constant": np.zeros_like(before),
        "reversed inside": (query[:, None] * 3 + 1 - inside).astype(np.float32),
        "random inside": (query * 3 + rng.random(25000)).astype(np.float32)[:, None],
    }
    labels = np.stack([relevance, query], axis=1)
    return World("ranking", before, labels, broken, near(rng, before), unlabelled=query)


def _vectors(task: str) -> World:
    rng = np.random.default_rng(8)
    things = np.repeat(np.arange(200), 5)
    own = rng.normal(size=(200, 24))[things] + rng.normal(size=(1000, 24)) * 0.3
    common = np.zeros(24)
    common[0] = 60
    before = (own + common).astype(np.float32)
    few = own.copy()
    few[:, 3:] = 0
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "few directions": (few + common).astype(np.float32),
        "zero": np.zeros_like(before),
    }
    if task == "retrieval":
        lost = own.copy()
        lost[things == 3] = rng.normal(size=(5, 24))
        return World(
            task,
            before,
            things,
            broken
            | {
                "some things lost": (np.where(things[:, None] % 7 == 3, rng.normal(size=own.shape), own) + common).astype(
                    np.float32
                )
            },
            near(rng, before),
        )
    pushed = before + np.roll(common, 1).astype(np.float32) * 2
    return World(
        task,
        before,
        before + rng.normal(0, 0.01, before.shape).astype(np.float32),
        broken | {"pushed": pushed},
        near(rng, before),
    )


def _numbers() -> World:
    rng = np.random.default_rng(9)
    truth = rng.normal(size=(1500, 3)).astype(np.float32)
    before = (truth + rng.normal(0, 0.3, truth.shape)).astype(np.float32)
    dead, saturated = before.copy(), before.copy()
    dead[:, 2] = 0
    saturated[:, 1] = np.minimum(saturated[:, 1], 1.6)
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "one number lost": dead,
        "saturated": saturated,
        "zero": np.zeros_like(before),
    }
    return World("regression", before, truth, broken, near(rng, before))


LETTERS = ("<blank>", *"abcdefghijklmnopqrstuvwxyz")


def _texts() -> World:
    rng = np.random.default_rng(10)
    alphabet = list("abcdefghijklmnopqrstuvwxy")
    texts = [
        "".join(rng.choice(alphabet, rng.integers(1, 3) if rng.random() < 0.3 else rng.integers(40, 60))) for _ in range(800)
    ]
    texts = [text[:-1] + "z" if rng.random() < 0.2 and len(text) > 9 else text for text in texts]
    texts = ["" if rng.random() < 0.05 else text for text in texts]

    def of(texts: list[str]) -> Any:
        found = np.zeros((800, 120, 27), np.float32)
        found[:, :, 0] = 5
        for row, text in zip(found, texts, strict=True):
            for i, letter in enumerate(text):
                row[2 * i, LETTERS.index(letter)] = 9
        return found

    before = of(texts)
    broken = {
        "random": shuffled(rng, before),
        "constant": constant(before),
        "empty": of([""] * 800),
        "short ones lost": of(["" if len(text) < 3 else text for text in texts]),
        "one letter lost": of([text.replace("z", "") for text in texts]),
        "the end lost": of([text[:-1] if len(text) > 9 else text for text in texts]),
        "silence filled": of([text or "a" for text in texts]),
        "a letter made up": of(
            [text[:20] + "z" + text[20:] if i % 3 == 0 and len(text) > 9 else text for i, text in enumerate(texts)]
        ),
    }
    told = {"symbols": Symbols(vocabulary=list(LETTERS), blank=0)}
    return World("transcription", before, np.asarray(texts), broken, near(rng, before), told=told)


WORLDS: dict[str, Callable[[], World]] = {
    **{
        name: (lambda name=name: _classified(name))
        for name in ("image_classification", "tabular_classification", "text_classification")
    },
    **{name: (lambda name=name: _vectors(name)) for name in ("embedding", "retrieval")},
    "token_classification": _tokens,
    "semantic_segmentation": _pixels,
    "multi_label_classification": _labels,
    "object_detection": _boxes,
    "question_answering": _spans,
    "ranking": _ranked,
    "regression": _numbers,
    "transcription": _texts,
}


def judged(folder: Path, world: World, after: Any, labels: Any, metric: str | None = None) -> dict[str, Decision]:
    """What the gates on answers say of a variant, as in a leg."""
    folder.mkdir(parents=True, exist_ok=True)
    write_prepared(folder, {"x": np.arange(len(world.before), dtype=np.float32)[:, None]} | world.inputs, labels)
    for name, array in (("baseline", world.before), ("variant", after)):
        np.save(folder / f"{name}.npy", array)
    found = scored(
        Score(
            dataset=str(folder),
            baseline=str(folder / "baseline.npy"),
            variant=str(folder / "variant.npy"),
            metric=metric,
            reading=Reading(task=world.task, places=None if labels is None else labels.shape[1:], **world.told),
            folder=str(folder),
            destination=str(folder / "scores.npy"),
        )
    )
    scores = scores_of(found, np.load(folder / "scores.npy")) if found.examples else None
    comparison = comparison_of(found, scores, "all")
    evidence = Evidence(artifact=Artifact(path="x", sha256="", bytes=1), comparison=comparison)
    gates: dict[str, Any] = {"accuracy": accuracy, "outputs": outputs, "worst_class": worst_class}
    return {name: gate.judge(gate.DEFAULT, evidence) for name, gate in gates.items()}


def passes(decisions: dict[str, Decision]) -> bool:
    return all(each.verdict is Verdict.PASS or (each.verdict is Verdict.SKIP and not each.applies) for each in decisions.values())
