"""Retention at the exact limit of scores that are not right or wrong by example, and of examples that are copies.

Each cell has a way in which a variant loses 5 % (a pass is then wrong), and an ordinary one in which it loses 1 % (a pass is
owed). Scores are made by the metrics themselves. Beside the gate's rule stands Student's t on the same contrasts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from scipy.special import stdtrit

from gatekeeper.evaluate.metrics._base import binary, metric
from gatekeeper.evaluate.metrics._whole import user_metric
from gatekeeper.evaluate.once import once
from gatekeeper.evaluate.others import component_scores
from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.records.scores import PairedScores
from gatekeeper.stats.looks import ALPHA
from gatekeeper.stats.retention import shows
from simulation import lists, places
from simulation.rows import Row

LIMIT, ORDINARY = 0.95, 0.99
Draw = Callable[[Any, int, float], PairedScores]  # generator, examples, what is kept in truth


@dataclass(frozen=True)
class Cell:
    """One score and one way to lose, at one size."""

    score: str
    loss: str
    examples: int
    at_limit: Draw
    ordinary: Draw

    @property
    def name(self) -> str:
        return f"{self.score}; {self.loss}; n = {self.examples}"


# --- errors -------------------------------------------------------------------------------------------------------------


def errors_rare(name: str, share: float, rng: Any, n: int, kept: float) -> PairedScores:
    """All that is lost, is lost on a small share of the examples; the others are answered as before."""
    labels, base = rng.normal(size=(n, 1)), rng.normal(size=(n, 1)) * 0.3
    mean = 0.3 * math.sqrt(2 / math.pi)
    rare = rng.random((n, 1)) < share
    if name == "mae":
        worse = base + np.sign(base) * rare * (1 / kept - 1) / share * mean
    else:
        worse = np.sqrt(base**2 + rare * (1 / kept**2 - 1) / share * 0.09)
    return metric(name).compare(labels + base, labels + worse, labels).scores


def errors_everywhere(name: str, rng: Any, n: int, kept: float) -> PairedScores:
    """Every error changes by some 20 %."""
    labels, base = rng.normal(size=(n, 1)), rng.normal(size=(n, 1)) * 0.3
    spread = 0.2 if name == "mae" else 0.1
    factor = np.exp(rng.normal(-(spread**2) / 2, spread, (n, 1)))
    if name == "rmse":
        factor /= math.exp(spread**2 / 2)
    return metric(name).compare(labels + base, labels + base * factor / kept, labels).scores


def r2_tails(how: str, explained: float, outputs: int, rng: Any, n: int, kept: float) -> PairedScores:
    """Errors have a t distribution of three degrees: those of the variant alone, on top of the baseline's, or as a factor."""
    labels = rng.normal(size=(n, outputs)) * 10.0 ** np.arange(outputs)
    size = 10.0 ** np.arange(outputs)

    def tails() -> Any:
        return rng.standard_t(3, (n, outputs)) / math.sqrt(3) * size

    before, after = 1 - explained, 1 - kept * explained
    base = math.sqrt(before) * tails()
    worse = {
        "of its own": lambda: math.sqrt(after) * tails(),
        "added": lambda: base + math.sqrt(after - before) * tails(),
        "scaled": lambda: base * math.sqrt(after / before),
    }[how]()
    return metric("r2").compare(labels + base, labels + worse, labels).scores


def r2_rare(share: float, rng: Any, n: int, kept: float) -> PairedScores:
    labels, base = rng.normal(size=(n, 1)), rng.normal(size=(n, 1)) * math.sqrt(0.1)
    worse = np.sqrt(base**2 + (rng.random((n, 1)) < share) * (1 - kept) * 0.9 / share)
    return metric("r2").compare(labels + base, labels + worse, labels).scores


def r2_everywhere(rng: Any, n: int, kept: float) -> PairedScores:
    labels, base = rng.normal(size=(n, 1)), rng.normal(size=(n, 1)) * math.sqrt(0.1)
    worse = base + rng.normal(size=(n, 1)) * math.sqrt((1 - kept) * 0.9)
    return metric("r2").compare(labels + base, labels + worse, labels).scores


# --- outputs that no metric reads ----------------------------------------------------------------------------------------


def output_scores(before: Any, after: Any) -> PairedScores:
    """As gatekeeper/evaluate/others.py scores one component."""
    spread = (before - before.mean()) ** 2
    return component_scores(spread - (after - before) ** 2, spread)


