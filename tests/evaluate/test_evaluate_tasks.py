"""What a task reads, and what it refuses with words that help."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.config.schema import pipeline_schema
from gatekeeper.data.prepared import IGNORED, write_prepared
from gatekeeper.errors import NotMeasured, UsageError
from gatekeeper.evaluate.metrics._base import default_of, of_family
from gatekeeper.evaluate.score import Score, Scored, score
from gatekeeper.evaluate.tasks import _base
from gatekeeper.evaluate.tasks._base import REGISTRY, Reading, is_text, judged_as, named_by, task
from gatekeeper.evaluate.tasks._hidden import hidden

RNG = np.random.default_rng(2)
SEVERAL = [name for name in REGISTRY.builtin if REGISTRY.get(name).ANSWERS == "classes"]


def softmax(scores: Any, axis: int) -> Any:
    powers = np.exp(scores)
    return powers / powers.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("name", REGISTRY.builtin)
def test_every_task_is_complete_and_in_the_schema(name: str) -> None:
    found = task(name)
    assert all(getattr(found, each) for each in ("FAMILY", "DESCRIPTION", "LABELS", "UNLABELLED"))
    assert found.FAMILY and default_of(found.FAMILY) == of_family(found.FAMILY)[0]
    allowed = pipeline_schema()["$defs"]["Model"]["properties"]["task"]["anyOf"]
    assert name in next(each["enum"] for each in allowed if "enum" in each)


def test_the_metric_names_a_task_that_alone_has_it() -> None:
    found = {name: named_by(default_of(task(name).FAMILY)) for name in REGISTRY.builtin if not is_text(name)}
    assert {name: named for name, named in found.items() if named != name} == {
        "image_classification": None, "tabular_classification": None, "text_classification": None,
    }  # fmt: skip
    assert named_by("perplexity") is None and named_by("my.module:metric") is None
    assert judged_as(None, "dice").name == "semantic_segmentation"
    assert judged_as(None).FAMILY == judged_as(None, "my.module:metric").FAMILY == "classification"


def test_a_task_of_no_known_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY.get("regression"), "ANSWERS", "songs")
    with pytest.raises(UsageError, match="'regression' has the ANSWERS 'songs'"):
        _base.task("regression")


# --- which axis holds the classes ---------------------------------------------------------------------------------------

Said = tuple[tuple[int, ...], dict[str, Any], int]
LOGITS: list[tuple[str, Said]] = [
    ("token_classification", ((9, 16, 5), {}, 2)),
    ("token_classification", ((9, 16, 5), {"places": (16,)}, 2)),
    ("token_classification", ((9, 5, 16), {"places": (16,)}, 1)),
    ("token_classification", ((9, 5, 16), {"classes": tuple("abcde")}, 1)),
    ("token_classification", ((9, 16, 30), {"places": (16,)}, 2)),
    ("token_classification", ((9, 5, 5), {"class_axis": 1}, 1)),
    ("semantic_segmentation", ((9, 4, 8, 8), {}, 1)),
    ("semantic_segmentation", ((9, 8, 8, 4), {"places": (8, 8)}, 3)),
    ("semantic_segmentation", ((9, 4, 8, 8), {"places": (1, 8, 8)}, 1)),
    ("semantic_segmentation", ((9, 8, 8, 4), {"class_axis": 3}, 3)),
    ("semantic_segmentation", ((9, 12, 8, 8), {"places": (8, 8)}, 1)),
]


@pytest.mark.parametrize(("name", "said"), LOGITS)
def test_the_axis_of_the_classes_is_told(name: str, said: Said) -> None:
    shape, told, axis = said
    outputs = RNG.standard_normal(shape)
    judged = task(name)
    answers = judged.read(outputs, judged.way(outputs, Reading(task=name, **told)))
    np.testing.assert_array_equal(answers, outputs.argmax(axis=axis))


@pytest.mark.parametrize("axis", [1, 2])
def test_probabilities_tell_by_themselves(axis: int) -> None:
    judged, outputs = task("token_classification"), softmax(RNG.standard_normal((9, 7, 7)), axis)
    answers = judged.read(outputs, judged.way(outputs, Reading(task=judged.name)))
    np.testing.assert_array_equal(answers, outputs.argmax(axis=axis))


@pytest.mark.parametrize(
    ("name", "shape", "told", "said"),
    [
        ("token_classification", (9, 7, 7), {}, "which axis holds the classes is not known. Say it with `model: {class_axis"),
        ("token_classification", (9, 5, 16), {}, "which axis holds the classes is not known"),
        ("token_classification", (9, 7, 7), {"places": (7,), "classes": tuple("abcdefg")}, "is not known"),
        ("token_classification", (9, 16, 5), {"places": (20,)}, "20 tokens an example.*longer than the tokens. Cut them"),
        ("token_classification", (9, 16, 5), {"places": (12,)}, "12 tokens an example.*Fill labels up"),
        ("token_classification", (9, 16, 5), {"class_axis": 3}, "`model.class_axis` is 3.*Correct it"),
        ("token_classification", (9, 16, 5), {"classes": ("O", "B-X")}, "has 2 names and the output 5 classes"),
        ("token_classification", (9, 5, 3, 2), {}, "reads scores, examples x tokens x classes.*`model.output`"),
        ("semantic_segmentation", (9, 4, 8, 8), {"places": (32, 32)}, "32x32 pixels.*put the resizing into the model"),
        ("semantic_segmentation", (9, 1, 8, 8), {"places": (4, 4)}, "4x4 pixels"),
        ("semantic_segmentation", (9, 8, 8, 8), {}, "is not known"),
        ("semantic_segmentation", (9, 5), {}, "examples x classes x height x width"),
        ("multi_label_classification", (9, 5, 3), {}, "a score for every label"),
        ("multi_label_classification", (9, 5), {"classes": ("a", "b")}, "has 2 names and the output 5 classes"),
    ],
)
def test_what_nothing_tells_is_asked(name: str, shape: tuple[int, ...], told: dict[str, Any], said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        task(name).way(RNG.standard_normal(shape), Reading(task=name, **told))


@pytest.mark.parametrize("shape", [(9, 1, 6, 6), (9, 6, 6, 1), (9, 6, 6)])
def test_one_score_a_pixel_is_the_chance_of_a_class(shape: tuple[int, ...]) -> None:
    judged, logits = task("semantic_segmentation"), RNG.standard_normal(shape)
    for outputs, least in ((logits, 0.0), (1 / (1 + np.exp(-logits)), 0.5)):
        answers = judged.read(outputs, judged.way(outputs, Reading(task=judged.name, places=(6, 6))))
        np.testing.assert_array_equal(answers, (outputs > least).reshape(9, 6, 6))


def test_a_variant_is_read_as_the_baseline_is() -> None:
    """Logits of a variant whose sigmoid is gone are held to the baseline's threshold, not to their own."""
    judged = task("multi_label_classification")
    chances, logits = RNG.random((50, 4)), RNG.standard_normal((50, 4)) * 0.4
    way = judged.way(chances, Reading(task=judged.name))
    np.testing.assert_array_equal(judged.read(logits, way), logits > 0.5)


