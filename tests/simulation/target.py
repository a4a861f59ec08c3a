"""A target of several variants, of which one that is shown to pass is enough: how often that is one which should not.

Counted is every run in which any variant that is exactly at its limit is shown to pass, whichever would then be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtr

from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.closed import allowed, share_of_bound
from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha
from gatekeeper.stats.retention import retention_interval
from simulation.noise import Array
from simulation.rows import Row, chunks

COUNTS = (1, 2, 3, 5, 10)
LIMIT, KEPT = 2.0, 0.95
FAST, SLOW, NEARLY = 2.6, 1.6, 2.15
SPREAD = 0.05
"""Of a round's median, as in the other tables."""

Draw = Callable[[np.random.Generator, int, int], tuple[Array, Array]]
"""Shares and failures, [runs, n], of n variants at their limit."""


def shown(shares: Array, failed: Array) -> Array:
    """`gatekeeper.stats.closed.shown` of every row; what failed is not in the family."""
    count = shares.shape[1]
    ordered = np.sort(np.where(failed, -math.inf, shares), axis=1)
    undecided = np.zeros(len(shares), dtype=int)
    for size in range(1, count + 1):
        steps = allowed(size) * np.arange(1, size + 1)
        undecided[(ordered[:, count - size :] > steps).all(axis=1)] = size
    return ~failed & (shares <= np.array([allowed(size) for size in range(count + 1)])[undecided][:, None])


def timed(baselines: str, truths: Array) -> Draw:
    """Variants that are `truths` times as fast, raced as the gate does; each against one baseline or its own, or in pairs."""

    def draw(rng: np.random.Generator, runs: int, _: int) -> tuple[Array, Array]:
        n = len(truths)
        rows = {"one": np.zeros(n, dtype=int), "own": np.arange(n), "noisy": np.zeros(n, dtype=int)}[baselines]
        spread = 4 * SPREAD if baselines == "noisy" else SPREAD
        base = spread * rng.standard_normal((runs, n, LOOKS[-1]))[:, rows]
        effect = base - SPREAD * rng.standard_normal((runs, n, LOOKS[-1])) + np.log(truths)[:, None] - math.log(LIMIT)
        return raced(effect)

    return draw


def raced(effect: Array) -> tuple[Array, Array]:
    """ln ratio over the limit, [runs, n, rounds]: measured until it is sure for as many as have not failed by then."""
    runs, n, _ = effect.shape
    alpha = look_alpha(len(LOOKS))
    shares, failed, done = np.full((runs, n), math.inf), np.zeros((runs, n), dtype=bool), np.zeros((runs, n), dtype=bool)
    for look in LOOKS:
        part = effect[:, :, :look]
        t = part.mean(axis=2) / (part.std(axis=2, ddof=1) / math.sqrt(look))
        below, p = stdtr(look - 1, t), stdtr(look - 1, -t)
        failed |= ~done & (below <= alpha)
        most = np.array([allowed(max(size, 1)) for size in range(n + 1)])[(~failed).sum(axis=1)][:, None]
        now = ~done & (failed | (p <= most * alpha) | (look == LOOKS[-1]))
        shares = np.where(now & ~failed & (p <= alpha), p / alpha, shares)
        done |= now
    return shares, failed


@lru_cache(maxsize=100_000)
def _kept(examples: int, lost: int) -> tuple[float, bool]:
    own = np.ones(examples)
    own[:lost] = 0
    kept = retention_interval(PairedScores("binary", p=own, q=np.ones(examples), examples=examples), ALPHA)
    passes = kept.lower >= KEPT
    return share_of_bound(kept.observed, kept.lower, KEPT, ALPHA) if passes else math.inf, kept.upper < KEPT


def answered(examples: int, common: float, kept: float = KEPT) -> Draw:
    """Variants that keep `kept` of the right answers, a part of what they lose in `common`; negative: no two lose the same."""

    def draw(rng: np.random.Generator, runs: int, n: int) -> tuple[Array, Array]:
        loss = 1 - kept
        if common < 0:
            lost = rng.multinomial(examples, [*[loss] * n, 1 - n * loss], size=runs)[:, :n]
        else:
            both = rng.binomial(examples, common * loss, size=(runs, 1))
            lost = both + rng.binomial(examples - both, (loss - common * loss) / (1 - common * loss), size=(runs, n))
        tables, rows = np.unique(lost, return_inverse=True)
        found = [_kept(examples, int(count)) for count in tables]
        shares, failed = (np.array([each[i] for each in found])[rows].reshape(lost.shape) for i in (0, 1))
        return shares, failed.astype(bool)

    return draw