def output_rare(share: float, rng: Any, n: int, kept: float) -> PairedScores:
    before = rng.normal(size=n) * 7
    return output_scores(before, before + (rng.random(n) < share) * 7 * math.sqrt((1 - kept) / share))


def output_everywhere(how: str, rng: Any, n: int, kept: float) -> PairedScores:
    before = rng.exponential(7, n) if how == "skewed" else rng.normal(size=n) * 7
    error = rng.standard_t(3, n) / math.sqrt(3) if how == "t3 tails" else rng.normal(size=n)
    return output_scores(before, before + 7 * math.sqrt(1 - kept) * error)


def output_texts(rng: Any, n: int, kept: float) -> PairedScores:
    return component_scores((rng.random(n) < kept).astype(float), np.ones(n))


# --- a metric of the user's own -----------------------------------------------------------------------------------------


def own(span: tuple[float, float] | None, before: Any, after: Any) -> PairedScores:
    score = user_metric("m:score", lambda outputs, labels: outputs, span=span)
    return score(before, after, np.zeros(len(before))).scores


def own_right(gained: float, rng: Any, n: int, kept: float) -> PairedScores:
    """Nine in ten are right."""
    both = kept * 0.9 - gained
    cell = rng.choice(4, size=n, p=[both, 0.9 - both, gained, 0.1 - gained])
    return own(None, np.isin(cell, (0, 1)).astype(float), np.isin(cell, (0, 2)).astype(float))


def own_shares(span: tuple[float, float] | None, share: float, rng: Any, n: int, kept: float) -> PairedScores:
    """Overlaps of 0.7 to 0.9; the loss falls on a share of the examples, which then score as little as makes it up."""
    before = rng.uniform(0.7, 0.9, n)
    rare = rng.random(n) < share
    return own(span, before, before * np.where(rare, max(1 - (1 - kept) / share, 0.0), 1.0))


# --- macro F1 -----------------------------------------------------------------------------------------------------------


def confusion(how: str, minority: float, lost: float) -> Any:
    """Shares of (truth, baseline, variant) for a binary problem, [2, 2, 2]."""
    cells = np.zeros((2, 2, 2))
    common = 1 - minority
    if how == "of a minority not found":
        cells[0, 0, 0] = common
        cells[1, 1, 1], cells[1, 1, 0] = minority * (1 - lost), minority * lost
    elif how == "wrongly taken for the minority":
        cells[0, 0, 0], cells[0, 0, 1] = common * (1 - lost), common * lost
        cells[1, 1, 1] = minority
    else:  # a baseline that errs as well, and a variant that gains some of that
        cells[0, 0, 0], cells[0, 1, 1] = common * 0.99, common * 0.01
        cells[1, 1, 1], cells[1, 1, 0] = minority * (0.9 - lost), minority * lost
        cells[1, 0, 0], cells[1, 0, 1] = minority * 0.08, minority * 0.02
    return cells


def f1_kept(cells: Any) -> float:
    def macro(table: Any) -> float:
        return float(np.mean([2 * table[c, c] / (table[c].sum() + table[:, c].sum()) for c in (0, 1)]))

    return macro(cells.sum(axis=1)) / macro(cells.sum(axis=2))


@cache
def confusion_that_keeps(how: str, minority: float, kept: float) -> Any:
    low, high = 0.0, 0.9
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f1_kept(confusion(how, minority, middle)) > kept else (low, middle)
    return confusion(how, minority, low)


def f1_scores(how: str, minority: float, rng: Any, n: int, kept: float) -> PairedScores:
    counts = rng.multinomial(n, confusion_that_keeps(how, minority, kept).reshape(-1))
    truth, baseline, variant = np.repeat(np.indices((2, 2, 2)).reshape(3, -1), counts, axis=1)
    one_hot = np.eye(2)
    return metric("macro_f1").compare(one_hot[baseline], one_hot[variant], truth).scores


# --- text, and copies ---------------------------------------------------------------------------------------------------


def windows_rare(share: float, rng: Any, n: int, kept: float) -> PairedScores:
    baseline = rng.normal(3.0, 0.4, n)
    lost = (rng.random(n) < share) * -math.log(kept) / share
    return PairedScores("log", p=baseline, q=baseline + lost, examples=n)