@pytest.mark.parametrize("name", ["token_classification", "semantic_segmentation"])
def test_classes_that_the_model_chose_itself_are_answers(name: str) -> None:
    judged = task(name)
    outputs = RNG.integers(0, 5, (9, 8) if name == "token_classification" else (9, 8, 8))
    way = judged.way(outputs, Reading(task=name, places=outputs.shape[1:]))
    np.testing.assert_array_equal(judged.read(outputs, way), outputs)


# --- labels -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., Scored]:
    def call(name: str, outputs: Any, labels: Any, variant: Any = None, metric: str | None = None, **told: Any) -> Scored:
        inputs = {"x": np.arange(len(outputs), dtype=np.float32)[:, None]} | told.pop("inputs", {})
        write_prepared(tmp_path, inputs, labels)
        np.save(tmp_path / "baseline.npy", outputs)
        if variant is not None:
            np.save(tmp_path / "variant.npy", variant)
        places = None if labels is None else labels.shape[1:]
        return score(
            Score(
                dataset=str(tmp_path),
                baseline=str(tmp_path / "baseline.npy"),
                variant=str(tmp_path / ("baseline.npy" if variant is None else "variant.npy")),
                metric=metric,
                reading=Reading(task=name, places=places, **told),
                folder=str(tmp_path),
                destination=str(tmp_path / "scores.npy"),
            )
        )

    return call


OUTPUTS = {
    "token_classification": RNG.standard_normal((80, 6, 4)),
    "semantic_segmentation": RNG.standard_normal((80, 3, 7, 7)),
    "multi_label_classification": RNG.standard_normal((80, 4)),
}


def truth(name: str) -> Any:
    """What the outputs say, with a fifth of it wrong."""
    judged, outputs = task(name), OUTPUTS[name]
    answers = judged.read(outputs, judged.way(outputs, Reading(task=name)))
    return np.where(RNG.random(answers.shape) < 0.2, (answers + 1) % (answers.max() + 1), answers)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("other", [n for n in REGISTRY.builtin if REGISTRY.get(n).ANSWERS in ("class", "classes")])
