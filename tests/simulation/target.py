"""A target of several variants, of which one that is shown to pass is enough: how often that is one which should not.

Counted is every run in which any variant that is exactly at its limit is shown to pass, whichever would then be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtr

from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.stats.binary import share_of_counts
from gatekeeper.stats.closed import allowed
from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha
from simulation.noise import Array
from simulation.rows import Row, chunks

COUNTS = (1, 2, 3, 5, 10)
LIMIT, KEPT = 2.0, 0.95
BETTER = 0.97
FAST, SLOW, NEARLY = 2.6, 1.6, 2.15
SPREAD = 0.05
"""Of a round's median, as in the other tables."""


def shown(shares: Array, failed: Array) -> Array:
    """`gatekeeper.stats.closed.shown` of every row; what failed is not in the family."""
    count = shares.shape[1]
    ordered = np.sort(np.where(failed, -math.inf, shares), axis=1)
    undecided = np.zeros(len(shares), dtype=int)
    for size in range(1, count + 1):
        steps = allowed(size) * np.arange(1, size + 1)
        undecided[(ordered[:, count - size :] > steps).all(axis=1)] = size
    return ~failed & (shares <= np.array([allowed(size) for size in range(count + 1)])[undecided][:, None])


@dataclass(frozen=True)
class Rule:
    """Which variants pass, by their shares and failures; `until` is the share at which one is measured no more, of so many that
    have not failed, and of all."""

    passes: Callable[[Array, Array], Array]
    until: Callable[[int, int], float]


RULES = {
    "alone": Rule(lambda shares, failed: shares <= 1, lambda left, n: 1.0),
    "Bonferroni": Rule(lambda shares, failed: shares <= 1 / shares.shape[1], lambda left, n: 1 / n),
    "closed test": Rule(shown, lambda left, n: allowed(left)),
}
CLOSED = RULES["closed test"]

Draw = Callable[[np.random.Generator, int, int, Rule], tuple[Array, Array]]
"""Shares and failures, [runs, n], of n variants that are measured by a rule."""


def timed(baselines: str, truths: Array) -> Draw:
    """Variants that are `truths` times as fast, raced against one baseline, against one each, or against a noisy one."""

    def draw(rng: np.random.Generator, runs: int, n: int, rule: Rule) -> tuple[Array, Array]:
        rows = {"one": np.zeros(n, dtype=int), "own": np.arange(n), "noisy": np.zeros(n, dtype=int)}[baselines]
        spread = 4 * SPREAD if baselines == "noisy" else SPREAD
        base = spread * rng.standard_normal((runs, n, LOOKS[-1]))[:, rows]
        effect = base - SPREAD * rng.standard_normal((runs, n, LOOKS[-1])) + np.log(truths)[:, None] - math.log(LIMIT)
        return raced(effect, rule)

    return draw


def raced(effect: Array, rule: Rule) -> tuple[Array, Array]:
    """ln ratio over the limit, [runs, n, rounds]: measured until its rule is sure for as many as have not failed by then."""
    runs, n, _ = effect.shape
    shares, failed, done = np.full((runs, n), math.inf), np.zeros((runs, n), dtype=bool), np.zeros((runs, n), dtype=bool)
    for look in LOOKS:
        part = effect[:, :, :look]
        t = part.mean(axis=2) / (part.std(axis=2, ddof=1) / math.sqrt(look))
        below, p = stdtr(look - 1, t), stdtr(look - 1, -t)
        failed |= ~done & (below <= look_alpha(look, LOOKS[-1]))
        most = np.array([rule.until(max(size, 1), n) for size in range(n + 1)])[(~failed).sum(axis=1)][:, None]
        needed = needed_share(p, look)
        now = ~done & (failed | (needed <= most) | (look == LOOKS[-1]))
        shares = np.where(now & ~failed & (needed <= 1), needed, shares)
        done |= now
    return shares, failed


PARTS = np.geomspace(1e-3, 1, 25)


def needed_share(p: Array, look: int) -> Array:
    """The share of the budget of which a look's level is `p`; more than 1 where the whole of it is not enough."""
    levels = [look_alpha(look, LOOKS[-1], share=float(part)) for part in PARTS]
    found = np.exp(np.interp(np.log(np.maximum(p, 1e-300)), np.log(levels), np.log(PARTS)))
    return np.where(p <= levels[-1], found, math.inf)


@lru_cache(maxsize=100_000)
def _kept(examples: int, lost: int) -> tuple[float, bool]:
    share = share_of_counts(examples - lost, lost, 0, examples, KEPT, ALPHA)
    return share if share <= 1 and examples >= LEAST_EXAMPLES else math.inf, share * ALPHA >= 1 - ALPHA