def windows_everywhere(rng: Any, n: int, kept: float) -> PairedScores:
    baseline = rng.normal(3.0, 0.4, n)
    return PairedScores("log", p=baseline, q=baseline - math.log(kept) + rng.normal(0, 0.05, n), examples=n)


def copied(copies: int, rng: Any, n: int, kept: float) -> PairedScores:
    """Every example so often; n counts the distinct ones."""
    both = kept * 0.9 - 0.02
    cell = np.tile(rng.choice(4, size=n, p=[both, 0.9 - both, 0.02, 0.08]), copies)
    pair = binary(np.isin(cell, (0, 1)), np.isin(cell, (0, 2)))
    return once(pair.scores, np.tile(np.arange(n), copies))


# --- cells --------------------------------------------------------------------------------------------------------------


def cells() -> Iterator[Cell]:
    for name in ("mae", "rmse"):
        usual = partial(errors_everywhere, name)
        for share, sizes in ((0.02, (59, 500)), (0.01, (59, 200, 1000)), (0.005, (200, 500, 1000, 2000))):
            for n in sizes:
                yield Cell(name, f"on {share:.1%} of examples", n, partial(errors_rare, name, share), usual)
    for how, explained in (("added", 0.9), ("scaled", 0.6), ("of its own", 0.9), ("of its own", 0.6)):
        for n in (59, 200, 1000, 5000):
            tails = partial(r2_tails, how, explained, 1)
            yield Cell("r2", f"errors with t3 tails, {how}, R2 of {explained}", n, tails, r2_everywhere)
    for n in (200, 1000, 5000):
        yield Cell("r2", "two outputs, t3 tails, added", n, partial(r2_tails, "added", 0.9, 2), r2_everywhere)
        yield Cell("r2", "on 1.0% of examples", n, partial(r2_rare, 0.01), r2_everywhere)
    for n in (59, 200, 500, 1000):
        yield Cell("outputs", "on 1.0% of examples", n, partial(output_rare, 0.01), partial(output_everywhere, "usual"))
        for how in ("usual", "skewed", "t3 tails"):
            everywhere = partial(output_everywhere, how)
            yield Cell("outputs", f"on all, {how}", n, everywhere, everywhere)
        yield Cell("outputs", "other texts", n, output_texts, output_texts)
    for n in (59, 100, 200, 1000):
        yield Cell("own, 0 or 1", "only losses", n, partial(own_right, 0.0), partial(own_right, 0.0))
        yield Cell("own, 0 or 1", "2 % gained", n, partial(own_right, 0.02), partial(own_right, 0.02))
    for share in (0.05, 0.1, 1.0):
        for n in (100, 500):
            spread = partial(own_shares, (0.0, 1.0), share)
            yield Cell("own, range [0, 1]", f"on {share:.0%} of examples", n, spread, partial(own_shares, (0.0, 1.0), 1.0))
    for how in ("of a minority not found", "wrongly taken for the minority", "of a minority not found, some gained"):
        for minority, sizes in ((0.05, (100, 300, 1000)), (0.01, (300, 1000, 3000))):
            for n in sizes:
                draw = partial(f1_scores, how, minority)
                yield Cell("macro_f1", f"{how}, minority of {minority:.0%}", n, draw, draw)
    for n in (59, 100, 200, 500, 1000):
        yield Cell("perplexity", "on 1.0% of windows", n, partial(windows_rare, 0.01), windows_everywhere)
    for copies in (2, 10):
        for n in (100, 500):
            yield Cell("accuracy", f"every example {copies} times", n, partial(copied, copies), partial(copied, copies))


