"""Every metric that scikit-learn has, against scikit-learn on random problems: value, definition and averaging."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kit.lazily import Lazily

from gatekeeper.errors import NotMeasured
from gatekeeper.evaluate.metrics._base import metric
from gatekeeper.stats.retention import retention_interval

reference = Lazily("sklearn.metrics")

LARGEST = 1e-9
MANY = 2000
LABEL_FORMS = ("integers", "column", "floats", "one-hot", "strings")


@pytest.fixture(params=[200, pytest.param(MANY, marks=pytest.mark.thorough)])
def problems(request: pytest.FixtureRequest) -> int:
    count: int = request.param
    return count


def class_problem(rng: Any, least: int = 2) -> tuple[Any, Any, Any, int]:
    """Scores of two models, often with ties, and true classes, of which some may be missing."""
    classes, n = int(rng.integers(least, 12)), int(rng.integers(2, 80))
    shares = rng.dirichlet(np.ones(classes) * rng.choice([0.3, 1.0, 10.0]))
    truth = rng.choice(classes, size=n, p=shares)
    models = [rng.normal(size=(n, classes)) + rng.uniform(0, 3) * np.eye(classes)[truth] for _ in range(2)]
    if rng.random() < 0.5:
        models = [np.round(scores * rng.choice([0.5, 1.0, 4.0])) for scores in models]
    return *models, truth, classes


def shaped(truth: Any, classes: int, form: str) -> Any:
    """The same labels in another form."""
    names = np.array([f"class {i:03d}" for i in range(classes)])
    return {
        "integers": truth,
        "column": truth[:, None],
        "floats": truth.astype(float),
        "one-hot": np.eye(classes)[truth],
        "strings": names[truth],
    }[form]


def class_differences(name: str, problems: int, expected: Callable[[Any, Any, int], float], least: int = 2) -> list[float]:
    rng, found = np.random.default_rng(31), []
    while len(found) < 2 * problems:
        *models, truth, classes = class_problem(rng, least)
        form = str(rng.choice(LABEL_FORMS))
        labels = shaped(truth, classes, form)
        if form == "strings" and len(np.unique(truth)) < classes:
            with pytest.raises(NotMeasured, match="which is which is not known"):
                metric(name).compare(*models, labels)
            continue
        pair = metric(name).compare(*models, labels)
        found += [abs(v - expected(truth, m, classes)) for v, m in zip((pair.baseline, pair.variant), models, strict=True)]
    return found


def test_accuracy_is_scikit_learns(problems: int) -> None:
    assert max(class_differences("accuracy", problems, lambda y, s, c: reference.accuracy_score(y, s.argmax(axis=1)))) <= LARGEST


def test_macro_f1_is_scikit_learns(problems: int) -> None:
    def expected(truth: Any, scores: Any, classes: int) -> float:
        return float(reference.f1_score(truth, scores.argmax(axis=1), average="macro"))

    assert max(class_differences("macro_f1", problems, expected)) <= LARGEST


def test_the_bounds_of_macro_f1_are_around_scikit_learns_ratio() -> None:
    rng = np.random.default_rng(32)
    for _ in range(200):
        baseline, variant, truth, _ = class_problem(rng)
        pair = metric("macro_f1").compare(baseline, variant, truth)
        if pair.baseline > 0:
            found = retention_interval(pair.scores, 0.05)
            assert found.observed == pytest.approx(pair.variant / pair.baseline, abs=LARGEST)
            assert found.lower <= found.observed <= found.upper


def test_top5_accuracy_is_scikit_learns_with_ties(problems: int) -> None:
    def expected(truth: Any, scores: Any, classes: int) -> float:
        return float(reference.top_k_accuracy_score(truth, scores, k=5, labels=np.arange(classes)))

    assert max(class_differences("top5_accuracy", problems, expected, least=6)) <= LARGEST


def test_classes_may_be_given_by_name() -> None:
    rng = np.random.default_rng(33)
    for _ in range(200):
        baseline, variant, truth, classes = class_problem(rng)
        names = np.array([f"class {i:03d}" for i in range(classes)])
        given = names[baseline.argmax(axis=1)], names[variant.argmax(axis=1)]
        for name, expected in (
            ("accuracy", reference.accuracy_score),
            ("macro_f1", lambda y, p: reference.f1_score(y, p, average="macro")),
        ):
            pair = metric(name).compare(*given, names[truth])
            assert pair.baseline == pytest.approx(expected(names[truth], given[0]), abs=LARGEST)
            assert pair.variant == pytest.approx(expected(names[truth], given[1]), abs=LARGEST)


def number_problem(rng: Any) -> tuple[Any, Any, Any]:
    """Outputs of two models and labels: one output or several of very different size, ties, outputs that never vary."""
    n, outputs = int(rng.integers(2, 80)), int(rng.integers(1, 6))
    size = 10.0 ** rng.integers(-3, 4, outputs)
    truth = rng.normal(size=(n, outputs)) * size + rng.normal(size=outputs) * size
    models = [truth + rng.normal(size=(n, outputs)) * size * rng.uniform(0, 2) for _ in range(2)]
    if rng.random() < 0.3:
        truth, models = np.round(truth), [np.round(m) for m in models]
    if outputs > 1 and rng.random() < 0.2:
        truth[:, 0] = 1.0
        if rng.random() < 0.5:
            models[0][:, 0] = 1.0
    if outputs == 1 and rng.random() < 0.5:
        return models[0], models[1], truth[:, 0]
    return models[0], models[1], truth


REGRESSION = {"mae": "mean_absolute_error", "rmse": "root_mean_squared_error", "r2": "r2_score"}
"""Names of scikit-learn's."""


