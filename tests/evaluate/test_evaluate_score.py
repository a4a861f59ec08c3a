"""Comparing predictions, and refusing to compare with a baseline of which nothing can be kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit.scored import scored

from gatekeeper.data.prepared import write_prepared
from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.score import Score, Scored, score
from gatekeeper.evaluate.tasks._base import Reading

N = 500
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, N)
LOGITS = RNG.normal(size=(N, 4)).astype(np.float32) + 3 * np.eye(4, dtype=np.float32)[LABELS]
TARGETS = RNG.normal(size=N)
VALUES = (TARGETS + RNG.normal(scale=0.2, size=N)).astype(np.float32)[:, None]

Compare = Callable[..., Scored]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    def call(baseline: Any, labels: Any, variant: Any = None, metric: str | None = None, task: str | None = None) -> Scored:
        write_prepared(tmp_path, {"x": np.arange(len(baseline), dtype=np.float32)[:, None]}, labels)
        np.save(tmp_path / "baseline.npy", baseline)
        np.save(tmp_path / "variant.npy", baseline if variant is None else variant)
        request = Score(
            dataset=str(tmp_path),
            baseline=str(tmp_path / "baseline.npy"),
            variant=str(tmp_path / "variant.npy"),
            metric=metric,
            reading=Reading(task=task),
            folder=str(tmp_path),
            destination=str(tmp_path / "scores.npy"),
        )
        return scored(request)

    return call


def test_a_useful_baseline_is_compared(compare: Compare, tmp_path: Path):
    found = compare(LOGITS, LABELS)
    assert found.error is None
    assert (found.metric, found.agreement, found.kind, found.examples) == ("accuracy", False, "binary", N)
    p, q = np.load(tmp_path / "scores.npy")
    assert (p.mean(), q.mean()) == (found.variant, found.baseline)


def test_a_task_decides_the_metric(compare: Compare):
    assert compare(VALUES, TARGETS, task="regression").metric == "r2"


def test_p_is_the_variant_and_q_the_baseline(compare: Compare, tmp_path: Path):
    worse = LOGITS.copy()
    worse[:100] = np.roll(worse[:100], 1, axis=1)
    found = compare(LOGITS, LABELS, worse)
    p, q = np.load(tmp_path / "scores.npy")
    assert found.variant is not None and found.baseline is not None and found.variant < found.baseline
    assert p.sum() < q.sum()


def test_without_labels_it_is_agreement(compare: Compare):
    worse = LOGITS.copy()
    worse[:50] = np.roll(worse[:50], 1, axis=1)
    found = compare(LOGITS, None, worse)
    assert (found.metric, found.agreement, found.baseline, found.variant) == ("agreement", True, 1.0, 0.9)


# --- baselines of which nothing can be kept -----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_baseline_at_chance_is_an_error(compare: Compare, metric: str):
    found = compare(RNG.normal(size=(N, 4)), LABELS, metric=metric)
    assert found.error is not None and "no better than chance" in found.error


@pytest.mark.parametrize("shift", [1, 2, -1])
def test_labels_numbered_otherwise_are_said_to_be_that(compare: Compare, shift: int):
    found = compare(LOGITS, LABELS + shift)
    assert f"The labels go from {shift} to {3 + shift}, and the output has the classes 0 to 3" in (found.error or "")
    assert "The labels go" not in (compare(RNG.normal(size=(N, 4)), LABELS).error or "")


def test_a_top5_baseline_at_chance_is_an_error(compare: Compare):
    labels = RNG.integers(0, 10, N)
    found = compare(RNG.normal(size=(N, 10)), labels, metric="top5_accuracy")
    assert found.error is not None and "no better than chance" in found.error


def test_a_baseline_that_is_always_wrong_is_an_error(compare: Compare):
    assert compare(np.roll(LOGITS, 1, axis=1), LABELS).error


def test_a_baseline_no_better_than_the_commonest_label_is_an_error(compare: Compare):
    labels = (np.arange(N) < 25).astype(int)  # 95 % zeros
    answers = labels.copy()
    answers[::20] = 1 - answers[::20]
    found = compare(np.eye(2)[answers], labels)
    assert found.baseline == 0.95
    assert found.error is not None and "answering without looking gets 95.0%" in found.error


def test_a_rare_class_found_by_macro_f1_is_no_chance(compare: Compare):
    """macro_f1 is chosen for such sets: always answering the common label gets an F1 of 0.49 here, this model 0.76."""
    labels = (np.arange(N) < 20).astype(int)
    answers = labels.copy()
    answers[15:40] = 1 - answers[15:40]
    found = compare(np.eye(2)[answers], labels, metric="macro_f1")
    assert found.baseline is not None and found.baseline > 0.65
    assert found.error is None


@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "agreement"])
def test_a_constant_output_is_an_error(compare: Compare, labels: Any):
    found = compare(np.tile([0.1, 0.2, 0.3, 0.4], (N, 1)), labels)
    assert found.error is not None and "the same output for every example" in found.error


@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "agreement"])
def test_a_constant_class_is_an_error(compare: Compare, labels: Any):
    found = compare(RNG.uniform(size=(N, 4)) + np.array([0, 0, 5, 0]), labels)
    assert found.error is not None and "class 2 for every example" in found.error


def test_labels_of_one_class_are_an_error(compare: Compare):
    outputs = np.eye(4)[np.where(np.arange(N) < 490, 1, 2)]
    found = compare(outputs, np.ones(N, int))
    assert found.error is not None and "every label is the same class" in found.error


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
@pytest.mark.parametrize("outputs", [-VALUES, RNG.normal(size=(N, 1)), VALUES + 100], ids=["reversed", "random", "shifted"])
def test_a_regression_that_explains_nothing_is_an_error(compare: Compare, metric: str, outputs: Any):
    found = compare(outputs, TARGETS, metric=metric, task="regression")
    assert found.error is not None and "no better than answering the mean" in found.error


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_a_regression_that_explains_something_is_compared(compare: Compare, metric: str):
    assert compare(VALUES, TARGETS, metric=metric, task="regression").error is None


def test_vectors_that_point_the_other_way_are_an_error(compare: Compare):
    vectors = RNG.normal(size=(N, 8))
    found = compare(-vectors, vectors, task="embedding")
    assert found.error is not None and "nothing of it can be kept" in found.error


# --- outputs that cannot be compared ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_baseline_of_no_numbers_is_the_models_fault(compare: Compare, bad: float):
    broken = LOGITS.copy()
    broken[7, 1] = bad
    with pytest.raises(NotMeasured, match="the baseline's output holds NaN") as raised:
        compare(broken, LABELS, LOGITS)
    assert raised.value.kind == "model"


@pytest.mark.parametrize("labels", [LABELS, None])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_variant_of_no_numbers_has_collapsed(compare: Compare, bad: float, labels: Any):
    broken = LOGITS.copy()
    broken[7, 1] = bad
    found = compare(LOGITS, labels, broken)
    assert (found.variant, found.examples, found.error) == (None, 0, None)
    assert found.collapsed == "its output holds NaN or infinite values on 1 of 500 examples, the original's is finite"


def test_outputs_of_other_shapes_are_the_models_fault(compare: Compare):
    with pytest.raises(NotMeasured, match=r"has shape \(500, 3\), the baseline's \(500, 4\)"):
        compare(LOGITS, LABELS, LOGITS[:, :3])


# --- copies -------------------------------------------------------------------------------------------------------------


def test_copies_of_an_example_count_once(tmp_path: Path):
    worse = LOGITS.copy()
    worse[:100] = np.roll(worse[:100], 1, axis=1)
    x = np.arange(N, dtype=np.float32)[:, None]
    found = {}
    for copies in (1, 10):
        folder = tmp_path / str(copies)
        folder.mkdir()
        write_prepared(folder, {"x": np.tile(x, (copies, 1))}, np.tile(LABELS, copies))
        for name, outputs in (("baseline", LOGITS), ("variant", worse)):
            np.save(folder / f"{name}.npy", np.tile(outputs, (copies, 1)))
        names = {"baseline": str(folder / "baseline.npy"), "variant": str(folder / "variant.npy")}
        request = Score(
            dataset=str(folder),
            **names,
            metric=None,
            reading=Reading(task=None),
            folder=str(folder),
            destination=str(folder / "scores.npy"),
        )
        found[copies] = score(request), np.load(folder / "scores.npy")
    (once, scores), (ten, merged) = found[1], found[10]
    assert (merged == scores).all()
    assert (once.examples, once.copies, ten.examples, ten.copies) == (N, 0, N, 9 * N)
    assert (ten.baseline, ten.variant, ten.kind) == (once.baseline, once.variant, once.kind)


# --- the user's metric --------------------------------------------------------------------------------------------------


def test_a_users_metric_is_imported_from_the_folder(compare: Compare, tmp_path: Path):
    (tmp_path / "my_score_metric.py").write_text("def hits(outputs, labels): return outputs.argmax(axis=1) == labels\n")
    found = compare(LOGITS, LABELS, metric="my_score_metric:hits")
    assert found.metric == "my_score_metric:hits"
    assert found.baseline == np.mean(LOGITS.argmax(axis=1) == LABELS)
    assert (found.kind, found.error) == ("real", None)  # values of 0 and 1 alone take the rule of right and wrong answers


def test_a_users_metric_of_the_whole_set_pairs_by_example(compare: Compare, tmp_path: Path):
    (tmp_path / "my_whole_metric.py").write_text(
        "def share(outputs, labels): return float((outputs.argmax(1) == labels).mean())\n"
    )
    compare(LOGITS, LABELS, metric="my_whole_metric:share")
    p, q = np.load(tmp_path / "scores.npy")
    assert len(p) == len(q) == N
    assert np.sort(q) == pytest.approx(np.sort(LOGITS.argmax(axis=1) == LABELS).astype(float))


def test_a_users_metric_of_zero_is_an_error(compare: Compare, tmp_path: Path):
    (tmp_path / "my_zero_metric.py").write_text("import numpy\ndef zero(outputs, labels): return numpy.zeros(len(labels))\n")
    found = compare(LOGITS, LABELS, metric="my_zero_metric:zero")
    assert found.error is not None and "nothing of it can be kept" in found.error


UNDEFINED = {
    "nan": ("return float('nan') if broken else 0.9", "it returned nan"),
    "one nan": (
        "return numpy.where((numpy.arange(len(labels)) == 7) & broken, float('nan'), 1.0)",
        "1 of its 500 values are NaN",
    ),
    "infinite": ("return float('inf') if broken else 0.9", "it returned inf"),
    "none": ("return None if broken else 0.9", "it returned None, not numbers"),
    "text": ("return 'good' if broken else 0.9", "it returned a str, not numbers"),
    "generator": ("return (x for x in labels) if broken else labels * 1.0", "it returned a generator, not numbers"),
    "array": ("return numpy.ones((len(labels), 2)) if broken else 0.9", r"an array of shape (500, 2); it must return one"),
    "ragged": ("return [[1], [1, 2]] if broken else 0.9", "it returned a ragged list"),
    "another shape": ("return 0.9 if broken else numpy.ones(len(labels))", "it returned one value, and an array of shape (500,)"),
    "raises": ("return 1 / (0 if broken else 1)", "raised ZeroDivisionError at"),
}


def undefined_metric(folder: Path, name: str) -> str:
    """A metric that goes wrong on outputs far from zero."""
    module = f"my_{name.replace(' ', '_')}_{folder.name}_metric"
    body, _ = UNDEFINED[name]
    (folder / f"{module}.py").write_text(
        f"import numpy\ndef score(outputs, labels):\n    broken = outputs[0, 0] > 50\n    {body}\n"
    )
    return f"{module}:score"


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_metric_that_is_undefined_on_the_variant_is_its_failure(compare: Compare, tmp_path: Path, name: str):
    found = compare(LOGITS, LABELS, LOGITS + np.float32(100), metric=undefined_metric(tmp_path, name))
    assert found.error is None and found.variant is None and found.baseline is not None
    assert "is undefined on the variant" in found.collapsed and UNDEFINED[name][1] in found.collapsed
    assert not (tmp_path / "scores.npy").exists()


@pytest.mark.parametrize("name", [name for name in UNDEFINED if name != "another shape"])
def test_a_metric_that_is_undefined_on_the_baseline_is_an_error(compare: Compare, tmp_path: Path, name: str):
    with pytest.raises(NotMeasured, match="is undefined on the baseline: ") as raised:
        compare(LOGITS + np.float32(100), LABELS, LOGITS, metric=undefined_metric(tmp_path, name))
    assert UNDEFINED[name][1] in str(raised.value)


def test_an_error_too_large_to_square_is_the_variants_failure(compare: Compare):
    found = compare(VALUES.astype(float), TARGETS, VALUES.astype(float) * 1e300, metric="rmse", task="regression")
    assert found.collapsed == "rmse is undefined on the variant: it is inf"


@pytest.mark.parametrize(
    "outputs",
    [np.abs(VALUES) + 1, np.column_stack([np.abs(VALUES) + 5, VALUES / 10])],
    ids=["one positive value", "one value always largest"],
)
def test_a_users_metric_may_judge_outputs_that_are_no_classes(compare: Compare, tmp_path: Path, outputs: Any):
    """No task is named, so nothing says that these prices or boxes are class scores."""
    (tmp_path / "my_price_metric.py").write_text("def close(outputs, labels): return abs(outputs[:, 0] - labels) < 0.5\n")
    found = compare(outputs, outputs[:, 0].astype(float) + 0.1, metric="my_price_metric:close")
    assert found.baseline == 1.0
    assert found.error is None


@pytest.mark.parametrize("name", ["no_such_module:f", "my_score_metric2:nothing"])
def test_a_users_metric_that_does_not_exist_is_the_datas_fault(compare: Compare, tmp_path: Path, name: str):
    (tmp_path / "my_score_metric2.py").write_text("")
    with pytest.raises(NotMeasured, match="Correct the name") as raised:
        compare(LOGITS, LABELS, metric=name)
    assert raised.value.kind == "data"
