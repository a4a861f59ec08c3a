"""Runs simulated at the exact limit of a gate, over noise models, and how often the gate's rule says `pass`.

The rules of the gates on rounds are restated here for arrays of runs, because 20,000 runs a cell would take hours one at
a time; tests/stats/test_stats_false_pass.py holds them against the gates themselves. The other rules are called as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from gatekeeper.gates.accuracy import LEAST_EXAMPLES
from gatekeeper.measure.rounds import _summarise
from gatekeeper.stats.looks import ALPHA, LOOKS, look_alpha, schedule
from gatekeeper.stats.retention import score_z
from gatekeeper.stats.tail import judge_tail

Array = Any  # of float, [runs, ...]
PROMISE = 0.05
ROUNDS, BLOCKS, ARMS = LOOKS[-1], 8, 3
CHUNK = 2000  # runs held in memory at once


@dataclass(frozen=True)
class Row:
    """One cell: how often a gate passed in how many runs. `broken` names the assumption the noise breaks, if any."""

    gate: str
    noise: str
    passed: int
    runs: int
    broken: str = ""

    @property
    def rate(self) -> float:
        return self.passed / self.runs

    @property
    def upper(self) -> float:
        """Clopper-Pearson 95 % upper bound."""
        return float(betaincinv(self.passed + 1, self.runs - self.passed, 0.95)) if self.passed < self.runs else 1.0

    @property
    def met(self) -> bool:
        return self.upper <= PROMISE


def table(rows: Sequence[Row]) -> str:
    lines = ["| gate | noise | false passes | at most (95 %) | 5 % promise | assumption broken |", "|---|---|--:|--:|---|---|"]
    for r in rows:
        verdict = "met" if r.met else "**missed**"
        lines.append(f"| {r.gate} | {r.noise} | {r.rate:.2%} | {r.upper:.2%} | {verdict} | {r.broken} |")
    return "\n".join(lines) + "\n"


def chunks(runs: int) -> Iterator[int]:
    for start in range(0, runs, CHUNK):
        yield min(CHUNK, runs - start)


# --- noise of a machine: ln slowness of each block, [runs, rounds * blocks * arms] --------------------------------------------

SLOTS = BLOCKS * ARMS


def quiet(rng: np.random.Generator, runs: int) -> Array:
    return np.zeros((runs, ROUNDS * SLOTS))


def autoregressive(rng: np.random.Generator, runs: int) -> Array:
    """Phases of some 20 blocks, nearly a round."""
    level = 0.1 * rng.standard_normal((runs, ROUNDS * SLOTS))
    for i in range(1, ROUNDS * SLOTS):
        level[:, i] = 0.95 * level[:, i - 1] + math.sqrt(1 - 0.95**2) * level[:, i]
    return level


def modes(rng: np.random.Generator, runs: int) -> Array:
    """A slow mode that the whole machine enters and leaves, for some 15 blocks at a time."""
    steps = rng.random((runs, ROUNDS * SLOTS))
    state = np.empty((runs, ROUNDS * SLOTS), dtype=bool)
    state[:, 0] = steps[:, 0] < 0.3
    for i in range(1, ROUNDS * SLOTS):
        state[:, i] = np.where(state[:, i - 1], steps[:, i] > 1 / 15, steps[:, i] < 0.3 / 0.7 / 15)
    return 0.3 * state


def throttling(rng: np.random.Generator, runs: int) -> Array:
    """From some block on, a third slower; that round's arms do not meet it alike."""
    return 0.4 * (np.arange(ROUNDS * SLOTS) >= rng.integers(SLOTS, ROUNDS * SLOTS, size=(runs, 1)))


def bursts(rng: np.random.Generator, runs: int) -> Array:
    """A neighbour triples the latency of four blocks in a row, in one of twelve places."""
    starts = rng.random((runs, ROUNDS * SLOTS)) < 1 / 48
    hit = starts.copy()
    for shift in range(1, 4):
        hit[:, shift:] |= starts[:, :-shift]
    return math.log(3) * hit


def drifting(rng: np.random.Generator, runs: int) -> Array:
    """Slower by up to half over the run, evenly."""
    return rng.uniform(0, 0.4, size=(runs, 1)) * np.linspace(0, 1, ROUNDS * SLOTS)


ORDERS = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])