def several() -> Iterator[Cell]:
    """Of tasks with several answers an example: each run draws weights of its own, so that a table of theirs has fewer runs."""
    for kind, how in (
        *itertools.product(places.PRESENT, ("whole images", "pixels", "one class")),
        ("10 classes", "the rarest class"),
    ):
        for n in (59, 200, 500):
            usual = partial(places.segmented, kind, "pixels", True)
            yield Cell("mean_iou", f"{how}, {kind}", n, partial(places.segmented, kind, how, True), usual)
    for n in (59, 200):
        usual = partial(places.segmented, "10 classes", "pixels", False)
        yield Cell("dice", "whole images, 10 classes", n, partial(places.segmented, "10 classes", "whole images", False), usual)
    for how in ("whole texts", "tokens"):
        for n in (59, 200, 1000):
            yield Cell("token_accuracy", how, n, partial(places.tagged, how), partial(places.tagged, "tokens"))
            yield Cell("entity_f1", how, n, partial(places.entities, how), partial(places.entities, "tokens"))
    for how in ("all labels", "the rarest label"):
        for n in (59, 200, 1000):
            yield Cell("multilabel_macro_f1", how, n, partial(places.labelled, how), partial(places.labelled, "all labels"))
    for how in ("letters", "whole texts", "texts made up"):
        for n in (59, 200, 500, 1000):
            usual = partial(lists.transcribed, "letters")
            yield Cell("character_error_rate", how, n, partial(lists.transcribed, how), usual)
    for how in ("queries", "whole things"):
        for n in (59, 100, 200, 1000):
            yield Cell("recall_at_1", how, n, partial(lists.neighbours, how), partial(lists.neighbours, "queries"))


def detector_cells() -> Iterator[Cell]:
    """Which take longer to draw than all the others."""
    for kind, how, kept in lists.LOST:
        for n in (59, 200, 500, 1000) if kept == LIMIT else ():
            yield Cell("map", f"{how}, {kind}", n, partial(lists.detected, kind, how), partial(lists.detected, kind, "objects"))


def passes(scores: PairedScores) -> bool:
    """What gates/accuracy.py decides."""
    return scores.examples >= LEAST_EXAMPLES and shows(scores, LIMIT, ALPHA)


def student(scores: PairedScores) -> bool:
    """Student's t on the same contrasts."""
    contrast = (
        scores.p - scores.q - math.log(LIMIT) if scores.kind == "log" else scores.p - LIMIT ** (1 / scores.power) * scores.q
    )
    n = len(contrast)
    return bool(contrast.mean() > stdtrit(n - 1, 1 - ALPHA) * contrast.std(ddof=1) / math.sqrt(n))


def rates(cell: Cell, kept: float, runs: int, seed: int) -> tuple[int, int | None]:
    """How many of so many runs pass, by the gate's rule and by Student's t (which means over classes have no contrasts for)."""
    rng, draw = np.random.default_rng(seed), cell.at_limit if kept == LIMIT else cell.ordinary
    known: dict[bytes, bool] = {}
    passed = by_t = 0
    for _ in range(runs):
        scores = draw(rng, cell.examples, kept)
        if scores.kind == "classes":  # few different tables come up again and again
            key = np.bincount(4 * scores.truth + 2 * scores.q + scores.p, minlength=8).tobytes()
            if key not in known:
                known[key] = passes(scores)
            passed += known[key]
        else:
            passed += passes(scores)
            by_t += scores.kind != "pooled" and student(scores)
    return passed, None if scores.kind in ("classes", "pooled") else by_t


def score_rows(
    runs: int, chosen: Callable[[Cell], bool] = lambda cell: True, among: Callable[[], Iterator[Cell]] = cells
) -> Iterator[Row]:
    for number, cell in enumerate(filter(chosen, among())):
        yield Row(cell.score, f"{cell.loss}; n = {cell.examples}", rates(cell, LIMIT, runs, number)[0], runs)


def scores_table(runs: int, among: Callable[[], Iterator[Cell]] = cells) -> tuple[str, list[Row]]:
    """Every cell with its power, and Student's t beside both."""
    lines = [
        f"| score | loss | n | false passes | at most (95 %) | by Student's t | passes at {ORDINARY:.0%} kept | by Student's t |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    rows = []
    for number, cell in enumerate(among()):
        passed, by_t = rates(cell, LIMIT, runs, number)
        tried = max(runs // 8, 1)
        power, power_t = rates(cell, ORDINARY, tried, 1000 + number)
        row = Row(cell.score, f"{cell.loss}; n = {cell.examples}", passed, runs)
        rows.append(row)
        shown = [row.rate, row.upper, None if by_t is None else by_t / runs]
        owed = [power / tried, None if power_t is None else power_t / tried]
        numbers = [f"{x:.1%}" if x is not None else "" for x in (*shown, *owed)]
        lines.append(f"| {cell.score} | {cell.loss} | {cell.examples} | " + " | ".join(numbers) + " |")
    return "\n".join(lines) + "\n", rows
