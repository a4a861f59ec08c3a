"""A deployed model that is looked at once a day: how often nothing raises an alarm, and how long a shift goes unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, ks_2samp

from gatekeeper.monitor.alerts.error_rate import Config as Errors
from gatekeeper.monitor.alerts.inputs import DEFAULT as FLOOR
from gatekeeper.monitor.decide import decided
from gatekeeper.monitor.drift import data, performance, statistical
from gatekeeper.monitor.drift._base import View
from gatekeeper.monitor.features import Way
from gatekeeper.monitor.reference import FORM, Contents, Reference
from gatekeeper.monitor.sample import SIZE, Sample
from gatekeeper.monitor.sources.requests import SURE
from gatekeeper.monitor.window import REQUESTS, STEPS, Increase, Window
from simulation.noise import Array

FEATURES, ALLOWED, CLASSES = 8, 0.01, 20
LIMITS = {"inputs": FLOOR, "confidence": FLOOR, "answers": FLOOR, "error_rate": Errors(max=ALLOWED)}
NAMES = [f"x[{i}]" for i in range(FEATURES)]
Draw = Callable[[np.random.Generator, int], dict[str, Array]]


def normal(rng: np.random.Generator, n: int, shift: float = 0.0) -> dict[str, Array]:
    """Features, the first of them moved by so many standard deviations, and how sure the model is of what it answers."""
    columns = {name: rng.standard_normal(n) + shift * (i == 0) for i, name in enumerate(NAMES)}
    columns[SURE] = rng.beta(8, 2, n)
    return columns


def counts(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Features with few values, and with heavy ties."""
    columns: dict[str, Array] = {name: rng.poisson(0.3 + i, n).astype(float) for i, name in enumerate(NAMES)}
    columns[SURE] = np.round(rng.beta(8, 2, n), 1)
    return columns


def reference(rng: np.random.Generator, n: int, draw: Draw = normal) -> Reference:
    """Of n requests."""
    answers = np.bincount(rng.integers(0, CLASSES, n), minlength=CLASSES)
    told = {str(i): int(count) for i, count in enumerate(answers)}
    contents = Contents(FORM, n, {"x": Way(FEATURES)}, told, [], 0, 0)
    return Reference(contents, Sample(draw(rng, min(n, SIZE)), np.arange(min(n, SIZE), dtype=np.uint64), n))


def day(rng: np.random.Generator, n: int, columns: dict[str, Array]) -> Window:
    """Of n requests, of which the share that may fail just does."""
    failed = rng.multinomial(rng.binomial(n, ALLOWED), np.full(STEPS, 1 / STEPS)).astype(float)
    every = np.maximum(failed, rng.multinomial(n, np.full(STEPS, 1 / STEPS)))
    answers = np.bincount(rng.integers(0, CLASSES, n), minlength=CLASSES)
    families = {REQUESTS: [Increase({"code": "200"}, every - failed), Increase({"code": "500"}, failed)]}
    rows = Sample(columns, np.arange(n, dtype=np.uint64), n)
    return Window(0.0, 86400.0, families, rows=rows, answers={str(i): int(c) for i, c in enumerate(answers)})


def fired(window: Window, known: Reference, look: int) -> list[str]:
    """The alarms of a look, all tests together."""
    view = View(window, LIMITS, known)
    questions = [*performance.ask(view), *statistical.ask(view), *data.ask(view)]
    return [each.name for each in decided(questions, look) if each.status == "fires"]


def cries(seed: int, index: int, looks: int, n: int, draw: Draw = normal, known: int = 3000) -> int:
    """The first of so many daily looks at identical data that raises any alarm; 0 where none does."""
    rng = np.random.default_rng([seed, index])
    before = reference(rng, known, draw)
    return next((look for look in range(1, looks + 1) if fired(day(rng, n, draw(rng, n)), before, look)), 0)