def raced(machine: Array, rng: np.random.Generator) -> Array:
    """What the machine adds to each arm's median: [runs, rounds, arms], the order of a block drawn anew each time."""
    runs = len(machine)
    order = ORDERS[rng.integers(len(ORDERS), size=(runs, ROUNDS, BLOCKS))]
    met = np.take_along_axis(machine.reshape(runs, ROUNDS, BLOCKS, ARMS), order, axis=-1)
    return np.median(met, axis=2)


# --- noise of a process: ln slowness of an arm in a round, [runs, rounds, arms], of equal mean in every arm --------------------


def normal(rng: np.random.Generator, runs: int) -> Array:
    return 0.05 * rng.standard_normal((runs, ROUNDS, ARMS))


def heavy_tail(rng: np.random.Generator, runs: int) -> Array:
    return 0.05 * rng.standard_t(3, (runs, ROUNDS, ARMS))


def own_modes(rng: np.random.Generator, runs: int) -> Array:
    """Each process is fast or slow for good, by where its memory came to lie."""
    return 0.3 * (rng.random((runs, ROUNDS, ARMS)) < 0.3) + 0.02 * rng.standard_normal((runs, ROUNDS, ARMS))


def remembering(rho: float) -> Callable[[np.random.Generator, int], Array]:
    """Rounds that are not independent: what an arm meets alone lasts into its next rounds."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        level = normal(rng, runs)
        for i in range(1, ROUNDS):
            level[:, i] = rho * level[:, i - 1] + math.sqrt(1 - rho**2) * level[:, i]
        return level

    return draw


def unequal(bias: float) -> Callable[[np.random.Generator, int], Array]:
    """A runner that treats its arms unequally in every round of a run: what the A/A control is there to see."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        return normal(rng, runs) + bias * rng.standard_normal((runs, 1, ARMS))

    return draw


def rare_mode(share: float) -> Callable[[np.random.Generator, int], Array]:
    """The variant alone has a slow mode, in `share` of its processes."""

    def draw(rng: np.random.Generator, runs: int) -> Array:
        found = 0.02 * rng.standard_normal((runs, ROUNDS, ARMS))
        found[:, :, VARIANT] += 0.3 * ((rng.random((runs, ROUNDS)) < share) - share)
        return found

    return draw


BASELINE, VARIANT, CONTROL = range(ARMS)
Noise = Callable[[np.random.Generator, int], Array]


@dataclass(frozen=True)
class Timing:
    """Noise of machine and process, and the clock's resolution as a fraction of the variant's latency."""

    machine: Noise
    process: Noise
    tick: float = 0.0
    broken: str = ""

    def logs(self, rng: np.random.Generator, runs: int, ratio: float) -> Array:
        """ln median latency, [runs, rounds, arms], of a variant that is truly `ratio` times as fast."""
        found = self.process(rng, runs)
        if self.machine is not quiet:
            found = found + raced(self.machine(rng, runs), rng)
        found[:, :, [BASELINE, CONTROL]] += math.log(ratio)
        return np.log(np.maximum(np.round(np.exp(found) / self.tick), 1) * self.tick) if self.tick else found


DEPENDENT = "rounds are independent"
UNSEEN = "every mode shows in the rounds"
ALIKE = "a runner treats arms alike"
TIMINGS: dict[str, Timing] = {
    "normal": Timing(quiet, normal),
    "autoregressive within and across rounds": Timing(autoregressive, normal),
    "bimodal, modes of the machine": Timing(modes, normal),
    "bimodal, modes of each process": Timing(quiet, own_modes),
    "heavy tail (t3)": Timing(quiet, heavy_tail),
    "throttling step": Timing(throttling, normal),
    "bursts": Timing(bursts, normal),
    "ties (clock of 1 %)": Timing(quiet, normal, tick=0.01),
    "ties (clock of 5 %)": Timing(quiet, normal, tick=0.05),
    "drifting": Timing(drifting, normal),
    "drifting, heavy tail": Timing(drifting, heavy_tail),
    "rounds correlated 0.05": Timing(quiet, remembering(0.05), broken=DEPENDENT),
    "rounds correlated 0.1": Timing(quiet, remembering(0.1), broken=DEPENDENT),
    "rounds correlated 0.2": Timing(quiet, remembering(0.2), broken=DEPENDENT),
    "rounds correlated 0.4": Timing(quiet, remembering(0.4), broken=DEPENDENT),
    "slow mode of the variant alone, 20 %": Timing(quiet, rare_mode(0.2), broken=UNSEEN),
    "slow mode of the variant alone, 35 %": Timing(quiet, rare_mode(0.35), broken=UNSEEN),
    "slow mode of the variant alone, 50 %": Timing(quiet, rare_mode(0.5)),
    "arms unequal by 2 %": Timing(quiet, unequal(0.02), broken=ALIKE),
    "arms unequal by 5 %": Timing(quiet, unequal(0.05), broken=ALIKE),
}


