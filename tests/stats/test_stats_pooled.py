from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gatekeeper.records.scores import Counts, PairedScores
from gatekeeper.stats import pooled
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval, shows

RNG = np.random.default_rng(0)
N, C = 300, 4
LABELLED = RNG.integers(20, 60, (N, C))
RIGHT = RNG.binomial(LABELLED, 0.9)


def counts(after: Any, union: bool = True, before: Any = RIGHT, labelled: Any = LABELLED) -> Counts:
    """What is not right is taken for the next class."""

    def given(right: Any) -> Any:
        return right + np.roll(labelled - right, 1, axis=1)

    return Counts(np.stack([labelled, given(before), before, given(after), after]), union)


def scores(found: Counts) -> PairedScores:
    return PairedScores("pooled", p=found.table[4].sum(axis=1), q=found.table[2].sum(axis=1), examples=N, counts=found)


def test_a_model_keeps_all_of_itself() -> None:
    found = retention_interval(scores(counts(RIGHT)), ALPHA)
    assert found.observed == 1.0
    assert 0.97 < found.lower < 1.0 < found.upper < 1.03


@pytest.mark.parametrize("union", [True, False])
def test_a_class_that_is_lost_costs_its_share(union: bool) -> None:
    after = RIGHT * (np.arange(C) != 2)
    found = retention_interval(scores(counts(after, union)), ALPHA)
    assert found.upper < 0.8
    assert found.lower < found.observed < found.upper


def test_no_bound_is_narrower_for_a_variant_that_is_better() -> None:
    better = retention_interval(scores(counts(LABELLED)), ALPHA)
    assert better.observed > 1 and better.lower > 1


def test_more_of_the_same_shows_more() -> None:
    after = RNG.binomial(RIGHT, 0.97)
    few = Counts(counts(after).table[:, :70])
    small = PairedScores("pooled", p=few.table[4].sum(axis=1), q=few.table[2].sum(axis=1), examples=70, counts=few)
    assert not shows(small, 0.97, ALPHA) or shows(small, 0.97, ALPHA, 20)
    assert retention_interval(small, ALPHA).lower < retention_interval(scores(counts(after, False)), ALPHA).lower


def test_what_one_example_alone_shows_may_be_lost() -> None:
    """A class of one image: it is kept, and nothing says that it would be again."""
    labelled = LABELLED.copy()
    labelled[1:, 3] = 0
    found = retention_interval(scores(counts(labelled, before=labelled, labelled=labelled)), ALPHA)
    assert found.observed == 1.0
    assert found.lower < 0.85, "a quarter of the mean hangs on it"


def test_a_class_that_only_the_baseline_makes_up_hides_no_loss() -> None:
    """The baseline answers one pixel with a class that is not there: its mean has a zero more, which is no gain to keep."""
    wide = [np.pad(each, ((0, 0), (0, 1))) for each in counts(RNG.binomial(RIGHT, 0.9)).table]
    wide[1][0, C] = 1
    found = Counts(np.stack(wide), True)
    base, kept = pooled.values(found)
    assert kept / base > 0.95, "what is shown is the metric's"
    interval = retention_interval(scores(found), ALPHA)
    assert interval.observed == pytest.approx(kept / base)
    assert interval.lower < 0.9


def test_a_baseline_of_nothing_keeps_nothing() -> None:
    found = retention_interval(scores(counts(RIGHT, before=RIGHT * 0)), ALPHA)
    assert np.isnan(found.observed) and found.lower == -np.inf


def test_the_baselines_own_bound() -> None:
    base, _ = pooled.values(counts(RIGHT))
    assert base - 0.02 < pooled.least(counts(RIGHT), ALPHA) < base