def test_labels_of_another_task_name_it(name: str, other: str, scored: Callable[..., Scored]) -> None:
    if name == other or (name, other) == ("multi_label_classification", "token_classification"):  # which yes and no may be of
        assert scored(other, OUTPUTS[name], truth(name)).error is None
        return
    with pytest.raises(NotMeasured) as refused:
        scored(other, OUTPUTS[name], truth(name))
    assert f"task: {name}}}`." in str(refused.value)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda y: y + 0.5, "whole numbers"),
        (lambda y: y - 1, "go from -1"),
        (lambda y: y + 5, "Where . means none, say so with `dataset.ignore`|0 or 1"),
        (lambda y: np.full_like(y, IGNORED), "every label is one that is left out"),
    ],
    ids=["fractions", "below", "beyond", "none"],
)
def test_labels_that_are_none_are_refused(
    name: str, spoil: Callable[[Any], Any], said: str, scored: Callable[..., Scored]
) -> None:
    with pytest.raises(NotMeasured, match=said) as refused:
        scored(name, OUTPUTS[name], spoil(truth(name)))
    assert re.search(r"\. (Where|Save|Label) [^.]", str(refused.value)), "what to do comes last"


@pytest.mark.parametrize("name", SEVERAL)
def test_what_is_left_out_counts_nowhere(name: str, scored: Callable[..., Scored]) -> None:
    labels, outputs = truth(name), OUTPUTS[name]
    left = RNG.random(labels.shape) < 0.3
    spoiled = outputs.copy()
    if name == "semantic_segmentation":
        spoiled.transpose(0, 2, 3, 1)[left] *= -1
    else:
        spoiled[left] *= -1
    found = scored(name, outputs, np.where(left, IGNORED, labels), variant=spoiled)
    assert found.variant == found.baseline
    assert scored(name, outputs, labels, variant=spoiled).variant != found.variant


def test_padding_is_no_token_where_the_mask_says_so() -> None:
    answers = RNG.integers(0, 3, (20, 6))
    mask = (np.arange(6) < RNG.integers(2, 7, 20)[:, None]).astype(np.int64)
    judged = task("token_classification")
    np.testing.assert_array_equal(hidden(judged, answers, None, {"input_ids": answers, "attention_mask": mask}), mask == 0)
    assert hidden(judged, answers, None, {"input_ids": answers, "scales_mask": mask * 2}) is None
    assert hidden(judged, answers, None, {"x": np.zeros((20, 4))}) is None
    assert hidden(task("regression"), answers, None, {"attention_mask": mask}) is None


@pytest.mark.parametrize("name", SEVERAL)
def test_a_baseline_that_guesses_is_none(name: str, scored: Callable[..., Scored]) -> None:
    found = scored(name, OUTPUTS[name], RNG.permutation(truth(name).reshape(-1)).reshape(truth(name).shape))
    assert found.error is not None and "no better than chance" in found.error


@pytest.mark.parametrize("metric", [m for name in SEVERAL for m in of_family(name) if m != "entity_f1"])
def test_every_metric_knows_what_a_guess_scores(metric: str, scored: Callable[..., Scored]) -> None:
    name = judged_as(None, metric).name
    found = scored(name, OUTPUTS[name], truth(name), variant=RNG.permutation(OUTPUTS[name]), metric=metric)
    assert found.error is None
    assert found.signs["score"] < 1.15 * found.signs["guess"], found
    assert found.collapsed.startswith("it is no better than chance") is (found.signs["score"] <= found.signs["guess"])


@pytest.mark.parametrize("metric", [m for name in SEVERAL for m in of_family(name)])
def test_copies_count_once(metric: str, scored: Callable[..., Scored], tmp_path: Path) -> None:
    name = judged_as(None, metric).name
    labels, outputs = truth(name), OUTPUTS[name]
    worse = outputs + RNG.standard_normal(outputs.shape) * 0.3
    names = ("O", "B-A", "I-A", "B-B") if metric == "entity_f1" else ()
    found = []
    for copies in (1, 3):
        x = np.tile(np.arange(80, dtype=np.float32), copies)[:, None]
        arrays = [np.concatenate([each] * copies) for each in (outputs, labels, worse)]
        answer = scored(name, *arrays, metric=metric, classes=names, inputs={"x": x})
        found.append((answer.examples, answer.baseline, answer.variant, np.load(tmp_path / "scores.npy")))
    (n, b, v, rows), (n3, b3, v3, rows3) = found
    assert n == n3 == 80
    assert (b3, v3) == pytest.approx((b, v))
    np.testing.assert_allclose(rows3, rows, rtol=1e-6)


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("trailing", [False, True])
def test_one_score_a_token_is_the_chance_of_class_one(logits: bool, trailing: bool) -> None:
    """As a model for voice activity answers: examples x steps, with or without an axis of one."""
    tagger = task("token_classification")
    scores = np.random.default_rng(0).random((30, 12))
    right = scores > 0.5
    outputs = np.log(scores / (1 - scores)) if logits else scores
    outputs = (outputs[..., None] if trailing else outputs).astype(np.float32)
    way = tagger.way(outputs, Reading(task="token_classification", places=(12,)))
    assert (tagger.read(outputs, way) == right).all()
    with pytest.raises(NotMeasured, match="tokens"):
        tagger.way(outputs, Reading(task="token_classification", places=(11,)))