# --- the rules ---------------------------------------------------------------------------------------------------------------


def bounds(values: Array, alpha: float) -> tuple[Array, Array]:
    """`gatekeeper.stats.rounds.mean_interval` of every row of [runs, rounds]."""
    n = values.shape[1]
    mean = values.mean(axis=1)
    half = stdtrit(n - 1, 1 - alpha) * values.std(axis=1, ddof=1) / math.sqrt(n)
    return mean - half, mean + half


def sequential(judge: Callable[[int], Array], looks: Sequence[int], runs: int) -> tuple[Array, Array]:
    """Verdict (1 pass, -1 fail, 0 undecided) at the first look that has one, and the rounds that took."""
    verdict, rounds = np.zeros(runs, dtype=int), np.full(runs, looks[-1])
    for look in looks:
        found = np.where(verdict == 0, judge(look), 0)
        rounds[found != 0] = look
        verdict += found
    return verdict, rounds


def speedup(logs: Array, limit: float, rule: str = "margin", looks: Sequence[int] = LOOKS) -> tuple[Array, Array]:
    """Verdicts of gates/speedup.py on `Timing.logs`, and rounds used.

    `rule` is what the A/A control does: "none"; "margin" as the gate has it (a verdict must hold even with the largest
    bias the control's interval allows, once that excludes 1); "exclude" (no verdict once it excludes 1); "width" (margin,
    and no verdict while that interval is wider than the effect seen, |ln(ratio / limit)|); "width of the limit" (margin,
    and no verdict while it is wider than ln(limit)).
    """
    alpha, target = look_alpha(len(looks)), math.log(limit)

    def judge(look: int) -> Array:
        part = logs[:, :look]
        effect = part[:, :, BASELINE] - part[:, :, VARIANT]
        lower, upper = bounds(effect, alpha)
        control_lower, control_upper = bounds(part[:, :, BASELINE] - part[:, :, CONTROL], alpha)
        biased = (control_lower > 0) | (control_upper < 0)
        bias = np.where(biased, np.maximum(control_upper, -control_lower), 0.0)
        quiet = {
            "exclude": ~biased,
            "width": control_upper - control_lower <= np.abs(effect.mean(axis=1) - target),
            "width of the limit": control_upper - control_lower <= target,
        }.get(rule, np.True_)
        margin = 0.0 if rule in ("none", "exclude") else bias
        return np.where(quiet, (lower >= target + margin).astype(int) - (upper < target - margin), 0)

    return sequential(judge, looks, len(logs))


def one_ratio(logs: Array, limit: float, looks: Sequence[int]) -> Array:
    """Verdicts of gates/memory.py and gates/stability.py: a ratio's logs, [runs, rounds], must be at most ln(limit)."""
    alpha, target = look_alpha(len(looks)), math.log(limit)

    def judge(look: int) -> Array:
        lower, upper = bounds(logs[:, :look], alpha)
        return (upper <= target).astype(int) - (lower > target)

    return sequential(judge, looks, len(logs))[0]


# --- speedup -----------------------------------------------------------------------------------------------------------------