@dataclass(frozen=True)
class Cell:
    """`wrong` are the variants that must not be shown, `right` those that should be; with those that do neither beside them."""

    name: str
    draw: Draw
    variants: int
    wrong: range
    right: range = range(0)


def cells() -> Iterator[Cell]:
    kinds = {"one baseline": "one", "a baseline each": "own", "a baseline four times as noisy": "noisy"}
    for n in COUNTS:
        at = np.full(n, LIMIT)
        for name, how in kinds.items():
            yield Cell(f"speed, {name}: {n} at the limit", timed(how, at), n, range(0, n))
        for name, more in (("a clear pass", [FAST]), ("two clear failures", [SLOW, SLOW]), ("both", [FAST, SLOW, SLOW])):
            yield Cell(f"speed: {n} at the limit, {name} beside", timed("one", np.array([*at, *more])), n + len(more), range(0, n))
        losing = {"losses alike": 1.0, "half alike": 0.5, "independent": 0.0, "never the same": -1.0}
        for examples in (200, 1000):
            for name, common in losing.items():
                yield Cell(f"accuracy, {examples}, {name}: {n} at the limit", answered(examples, common), n, range(0, n))


def target_rows(runs: int) -> Iterator[Row]:
    for cell in cells():
        found = np.concatenate([shown(*drawn)[:, list(cell.wrong)].any(axis=1) for drawn in _drawn(cell, runs)])
        yield Row("target", cell.name, int(found.sum()), runs)


def _drawn(cell: Cell, runs: int) -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(30_000)
    for some in chunks(runs):
        yield cell.draw(rng, some, cell.variants)


def rates(cell: Cell, runs: int, which: range) -> list[float]:
    """How often any of some variants passes: alone, by Bonferroni's rule over all, and as the target has it."""
    found = []
    for shares, failed in _drawn(cell, runs):
        rules = (shares <= 1, shares <= 1 / cell.variants, shown(shares, failed))
        found.append([passes[:, list(which)].any(axis=1) for passes in rules])
    return [float(np.concatenate(each).mean()) for each in zip(*found, strict=True)]


def powered() -> Iterator[Cell]:
    """A right variant somewhat above the limit, or all of them, and others that are at it, clear or far below."""
    for n in COUNTS:
        beside = {
            "alone right, the others clear failures": [SLOW] * (n - 1),
            "right, the others at the limit": [LIMIT] * (n - 1),
            "and all others right": [NEARLY] * (n - 1),
        }
        for name, others in beside.items() if n > 1 else [("alone", [])]:
            right = range(0, n if name.startswith("and") else 1)
            wrong = range(1, n) if LIMIT in others else range(0)
            yield Cell(f"{n} variants, one {NEARLY:g}x {name}", timed("one", np.array([NEARLY, *others])), n, wrong, right)
        yield Cell(f"{n} at the limit, one {FAST:g}x beside", timed("one", np.array([FAST, *[LIMIT] * n])), n + 1, range(1, n + 1),
                   range(0, 1))  # fmt: skip


HEAD = ["| at the limit | alone | Bonferroni | closed test | at most (95 %) |", "|---|--:|--:|--:|--:|"]


def target_table(runs: int) -> str:
    """False passes of every cell."""
    lines = list(HEAD)
    for cell in cells():
        alone, bonferroni, closed = rates(cell, runs, cell.wrong)
        upper = Row("target", cell.name, round(closed * runs), runs).upper
        lines.append(f"| {cell.name} | {alone:.1%} | {bonferroni:.1%} | {closed:.2%} | {upper:.2%} |")
    return "\n".join(lines) + "\n"


def target_power_table(runs: int) -> str:
    """How often a right variant is shown to pass."""
    lines = ["| truth | alone | Bonferroni | closed test |", "|---|--:|--:|--:|"]
    for cell in powered():
        lines.append(f"| {cell.name} | {' | '.join(f'{rate:.1%}' for rate in rates(cell, runs, cell.right))} |")
    return "\n".join(lines) + "\n"