def answered(examples: int, common: float, kept: Array = KEPT) -> Draw:
    """Variants that keep `kept` of the right answers, a part of what they lose in `common`; negative: no two lose the same."""

    def draw(rng: np.random.Generator, runs: int, n: int, rule: Rule) -> tuple[Array, Array]:
        loss = np.broadcast_to(1 - kept, n)
        if common < 0:
            lost = rng.multinomial(examples, [*loss, 1 - loss.sum()], size=runs)[:, :n]
        else:
            alike = common * loss.min()
            both = rng.binomial(examples, alike, size=(runs, 1))
            lost = both + rng.binomial(examples - both, (loss - alike) / (1 - alike), size=(runs, n))
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
            yield Cell(f"speed, {name}: {n} at the limit", timed(how, at), n, range(n))
        for name, more in (("a clear pass", [FAST]), ("two clear failures", [SLOW, SLOW]), ("both", [FAST, SLOW, SLOW])):
            yield Cell(f"speed: {n} at the limit, {name} beside", timed("one", np.array([*at, *more])), n + len(more), range(n))
        losing = {"losses alike": 1.0, "half alike": 0.5, "independent": 0.0, "never the same": -1.0}
        for examples in (200, 1000):
            for name, common in losing.items():
                yield Cell(f"accuracy, {examples}, {name}: {n} at the limit", answered(examples, common), n, range(n))


def target_rows(runs: int) -> Iterator[Row]:
    for cell in cells():
        yield Row("target", cell.name, passed(cell, runs, cell.wrong), runs)


def passed(cell: Cell, runs: int, which: range, rule: Rule = CLOSED) -> int:
    """In how many runs any of some variants passes."""
    rng, count = np.random.default_rng(30_000), 0
    for some in chunks(runs):
        found = rule.passes(*cell.draw(rng, some, cell.variants, rule))
        count += int(found[:, list(which)].any(axis=1).sum())
    return count


def _rates(cell: Cell, runs: int, which: range) -> list[float]:
    return [passed(cell, runs, which, rule) / runs for rule in RULES.values()]


def powered() -> Iterator[Cell]:
    """A right variant somewhat above the limit, or all of them, and others that are at it, clear or far below."""
    for n in COUNTS:
        beside = {
            "right, the others clear failures": [SLOW] * (n - 1),
            "right, the others at the limit": [LIMIT] * (n - 1),
            "and all others right": [NEARLY] * (n - 1),
        }
        for name, others in beside.items() if n > 1 else [("alone", [])]:
            right = range(n if name.startswith("and") else 1)
            wrong = range(1, n) if LIMIT in others else range(0)
            yield Cell(f"{n} variants, one {NEARLY:g}x {name}", timed("one", np.array([NEARLY, *others])), n, wrong, right)
        kept = np.array([BETTER, *[KEPT] * (n - 1)])
        yield Cell(
            f"{n} variants, one keeps 97 % of 1,000 answers, the others 95 %", answered(1000, 0.0, kept), n, range(1, n), range(1)
        )
        clear = timed("one", np.array([FAST, *[LIMIT] * n]))
        yield Cell(f"{n} at the limit, one {FAST:g}x beside", clear, n + 1, range(1, n + 1), range(1))


def shortly(row: Row) -> bool:
    """Whether a cell is among the few that say it all."""
    return row.noise.startswith(("speed, one baseline:", "accuracy, 1000, independent:")) or "both beside" in row.noise


def target_table(rows: Sequence[Row], runs: int) -> str:
    """False passes of cells, and those of other rules in so many runs."""
    lines = ["| at the limit | alone | Bonferroni | closed test | at most (95 %) |", "|---|--:|--:|--:|--:|"]
    named = {cell.name: cell for cell in cells()}
    for row in rows:
        cell = named[row.noise]
        others = [passed(cell, runs, cell.wrong, RULES[name]) / runs for name in ("alone", "Bonferroni")]
        lines.append(f"| {row.noise} | {' | '.join(f'{rate:.1%}' for rate in others)} | {row.rate:.2%} | {row.upper:.2%} |")
    return "\n".join(lines) + "\n"


def target_power_table(runs: int) -> str:
    """How often a right variant is shown to pass."""
    lines = ["| truth | alone | Bonferroni | closed test |", "|---|--:|--:|--:|"]
    for cell in powered():
        lines.append(f"| {cell.name} | {' | '.join(f'{rate:.1%}' for rate in _rates(cell, runs, cell.right))} |")
    return "\n".join(lines) + "\n"