def speedup_verdicts(timing: Timing, runs: int, ratio: float, rule: str = "margin", limit: float = 2.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(20_000)
    parts = [speedup(timing.logs(rng, some, ratio), limit, rule) for some in chunks(runs)]
    return np.concatenate([v for v, _ in parts]), np.concatenate([r for _, r in parts])


def speedup_rows(runs: int) -> Iterator[Row]:
    for name, timing in TIMINGS.items():
        verdicts, _ = speedup_verdicts(timing, runs, 2.0)
        yield Row("speedup", name, int((verdicts > 0).sum()), runs, timing.broken)


# --- memory ------------------------------------------------------------------------------------------------------------------

REDUCTION = 0.5
PEAK = 100 * 2**20


def peaks(name: str, rng: np.random.Generator, runs: int) -> Array:
    """ln(variant / baseline) of the peaks in bytes, [runs, rounds], of mean ln(1 - REDUCTION)."""
    shape, both = (runs, ROUNDS), (2, runs, ROUNDS)
    if name == "normal":
        noise = 0.01 * rng.standard_normal(both)
    elif name == "heavy tail (t3)":
        noise = 0.01 * rng.standard_t(3, both)
    elif name == "bimodal, an arena more in 30 % of processes":
        noise = 0.1 * (rng.random(both) < 0.3) + 0.002 * rng.standard_normal(both)
    elif name == "bursts (a tenth of readings 20 % high)":
        noise = 0.2 * (rng.random(both) < 0.1) + 0.005 * rng.standard_normal(both)
    elif name == "rounds correlated 0.1":
        noise = 0.2 * remembering(0.1)(rng, runs)[:, :, :2].transpose(2, 0, 1)
    elif name == "drifting and stepping alike":
        noise = 0.01 * rng.standard_normal(both) + 0.1 * np.linspace(0, 1, ROUNDS) + 0.2 * (np.arange(ROUNDS) > 6)
    elif name == "ties (pages of 4 KiB)":
        page = 4096
        exact = PEAK * np.array([1 - REDUCTION, 1.0])[:, None, None] * np.exp(2e-4 * rng.standard_normal(both))
        rounded = np.round(exact / page) * page
        return np.log(rounded[0] / rounded[1])
    elif name == "an arena more in 30 % of the variant's processes alone":
        one = 0.1 * ((rng.random(shape) < 0.3) - 0.3) + 0.002 * rng.standard_normal(shape)
        return math.log(1 - REDUCTION) + one
    else:
        raise KeyError(name)
    return math.log(1 - REDUCTION) + noise[0] - noise[1]


MEMORIES = {
    "normal": "",
    "heavy tail (t3)": "",
    "bimodal, an arena more in 30 % of processes": "",
    "bursts (a tenth of readings 20 % high)": "",
    "drifting and stepping alike": "",
    "ties (pages of 4 KiB)": "",
    "rounds correlated 0.1": DEPENDENT,
    "an arena more in 30 % of the variant's processes alone": UNSEEN,
}


def memory_rows(runs: int) -> Iterator[Row]:
    for most in (5, 8, ROUNDS):
        for name, broken in MEMORIES.items():
            logs = peaks(name, np.random.default_rng(most), runs)
            passed = int((one_ratio(logs, 1 - REDUCTION, schedule(most)) > 0).sum())
            yield Row(f"memory, {most} rounds", name, passed, runs, broken)


# --- accuracy ----------------------------------------------------------------------------------------------------------------

RETENTION = 0.95
ANSWERS = {  # P(both right), P(only the baseline), P(only the variant), at a retention of exactly 95 %
    "baseline always right": (0.95, 0.05, 0.0),
    "baseline 90 % right, only losses": (0.855, 0.045, 0.0),
    "baseline 90 % right, 2 % gained": (0.835, 0.065, 0.02),
    "baseline 60 % right, 5 % gained": (0.52, 0.08, 0.05),
}
SIZES = (60, 100, 200, 500, 1000, 2000)


def accuracy_rows(runs: int) -> Iterator[Row]:
    critical, rng = float(ndtri(1 - ALPHA)), np.random.default_rng(7)
    for name, cells in ANSWERS.items():
        for n in SIZES:
            yield Row("accuracy", f"{name}; n = {n}", _accuracy(cells, n, 1, runs, critical, rng), runs)
    passed = _accuracy(ANSWERS["baseline 90 % right, 2 % gained"], 150, 4, runs, critical, rng)
    yield Row("accuracy", "every example four times; n = 600", passed, runs, "examples are independent")


def _accuracy(cells: tuple[float, float, float], n: int, copies: int, runs: int, critical: float, rng: Any) -> int:
    drawn = rng.multinomial(n, [*cells, 1 - sum(cells)], size=runs)
    tables, counts = np.unique(drawn, axis=0, return_counts=True)
    passed = 0
    for (both, only_q, only_p, neither), times in zip(copies * tables, counts, strict=True):
        p = np.repeat([1.0, 0.0, 1.0, 0.0], [both, only_q, only_p, neither])
        q = np.repeat([1.0, 1.0, 0.0, 0.0], [both, only_q, only_p, neither])
        passed += int(times) * (p.size >= LEAST_EXAMPLES and score_z(p, q, RETENTION) >= critical)
    return passed


# --- consistency -------------------------------------------------------------------------------------------------------------

VARIATION = 0.2
LAWS: dict[str, tuple[Callable[[Any, Any], Array], Callable[[float], float]]] = {  # draws of an inference, its quantile
    "normal": (lambda rng, shape: rng.standard_normal(shape), lambda share: float(ndtri(share))),
    "heavy tail (t3)": (lambda rng, shape: rng.standard_t(3, shape), lambda share: float(stdtrit(3, share))),
    "skewed (exponential)": (lambda rng, shape: rng.standard_exponential(shape), lambda share: -math.log(1 - share)),
    "bimodal (12 % slow)": (
        lambda rng, shape: 5 * (rng.random(shape) < 0.12) + rng.standard_normal(shape),
        lambda share: brentq(lambda x: 0.88 * ndtr(x) + 0.12 * ndtr(x - 5) - share, -10, 20),
    ),
}
SPREADS = {name: (name, 0.0) for name in LAWS} | {  # noise: (law, correlation of neighbouring inferences)
    "autoregressive 0.5": ("normal", 0.5),
    "autoregressive 0.9": ("normal", 0.9),
    "ties (clock of 2 %)": ("normal", 0.0),
}


def p95_method() -> Any:
    """The percentile method of measure/rounds.py, found by asking it."""
    latencies = [float(i * i) for i in range(37)]
    found = _summarise(0, SimpleNamespace(latencies=latencies, cpu_ns=1, wall_ns=1, load_ns=1, peak=1, high_water=1), 1).p95_ns  # type: ignore[arg-type]
    return next(m for m in METHODS if math.isclose(found, float(np.percentile(latencies, 95, method=m))))


METHODS: tuple[Any, ...] = ("linear", "median_unbiased", "normal_unbiased", "weibull", "hazen")


def spreads(noise: str, inferences: int, rng: np.random.Generator, runs: int, method: Any) -> Array:
    """ln(p95 / p50) of a round's inferences, [runs, rounds]; in their law it is exactly ln(1 + VARIATION)."""
    law, rho = SPREADS[noise]
    draw, quantile = LAWS[law]
    scale = math.log1p(VARIATION) / (quantile(0.95) - quantile(0.5))
    found = np.empty((runs, ROUNDS))
    for r in range(ROUNDS):
        x = draw(rng, (runs, inferences))
        for i in range(1, inferences if rho else 0):
            x[:, i] = rho * x[:, i - 1] + math.sqrt(1 - rho**2) * x[:, i]
        x = np.exp(scale * x)
        p50, p95 = np.quantile(np.round(x / 0.02) * 0.02 if "ties" in noise else x, [0.5, 0.95], axis=1, method=method)
        found[:, r] = np.log(p95 / p50)
    return found


def consistency_rows(runs: int, method: Any = None) -> Iterator[Row]:
    method = method or p95_method()
    for name, (_, rho) in SPREADS.items():
        for inferences in (20, 50, 200):
            rng, passed = np.random.default_rng(inferences), 0
            for some in chunks(runs):
                logs = spreads(name, inferences, rng, some, method)
                passed += int((one_ratio(logs, 1 + VARIATION, LOOKS) > 0).sum())
            broken = "inferences of a round are independent" if rho else ""
            broken = broken or ("the p95 of a round is unbiased" if method in ("linear", "hazen") else "")
            yield Row("stability", f"{name}; {inferences} inferences a round", passed, runs, broken)


# --- p99 under load ----------------------------------------------------------------------------------------------------------

SHARE = 0.01
Draws = Callable[[np.random.Generator, int, int], Array]  # (rng, runs, n): over-limit indicators, [runs, n]


def in_bursts(mean: float, heavy: bool = False) -> Draws:
    """Bursts of `mean` requests, geometric or (heavy) Pareto in length; exactly 1 % over in the long run."""

    def draw(rng: np.random.Generator, runs: int, n: int) -> Array:
        if mean <= 1:
            return rng.random((runs, n)) < SHARE
        lead = 50 * round(mean) if heavy else 0  # where the law of the first burst is not known, its start is not looked at
        leave, enter = 1 / mean, SHARE / ((1 - SHARE) * mean)
        most = int((n + lead) * enter + 8 * math.sqrt((n + lead) * enter) + 12)
        gaps, lengths = rng.geometric(enter, (runs, most)), rng.geometric(leave, (runs, most))
        if heavy:
            lengths = np.floor((mean - 0.5) / 2 * (1 + rng.pareto(2, (runs, most))) + 0.5).astype(np.int64)
        else:
            gaps[rng.random(runs) < SHARE, 0] = 0  # geometric times have no memory: a run may start inside a burst
        starts = np.cumsum(gaps, axis=1) + np.cumsum(lengths, axis=1) - lengths - lead
        row, burst = np.nonzero((starts < n) & (starts + lengths > 0))
        edges = np.zeros((runs, n + 1), dtype=np.int8)
        edges[row, np.maximum(starts[row, burst], 0)] += 1
        edges[row, np.minimum(starts[row, burst] + lengths[row, burst], n)] -= 1
        return np.cumsum(edges[:, :n], axis=1, dtype=np.int8).astype(bool)

    return draw


def over_autoregressive(rng: np.random.Generator, runs: int, n: int) -> Array:
    """Latencies that remember (0.9), over their own 99th percentile."""
    start = rng.standard_normal((runs, 1))
    steps = math.sqrt(1 - 0.9**2) * rng.standard_normal((runs, n))
    level, _ = lfilter([1.0], [1.0, -0.9], steps, axis=1, zi=0.9 * start)
    return level > ndtri(1 - SHARE)


def over_rising(rng: np.random.Generator, runs: int, n: int) -> Array:
    """A share that rises from 0 to 2 % over the run."""
    return rng.random((runs, n)) < 2 * SHARE * np.linspace(0, 1, n)


LONG = "bursts are shorter than n / 700"
TAILS: list[tuple[str, Draws, int, float, str]] = [  # (noise, draws, n, tau that is stated, assumption broken)
    ("independent", in_bursts(1), 1000, 1, ""),
    ("independent", in_bursts(1), 10_000, 1, ""),
    ("bursts of 1.4", in_bursts(1.4), 1000, 1, ""),
    ("bursts of 3", in_bursts(3), 1000, 1, LONG),
    ("bursts of 3", in_bursts(3), 3000, 1, ""),
    ("bursts of 10", in_bursts(10), 1000, 1, LONG),
    ("bursts of 10", in_bursts(10), 3000, 1, LONG),
    ("bursts of 10", in_bursts(10), 10_000, 1, ""),
    ("bursts of 10, stated", in_bursts(10), 20_000, 19, ""),
    ("bursts of 30", in_bursts(30), 10_000, 1, LONG),
    ("bursts of 30", in_bursts(30), 21_000, 1, ""),
    ("bursts of Pareto length, mean 10", in_bursts(10, heavy=True), 10_000, 1, ""),
    ("autoregressive 0.9", over_autoregressive, 10_000, 1, ""),
    ("drifting from 0 to 2 %", over_rising, 10_000, 1, ""),
]


def tail_rows(runs: int) -> Iterator[Row]:
    for name, draw, n, least, broken in TAILS:
        rng, passed = np.random.default_rng(n), 0
        for start in range(0, runs, 200):
            for over in draw(rng, min(200, runs - start), n):
                passed += judge_tail(over, least_tau=least).decided == "pass"
        yield Row("p99", f"{name}; n = {n}", passed, runs, broken)


MAKERS = (speedup_rows, memory_rows, accuracy_rows, consistency_rows, tail_rows)


def all_rows(runs: int) -> list[Row]:
    return [row for rows in MAKERS for row in rows(runs)]


# --- power -------------------------------------------------------------------------------------------------------------------

RULES = ("none", "margin", "exclude", "width", "width of the limit")


def power_table(runs: int, noises: Sequence[str] = ("normal", "heavy tail (t3)", "arms unequal by 5 %")) -> str:
    """How the speedup gate decides away from its limit of 2x, for each rule of the A/A control."""
    lines = ["| noise | truth | A/A rule | pass | fail | inconclusive | rounds |", "|---|--:|---|--:|--:|--:|--:|"]
    for name in noises:
        for ratio in (1.9, 2.0, 2.1, 2.2, 2.3, 4.0):
            for rule in RULES:
                verdicts, rounds = speedup_verdicts(TIMINGS[name], runs, ratio, rule)
                shares = " | ".join(f"{(verdicts == v).mean():.1%}" for v in (1, -1, 0))
                lines.append(f"| {name} | {ratio:g}x | {rule} | {shares} | {rounds.mean():.1f} |")
    return "\n".join(lines) + "\n"


def correlation_limit(runs: int) -> float:
    """The largest correlation of neighbouring rounds, in steps of 0.01, at which the speedup gate's rate is within 5 %."""
    limit = 0.0
    for hundredths in range(4, 40):
        verdicts, _ = speedup_verdicts(Timing(quiet, remembering(hundredths / 100)), runs, 2.0)
        if (verdicts > 0).mean() > PROMISE:
            break
        limit = hundredths / 100
    return limit
