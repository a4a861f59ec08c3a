"""Metrics against scikit-learn, and the scores behind them against the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import classes, default_of, families, metric, of_family
from gatekeeper.evaluate.metrics._positions import positions, score_axis
from gatekeeper.evaluate.metrics._whole import user_metric
from gatekeeper.evaluate.metrics.macro_f1 import f1_of
from gatekeeper.evaluate.tasks._base import judged_as
from gatekeeper.stats.retention import retention_interval

reference = Lazily("sklearn.metrics")

N, CLASSES = 400, 8
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, CLASSES, N)
LOGITS = RNG.normal(size=(N, CLASSES)) + 1.5 * np.eye(CLASSES)[LABELS]
WORSE_LOGITS = LOGITS + RNG.normal(scale=1.0, size=LOGITS.shape)
TARGETS = RNG.normal(size=(N, 3))
VALUES = TARGETS + RNG.normal(scale=0.3, size=TARGETS.shape)
WORSE_VALUES = TARGETS + RNG.normal(scale=0.4, size=TARGETS.shape)
VECTORS, WORSE_VECTORS = VALUES, WORSE_VALUES
LOWER_IS_BETTER = ("mae", "rmse")


def cosine(a: Any, b: Any) -> float:
    return float(np.mean([x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]))


def f1(logits: Any) -> float:
    return reference.f1_score(LABELS, logits.argmax(axis=1), average="macro")


METRICS = [name for family in ("classification", "regression", "embedding") for name in of_family(family)]
"""Those of one answer an example; of several they are in test_evaluate_tasks_differential.py, and text is scored by tokens."""

EXPECTED = {
    "accuracy": lambda out: reference.accuracy_score(LABELS, out.argmax(axis=1)),
    "top5_accuracy": lambda out: reference.top_k_accuracy_score(LABELS, out, k=5),
    "macro_f1": f1,
    "mae": lambda out: reference.mean_absolute_error(TARGETS, out),
    "rmse": lambda out: reference.root_mean_squared_error(TARGETS, out),
    "r2": lambda out: reference.r2_score(TARGETS, out),
    "cosine_similarity": lambda out: cosine(TARGETS, out),
}


def data(name: str) -> tuple[Any, Any, Any]:
    """Baseline outputs, variant outputs, labels."""
    if name in of_family("classification"):
        return LOGITS, WORSE_LOGITS, LABELS
    return VALUES, WORSE_VALUES, TARGETS


def test_every_metric_is_held_against_a_reference():
    assert set(EXPECTED) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_values_are_the_references(name: str):
    baseline, variant, labels = data(name)
    found = metric(name).compare(baseline, variant, labels)
    assert found.baseline == pytest.approx(EXPECTED[name](baseline))
    assert found.variant == pytest.approx(EXPECTED[name](variant))


@pytest.mark.parametrize("name", METRICS)
def test_scores_stand_for_the_values_in_the_right_direction(name: str):
    found = metric(name).compare(*data(name))
    better_first = found.baseline / found.variant if name in LOWER_IS_BETTER else found.variant / found.baseline
    scores = found.scores
    if scores.own is None:
        assert retention_interval(scores, 0.05).observed == pytest.approx(better_first)
    else:  # what is kept is kept of something less, which must be worse, too
        assert float(scores.own.mean()) == pytest.approx(found.variant)
        assert retention_interval(scores, 0.05).observed <= better_first
    assert better_first < 1  # every variant here is worse


@pytest.mark.parametrize("name", METRICS)
def test_scores_stand_for_every_example(name: str):
    scores = metric(name).compare(*data(name)).scores
    assert scores.examples == N
    assert scores.p.shape == scores.q.shape
    assert len(scores.p) == N


@pytest.mark.parametrize("name", METRICS)
def test_scores_lie_where_their_kind_says(name: str):
    scores = metric(name).compare(*data(name)).scores
    both = np.concatenate([scores.p, scores.q])
    if scores.kind == "binary":
        assert set(np.unique(both)) <= {0.0, 1.0}
    if scores.kind == "bounded":
        assert scores.low <= both.min() and both.max() <= scores.high


@pytest.mark.parametrize("name", METRICS)
def test_a_model_keeps_all_of_itself(name: str):
    baseline, _, labels = data(name)
    found = metric(name).compare(baseline, baseline, labels)
    assert found.baseline == found.variant
    assert (found.scores.p == found.scores.q).all()


@pytest.mark.parametrize("name", METRICS)
def test_labels_of_shape_n_by_1_are_the_same_labels(name: str):
    if name in of_family("classification"):
        baseline, variant, labels = data(name)
        column = labels[:, None]
    else:
        baseline, variant, labels = VALUES[:, :1], WORSE_VALUES[:, :1], TARGETS[:, 0]
        column = TARGETS[:, :1]
    plain, shaped = metric(name).compare(baseline, variant, labels), metric(name).compare(baseline, variant, column)
    assert (plain.baseline, plain.variant) == (shaped.baseline, shaped.variant)


def test_the_jackknife_of_a_mean_is_its_examples():
    values = RNG.normal(3, 1, 1000)
    found = user_metric("m:mean", lambda outputs, labels: outputs.mean())(values, values, np.zeros(1000))
    assert np.sort(found.scores.q) == pytest.approx(np.sort(values))


def test_the_jackknife_of_many_examples_knows_the_error_of_a_mean():
    """Of groups of examples, the pseudo-values have the standard error of the mean itself."""
    values = RNG.normal(3, 1, 5000)
    pseudo = user_metric("m:mean", lambda outputs, labels: outputs.mean())(values, values, np.zeros(5000)).scores.q
    assert len(pseudo) == 1000
    assert pseudo.mean() == pytest.approx(values.mean())
    assert pseudo.std(ddof=1) / np.sqrt(len(pseudo)) == pytest.approx(values.std() / np.sqrt(5000), rel=0.1)


def test_what_one_unseen_answer_may_cost_is_asked_of_the_metric():
    """A class of ten examples in a thousand: one wrong answer costs macro F1 some 25 thousandths of the whole."""
    labels = (np.arange(1000) < 10).astype(int)
    outputs = np.eye(2)[labels]
    found = user_metric("m:f1", lambda o, y: f1_of(o.argmax(axis=1), y))(outputs, outputs, labels)
    assert found.scores.unseen is not None and 20 < found.scores.unseen < 35
    assert retention_interval(found.scores, 0.04).lower < 0.95


# --- classes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([[0.1, 2.0, -3.0], [5.0, 1.0, 1.0]], [1, 0]),
        ([[0.1, 0.9], [0.8, 0.2]], [1, 0]),
        ([[0.4], [0.6], [0.5]], [0, 1, 0]),
        ([0.4, 0.6], [0, 1]),
        ([[-2.0], [0.3], [4.0]], [0, 1, 1]),
        (np.array([3, 1, 2]), [3, 1, 2]),
        (np.array([[3], [1]], dtype=np.uint8), [3, 1]),
        (np.array([True, False]), [1, 0]),
        (np.array([[0.1, 0.9]], dtype=np.float16), [1]),
    ],
    ids=[
        "logits",
        "probabilities",
        "one probability",
        "one probability, flat",
        "one logit",
        "labels",
        "labels [n, 1]",
        "bool",
        "half",
    ],
)
def test_classes(outputs: Any, expected: list[int]):
    assert classes(np.asarray(outputs)).tolist() == expected


def test_one_score_has_the_same_threshold_in_both_models():
    """Quantization moves a probability of 0 a hair below 0; that does not make it a logit."""
    baseline = np.linspace(0, 1, 1000, dtype=np.float32)[:, None]
    variant = baseline - np.float32(1e-4)
    labels = (baseline[:, 0] > 0.5).astype(int)
    assert metric("accuracy").compare(baseline, variant, labels).variant > 0.99
    assert judged_as("tabular_classification").agreement(baseline, variant).variant > 0.99


# --- what does not fit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [LABELS + 0.5, np.eye(CLASSES)[LABELS] * 2, np.ones((N, CLASSES))], ids=["fractions", "twos", "many"]
)
@pytest.mark.parametrize("name", of_family("classification"))
def test_class_labels_must_be_one_whole_number(name: str, labels: Any):
    with pytest.raises(NotMeasured, match="one whole number per example"):
        metric(name).compare(LOGITS, LOGITS, labels)


def test_top5_needs_six_classes():
    with pytest.raises(NotMeasured, match="at least 6 classes"):
        metric("top5_accuracy").compare(LOGITS[:, :5], LOGITS[:, :5], LABELS % 5)


@pytest.mark.parametrize("name", of_family("regression"))
def test_outputs_must_match_the_labels(name: str):
    with pytest.raises(NotMeasured, match="3 values an example and the labels have 1"):
        metric(name).compare(VALUES, VALUES, TARGETS[:, 0])


def test_vectors_must_match_their_references():
    with pytest.raises(NotMeasured, match="outputs have 2 values and references 3"):
        metric("cosine_similarity").compare(VECTORS[:, :2], VECTORS[:, :2], TARGETS)


def test_r2_of_equal_labels_says_nothing():
    with pytest.raises(NotMeasured, match="all labels are the same value"):
        metric("r2").compare(VALUES, VALUES, np.ones((N, 3)))


def test_a_zero_vector_is_like_nothing():
    found = metric("cosine_similarity").compare(VECTORS, np.zeros_like(VECTORS), TARGETS)
    assert found.variant == 0.0


# --- the user's own -----------------------------------------------------------------------------------------------------


def test_a_users_metric_by_example():
    compare = user_metric("m:f", lambda outputs, labels: outputs.argmax(axis=1) == labels)
    found = compare(LOGITS, WORSE_LOGITS, LABELS)
    known = metric("accuracy").compare(LOGITS, WORSE_LOGITS, LABELS)
    assert (found.baseline, found.variant) == (known.baseline, known.variant)
    assert found.scores.kind == "real"
    assert (found.scores.p == known.scores.p).all()


def test_a_users_metric_of_the_whole_set():
    found = user_metric("m:f", lambda outputs, labels: reference.matthews_corrcoef(labels, outputs.argmax(axis=1)))(
        LOGITS, WORSE_LOGITS, LABELS
    )
    assert found.baseline == pytest.approx(reference.matthews_corrcoef(LABELS, LOGITS.argmax(axis=1)))
    assert found.scores.p.mean() / found.scores.q.mean() == pytest.approx(found.variant / found.baseline, rel=0.02)


@pytest.mark.parametrize("shape", [(N, 2), (N - 1,), (1,)])
def test_a_users_metric_of_another_shape_is_refused(shape: tuple[int, ...]):
    with pytest.raises(NotMeasured, match="one value or one per example"):
        user_metric("m:f", lambda outputs, labels: np.ones(shape))(LOGITS, LOGITS, LABELS)


# --- agreement ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [None, "image_classification", "tabular_classification"])
def test_agreement_on_classes_is_the_share_of_equal_ones(task: str | None):
    found = judged_as(task).agreement(LOGITS, WORSE_LOGITS)
    assert found.baseline == 1.0
    assert found.variant == np.mean(LOGITS.argmax(axis=1) == WORSE_LOGITS.argmax(axis=1))
    assert found.scores.kind == "binary"


@pytest.mark.parametrize("task", ["regression"])
@pytest.mark.parametrize(("share", "agrees"), [(0.04, 1.0), (0.06, 0.0)])
def test_agreement_on_values_is_within_a_twentieth_of_their_spread(task: str, share: float, agrees: float):
    moved = VALUES + share * VALUES.std(axis=0)
    assert judged_as(task).agreement(VALUES, moved).variant == agrees


def test_agreement_on_values_needs_all_of_them():
    moved = VALUES.copy()
    moved[: N // 4, 1] += 10
    assert judged_as("regression").agreement(VALUES, moved).variant == 0.75


@pytest.mark.parametrize(
    ("task", "expected"),
    [("regression", "r2"), ("embedding", "cosine_similarity"), ("image_classification", "accuracy"), (None, "accuracy")],
)
def test_default_metric_of_a_task(task: str | None, expected: str):
    assert default_of(judged_as(task).FAMILY) == expected


@pytest.mark.parametrize("family", families())
def test_every_kind_of_task_has_one_default(family: str):
    assert [metric(name).DEFAULT for name in of_family(family)].count(True) == 1
    assert metric(of_family(family)[0]).DEFAULT


def test_agreement_of_embeddings_is_their_cosine():
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((200, 512)).astype(np.float32)
    noise = 0.02 * generator.standard_normal(vectors.shape)
    found = judged_as("embedding").agreement(vectors, vectors + noise)
    assert found.baseline == 1.0
    assert 0.999 < found.variant < 1.0
    assert judged_as("embedding").agreement(vectors, -vectors).variant == pytest.approx(-1.0)


def test_a_direction_that_all_embeddings_share_makes_none_of_them_alike():
    own, other = np.random.default_rng(3).standard_normal((2, 200, 64))
    assert abs(judged_as("embedding").agreement(own + 100, other + 100).variant) < 0.1


def test_outputs_of_several_answers_agree_position_by_position():
    """One loud token decided for all of them, where the scores of an example were read as one row."""
    generator = np.random.default_rng(3)
    scores = generator.standard_normal((100, 16, 5))
    scores[:, 0] *= 1000
    other = generator.standard_normal((100, 16, 5))
    other[:, 0] = scores[:, 0]
    found = judged_as("text_classification").agreement(scores, other)
    assert found.scores.kind == "bounded"
    assert found.variant == np.mean(scores.argmax(axis=2) == other.argmax(axis=2))
    assert found.variant < 0.4


@pytest.mark.parametrize(
    ("outputs", "axis"),
    [
        (np.random.default_rng(0).standard_normal((9, 16, 5)), 2),  # tokens
        (np.random.default_rng(0).standard_normal((9, 21, 32, 32)), 1),  # pixels, channels first
        (np.random.default_rng(0).standard_normal((9, 32, 32, 21)), 3),  # and last
        (np.random.default_rng(0).dirichlet(np.ones(40), (9, 16)), 2),  # probabilities tell, however many there are
        (np.moveaxis(np.random.default_rng(0).dirichlet(np.ones(40), (9, 8, 8)), 3, 1), 1),
        (np.random.default_rng(0).random((9, 1, 32, 32)), None),  # a mask
        (np.random.default_rng(0).random((9, 32, 32)), None),
        (np.random.default_rng(0).standard_normal((9, 1, 32, 32)), None),
    ],
)
def test_which_axis_holds_the_scores(outputs: Any, axis: int | None):
    assert score_axis(outputs) == axis
    expected = outputs > (0.5 if outputs.min() >= 0 else 0) if axis is None else outputs.argmax(axis=axis)
    assert np.array_equal(positions(outputs), expected.reshape(9, -1))