@pytest.mark.parametrize("name", REGRESSION)
def test_errors_are_scikit_learns(name: str, problems: int) -> None:
    rng, worst, outside = np.random.default_rng(34), 0.0, 0
    for _ in range(problems):
        baseline, variant, labels = number_problem(rng)
        if name == "r2" and not np.ptp(labels, axis=0).any():
            continue
        pair = metric(name).compare(baseline, variant, labels)
        for value, outputs in ((pair.baseline, baseline), (pair.variant, variant)):
            expected = getattr(reference, REGRESSION[name])(labels.reshape(outputs.shape), outputs)
            worst = max(worst, abs(value - expected) / max(1.0, abs(expected)))
        means = pair.scores.p.mean() ** pair.scores.power, pair.scores.q.mean() ** pair.scores.power
        values = (pair.variant, pair.baseline) if name == "r2" else (pair.baseline, pair.variant)
        outside += means != pytest.approx(values, rel=LARGEST, abs=LARGEST) if name != "r2" or min(values) > 0 else 0
    assert worst <= LARGEST
    assert outside == 0


def test_cosine_similarity_is_scikit_learns(problems: int) -> None:
    rng, worst = np.random.default_rng(35), 0.0
    for _ in range(problems):
        n, width = int(rng.integers(1, 40)), int(rng.integers(1, 9))
        models = [rng.normal(size=(n, width)) for _ in range(2)]
        labels = rng.normal(size=(n, width))
        models[1][rng.random(n) < 0.1] = 0.0
        pair = metric("cosine_similarity").compare(*models, labels)
        for value, outputs in zip((pair.baseline, pair.variant), models, strict=True):
            worst = max(worst, abs(value - float(np.diag(reference.pairwise.cosine_similarity(outputs, labels)).mean())))
    assert worst <= LARGEST


def test_a_large_output_does_not_hide_a_small_one() -> None:
    """Variances pooled over outputs would keep 99.9 % here."""
    rng = np.random.default_rng(36)
    truth = rng.normal(size=(2000, 2)) * (1000.0, 1.0)
    baseline = truth + rng.normal(size=truth.shape) * (10.0, 0.01)
    variant = np.column_stack([baseline[:, 0], np.zeros(2000)])
    pair = metric("r2").compare(baseline, variant, truth)
    assert pair.variant == pytest.approx(reference.r2_score(truth, variant)) and pair.variant < 0.51
    assert retention_interval(pair.scores, 0.04).upper < 0.6


def test_labels_beyond_the_output_are_refused_by_top5_as_by_scikit_learn() -> None:
    scores = np.random.default_rng(37).normal(size=(20, 8))
    with pytest.raises(NotMeasured, match="the labels go from 0 to 8, and the output has 8 classes"):
        metric("top5_accuracy").compare(scores, scores, np.arange(20) % 9)


def test_names_have_no_errors() -> None:
    with pytest.raises(NotMeasured, match="labels must be numbers"):
        metric("mae").compare(np.ones((3, 1)), np.ones((3, 1)), np.array(["a", "b", "c"]))