def false_alarms(seed: int, series: int, looks: int, n: int, draw: Draw = normal, known: int = 3000) -> int:
    """How many of so many series of daily looks at identical data raise any alarm."""
    return sum(cries(seed, index, looks, n, draw, known) > 0 for index in range(series))


def upper(wrong: int, of: int) -> float:
    """The 95 % bound of Clopper and Pearson."""
    return 1.0 if wrong == of else float(beta.ppf(0.95, wrong + 1, of - wrong))


def psi(a: Array, b: Array) -> float:
    """The population stability index over the tenths of the reference."""
    ends = np.quantile(a, np.linspace(0, 1, 11)[1:-1])
    shares = [np.maximum(np.bincount(np.searchsorted(ends, each), minlength=10) / each.size, 1e-4) for each in (a, b)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def kayenta(a: Array, b: Array, tolerance: float = 0.25, confidence: float = 0.98) -> bool:
    """Kayenta's classifier: the interval of Mann and Whitney's shift lies beyond a quarter of its estimate, on either side.

    com.netflix.kayenta.judge.classifiers.metric.MannWhitneyClassifier; the interval from the ordered differences (M. Hollander
    and D. Wolfe, "Nonparametric statistical methods", 4.3).
    """
    from scipy.stats import norm

    first, second = a[:400], b[:400]  # all differences are needed
    differences = np.sort((second[:, None] - first[None, :]).ravel())
    n, m = first.size, second.size
    half = float(norm.ppf((1 + confidence) / 2)) * np.sqrt(n * m * (n + m + 1) / 12)
    rank = max(0, int(n * m / 2 - half))
    low, high, estimate = differences[rank], differences[-1 - rank], float(np.median(differences))
    return bool(low > tolerance * abs(estimate) or high < -tolerance * abs(estimate))


OTHERS: dict[str, Callable[[Array, Array], bool]] = {
    "Kayenta's Mann-Whitney": kayenta,
    "KS at 0.05": lambda a, b: bool(ks_2samp(a, b, method="asymp").pvalue < 0.05),
    "PSI above 0.1": lambda a, b: psi(a, b) > 0.1,
}
OURS = "gatekeeper"


@dataclass(frozen=True)
class Seen:
    """Of one rule: the share of calm months with an alarm, and the days until a shift raised one, of each stream that it did."""

    rule: str
    calm: float
    days: Sequence[int]
    streams: int


def delays(seed: int, streams: int, n: int, shift: float, calm: int = 30, most: int = 60) -> Iterator[Seen]:
    """All rules on the same streams: a calm month, and then a shift of the first feature until it is seen, or for so many
    days.
    """
    false = dict.fromkeys([OURS, *OTHERS], 0)
    days: dict[str, list[int]] = {name: [] for name in false}
    for index in range(streams):
        rng = np.random.default_rng([seed, index])
        known = reference(rng, 3000)
        cried, found = set[str](), set[str]()
        for number in range(1, calm + most + 1):
            columns = normal(rng, n, shift if number > calm else 0.0)
            says = {OURS} if fired(day(rng, n, columns), known, number) else set()
            says |= {name for name, rule in OTHERS.items() if any(rule(known.rows.columns[f], columns[f]) for f in NAMES)}
            if number <= calm:
                cried |= says
                continue
            for name in says - found:
                days[name].append(number - calm)
            found |= says
            if found == set(false):
                break
        for name in cried:
            false[name] += 1
    for name in false:
        yield Seen(name, false[name] / streams, days[name], streams)


def delay_table(shift: float, n: int, rows: Sequence[Seen]) -> str:
    """For people."""
    lines = [f"shift {shift} sd of one of {FEATURES} features, {n:,} requests a day, {rows[0].streams} streams"]
    for row in rows:
        median = f"{np.median(row.days):.0f}" if row.days else "never"
        seen = f"{len(row.days)} of {row.streams} seen, after {median} days (median)"
        lines.append(f"  {row.rule:<24} calm months with an alarm {row.calm:>5.0%}; {seen}")
    return "\n".join(lines)
