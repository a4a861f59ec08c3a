"""Identical data raises no alarm, and a shift does: simulated, small. The whole year is in
tests/benchmarks/test_bench_watch.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from simulation.watch import counts, day, delays, false_alarms, fired, normal, reference

SERIES, LOOKS = 40, 6
"""In the first six looks nine tenths of the error are spent that all looks together may make."""


@pytest.mark.parametrize(("draw", "n"), [(normal, 100), (counts, 100)], ids=["normal", "ties"])
def test_identical_data_raises_no_alarm(draw: object, n: int) -> None:
    """At 5 % there are 2 of 40 on average, and in one of a hundred such tests 7."""
    assert false_alarms(3, SERIES, LOOKS, n, draw) <= 6  # type: ignore[arg-type]


def test_a_shift_is_seen_and_one_that_does_not_matter_is_not() -> None:
    rng = np.random.default_rng(5)
    known = reference(rng, 5000)
    assert fired(day(rng, 500, normal(rng, 500, 0.5)), known, 365) == ["inputs/x[0]"]
    many = day(rng, 20_000, normal(rng, 20_000, 0.04))
    assert fired(many, known, 1) == [], "a shift of 0.04 standard deviations"


def test_others_cry_on_the_same_streams() -> None:
    """Which is why none of them is used."""
    found = {row.rule: row for row in delays(7, 3, 200, 0.5, calm=20, most=5)}
    assert found["gatekeeper"].calm == 0
    assert found["KS at 0.05"].calm == 1
    assert len(found["gatekeeper"].days) == 3, "and it is seen all the same"
