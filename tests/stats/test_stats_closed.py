"""Of several variants no more are shown than may be: by every set that they are in, and not alone only."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import target

from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.binary import right_and_wrong, score_z, share_of_counts
from gatekeeper.stats.closed import CLOSE, ROOM, allowed, least_of_bound, least_share, share_of_bound, shown
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import retention_interval, shows

SHARES = st.lists(st.one_of(st.floats(1e-6, 1.2), st.just(math.inf)), min_size=1, max_size=7)
RUNS = 4000


def by_every_set(shares: list[float]) -> list[bool]:
    """What the rule stands for: one is shown where Simes' rule rejects every set that it is in."""

    def rejected(members: tuple[int, ...]) -> bool:
        ordered = sorted(shares[i] for i in members)
        return any(share <= rank * allowed(len(members)) for rank, share in enumerate(ordered, 1))

    everyone = range(len(shares))
    sets = [s for size in range(1, len(shares) + 1) for s in itertools.combinations(everyone, size)]
    return [all(rejected(s) for s in sets if i in s) for i in everyone]


@given(SHARES)
def test_what_is_shown_is_shown_against_every_set(shares: list[float]) -> None:
    assert shown(shares) == by_every_set(shares)


@given(SHARES, st.integers(1, 4))
def test_others_of_which_nothing_is_known_are_as_bad_as_can_be(shares: list[float], more: int) -> None:
    assert shown(shares, more) == shown([*shares, *[math.inf] * more])[: len(shares)]


@given(SHARES)
def test_one_that_is_shown_stays_so_where_others_are_surer(shares: list[float]) -> None:
    surer = [share / 2 for share in shares]
    assert all(after for before, after in zip(shown(shares), shown(surer), strict=True) if before)


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ([1.0], [True]),
        ([1.01], [False]),
        ([0.5, 0.6, 0.7], [True, True, True]),  # each would be one of three chances, and all three were lucky at once
        ([0.5, 0.6, math.inf], [False, False, False]),
        ([1e-6, 0.9], [True, True]),  # a clear one beside costs nothing
        ([1e-6, 0.4, 0.9], [True, True, True]),
        ([1e-6, 0.6, math.inf], [True, False, False]),
        ([ROOM / 3, math.inf, math.inf], [True, False, False]),
        ([ROOM / 3 + 1e-6, math.inf, math.inf], [False, False, False]),
    ],
)
def test_examples(shares: list[float], found: list[bool]) -> None:
    assert shown(shares) == found


def test_the_room_pays_for_what_fails_at_its_limit() -> None:
    """At most: two at their limit, of which one fails and leaves all to the other now and then."""
    assert (1 - ALPHA) * (ALPHA * ROOM) / (1 - ALPHA) + ALPHA * ALPHA <= ALPHA
    assert ROOM <= (1 - 2 * ALPHA) / (1 - ALPHA)


@given(st.floats(1e-4, 1.0), st.sampled_from([0.001, 0.01, 0.3]))
def test_the_least_share_is_never_said_to_be_less(truth: float, least: float) -> None:
    found = least_share(lambda share: share >= truth, least)
    assert max(truth, least) <= found <= max(truth * CLOSE, least)


COUNTS = [(60, 0, 0, 0), (200, 4, 4, 20), (1000, 25, 10, 100), (5000, 200, 30, 500), (1000, 0, 0, 0), (300, 2, 9, 30)]


@pytest.mark.parametrize(("right", "lost", "gained", "wrong"), COUNTS)
def test_of_right_and_wrong_answers_bounds_say_no_less_than_counts(right: int, lost: int, gained: int, wrong: int) -> None:
    p = np.array([0.0] * lost + [1.0] * (right - lost) + [1.0] * gained + [0.0] * (wrong - gained))
    q = np.array([1.0] * right + [0.0] * wrong)
    kept = retention_interval(PairedScores("binary", p=p, q=q, examples=len(p)), ALPHA)
    counts = right_and_wrong(p, q)
    assert counts == (right - lost, lost, gained)
    limits = [limit for limit in (0.9, 0.93, 0.95) if kept.lower > limit]
    assert limits
    for limit in limits:
        exact = share_of_counts(*counts, len(p), limit, ALPHA)
        assert (score_z(p, q, limit) >= 2.0) == (exact * ALPHA <= 0.0227501319)
        assert exact <= share_of_bound(kept.observed, kept.lower, limit, ALPHA)
    assert share_of_counts(*counts, len(p), kept.lower, ALPHA) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", ["bounded", "errors", "log"])
def test_of_other_scores_neither_do_they_say_less(kind: str) -> None:
    rng = np.random.default_rng(5)
    for n, spread in ((800, 0.05), (2000, 0.2), (4000, 0.1)):
        q = rng.uniform(0.5, 1.0, n)
        p = np.clip(q * (1 - 0.01 * rng.exponential(1, n)) + spread * 0.05 * rng.standard_normal(n), 0, 1)
        scores = PairedScores(kind, p=p, q=q, examples=n, low=0.0, high=1.0)  # type: ignore[arg-type]
        kept = retention_interval(scores, ALPHA)
        for limit in (0.8, 0.85, 0.9, 0.95):
            if kept.lower <= limit:
                continue
            own = least_share(lambda part, s=scores, at=limit: shows(s, at, part * ALPHA), 1e-4)  # type: ignore[misc]
            assert own <= CLOSE * max(share_of_bound(kept.observed, kept.lower, limit, ALPHA), 1e-4)


def test_a_bound_that_clears_nothing_shows_nothing() -> None:
    for bound in (0.9, 0.95, 0.97, math.nan, -math.inf):
        assert share_of_bound(0.97, bound, 0.95, ALPHA) == 1.0 or bound == 0.95
    assert share_of_bound(0.97, 0.951, 0.95, ALPHA) < 1
    assert least_of_bound(0.97, 0.96, 0.95, ALPHA) < share_of_bound(0.97, 0.96, 0.95, ALPHA)


def test_the_rule_simulated_is_the_rule() -> None:
    rng = np.random.default_rng(6)
    shares = np.where(rng.random((300, 6)) < 0.3, math.inf, rng.random((300, 6)) ** 3)
    failed = rng.random((300, 6)) < 0.3
    for row, out, found in zip(shares, failed, target.shown(shares, failed), strict=True):
        left = iter(shown(row[~out].tolist()))
        assert [False if each else next(left) for each in out] == found.tolist()


def test_a_target_passes_by_a_wrong_variant_in_at_most_five_percent() -> None:
    rows = list(target.target_rows(RUNS))
    assert {int(row.noise.split(": ")[1].split()[0]) for row in rows} == set(target.COUNTS)
    assert [row for row in rows if not row.met] == []


def test_variants_that_are_looked_at_alone_break_the_promise() -> None:
    cells = {cell.name: cell for cell in target.cells()}
    for n, least in ((3, 0.06), (10, 0.2)):
        cell = cells[f"accuracy, 1000, independent: {n} at the limit"]
        assert target.passed(cell, 1000, cell.wrong, target.RULES["alone"]) > least * 1000


def test_what_is_clear_or_alone_loses_no_power() -> None:
    for cell in target.powered():
        alone, bonferroni, closed = (target.passed(cell, 500, cell.right, rule) / 500 for rule in target.RULES.values())
        assert closed >= bonferroni - 0.02
        if "clear failures" in cell.name or "2.6x" in cell.name or "all others right" in cell.name:
            assert closed >= alone - 0.01, cell.name
