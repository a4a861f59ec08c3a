"""Expected calibration error: beside a bare loop and scikit-learn's bins, and its growth at the exact limit."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from kit.lazily import Lazily
from simulation.calibration import BINS, CASES, LIMIT, calibration_rows
from simulation.rows import clearly_above

from gatekeeper.stats.calibration import at_most, calibrated, error, growth, possible
from gatekeeper.stats.looks import ALPHA

RUNS = 400
calibration = Lazily("sklearn.calibration")


def drawn(n: int = 500, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    sure = rng.random(n) ** 0.3
    return sure, (rng.random(n) < sure**1.5) * 1.0


def by_loop(sure: Any, right: Any, bins: int) -> float:
    """Guo et al. (2017), eq. 3: bin m is ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [(c, k) for c, k in zip(sure.tolist(), right.tolist(), strict=True) if (m - 1) / bins < c <= m / bins]
        if inside:
            accuracy = math.fsum(k for _, k in inside) / len(inside)
            confidence = math.fsum(c for c, _ in inside) / len(inside)
            total += len(inside) / len(sure) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [2, 10, 15])
@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_that_of_a_bare_loop_and_of_scikit_learns_bins(bins: int, seed: int) -> None:
    sure, right = drawn(seed=seed)
    found = calibrated((sure, right), (sure, right), bins)
    assert error(found.baseline, 500) == pytest.approx(by_loop(sure, right, bins), abs=1e-12)
    shares, means = calibration.calibration_curve(right, sure, n_bins=bins, strategy="uniform")
    counts = np.array([row[0] for row in found.variant if row[0]])
    assert error(found.variant, 500) == pytest.approx(float((counts * np.abs(shares - means)).sum() / 500), abs=1e-12)


def test_two_models_that_say_the_same_grow_by_nothing_and_little_is_left_open() -> None:
    arm = drawn(5000)
    found = growth(calibrated(arm, arm, 15), ALPHA)
    assert found.observed == 0 and 0 < found.upper < 0.002 and found.lower < 0


@pytest.mark.parametrize("case", CASES)
def test_the_bounds_hold_the_value(case: str) -> None:
    rng = np.random.default_rng(0)
    for n in (59, 500):
        of = calibrated(*CASES[case](rng, n), BINS)
        found = growth(of, ALPHA)
        assert found.lower <= found.observed <= found.upper
        assert found.observed == pytest.approx(error(of.variant, n) - error(of.baseline, n))


def test_a_variant_exactly_at_the_limit_passes_in_at_most_five_of_a_hundred() -> None:
    rows = list(calibration_rows(RUNS))
    assert len(rows) == 4 * len(CASES)
    assert not [row for row in rows if clearly_above(row)]


def test_a_plain_difference_would_pass_it_most_of_the_time() -> None:
    """What the bound is for: the baseline's error is chance in every bin, and hides half of the growth."""
    rng, passed = np.random.default_rng(0), 0
    for _ in range(100):
        of = calibrated(*CASES["every bin, other answers"](rng, 500), BINS)
        passed += growth(of, ALPHA).observed <= LIMIT
    assert passed > 50


def test_what_grows_much_is_shown_and_what_grows_little_passes() -> None:
    rng = np.random.default_rng(0)
    sure = rng.choice([0.97, 0.99, 0.8], 2000, p=[0.3, 0.6, 0.1])
    right = (rng.random(2000) < sure) * 1.0
    assert growth(calibrated((sure, right), (sure - 0.001, right), 15), ALPHA).upper <= LIMIT
    assert growth(calibrated((sure, right), (np.ones(2000), right - (rng.random(2000) < 0.1) * right), 15), ALPHA).lower > LIMIT


def passing(apart: float, n: int, runs: int = 20) -> float:
    """How often a variant passes whose logits are a little off, of a baseline that is calibrated; `apart` says how good it is."""
    rng, passed = np.random.default_rng(1), 0
    for _ in range(runs):
        y, logits = rng.integers(0, 10, n), rng.standard_normal((n, 10))
        logits[np.arange(n), y] += apart
        arms = []
        for each in (apart * logits, apart * logits + 0.1 * rng.standard_normal((n, 10))):
            shares = np.exp(each - each.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            arms.append((shares.max(axis=1), (shares.argmax(axis=1) == y) * 1.0))
        passed += at_most(calibrated(arms[0], arms[1], BINS), LIMIT, ALPHA)
    return passed / runs


def test_how_many_examples_it_takes() -> None:
    assert passing(5, 500) > 0.9, "of a model that is right in 99.8 %"
    assert passing(3, 900) < 0.1 and passing(3, 5000) > 0.8, "of one that is right in 90 %"


def test_bins_that_cannot_be_are_not_possible() -> None:
    arm = drawn(200)
    found = calibrated(arm, arm, 10)
    assert possible(found)
    for key in ("baseline", "variant"):
        rows = getattr(found, key)
        n, right, sure, squares = rows[-1]
        others = [
            (n - 1, right, sure, squares), (n, n + 1, sure, squares), (n, right, 2.0 * n, squares), (n, right, sure, 0.0),
            (n, right, sure, 2.0 * n), (n, right, math.nan, squares), (n, right, sure, math.nan),
        ]  # fmt: skip
        for row in others:
            assert not possible(msgspec.structs.replace(found, **{key: [*rows[:-1], row]})), row
    i, j, product = found.together[-1]
    for row in ((i, j, 100 + product), (99, j, product), (i, -1, product)):
        assert not possible(msgspec.structs.replace(found, together=[*found.together[:-1], row]))
    assert not possible(msgspec.structs.replace(found, together=[*found.together, found.together[0]]))
    assert not possible(msgspec.structs.replace(found, bins=11)) and not possible(msgspec.structs.replace(found, examples=0))
