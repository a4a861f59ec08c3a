"""The rules of the gates on rounds, restated for arrays of runs: one at a time, 20,000 runs a cell would take hours.

tests/stats/test_stats_false_pass.py holds them against the gates themselves. The other rules are called as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from gatekeeper.stats.looks import LOOKS, look_alpha
from simulation.noise import BASELINE, CONTROL, VARIANT, Array


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


def distinct(values: Array) -> Array:
    """How many different values each row of [runs, rounds] has; the rounding of a logarithm makes none."""
    return 1 + (np.diff(np.sort(values, axis=1), axis=1) > 1e-9).sum(axis=1)


LEAST_VALUES = 2
"""A gate on latencies has no verdict while its rounds read fewer different ratios: the clock is then too coarse."""


def speedup(
    logs: Array,
    limit: float,
    rule: str = "margin",
    looks: Sequence[int] = LOOKS,
    attempt: int = 1,
    least_values: int = LEAST_VALUES,
    fastest: Array | None = None,
) -> tuple[Array, Array]:
    """Verdicts of gates/speedup.py on `Timing.logs`, and rounds used.

    `fastest` is the like of `logs` for the fastest tenth of inferences, which must pass as well; by default it moves with
    the median and so prevents no pass. `rule` is what the A/A control does: "none"; "margin" as the gate has it (a verdict
    must hold even with the largest bias the control's interval allows, once that excludes 1); "exclude" (no verdict once it
    excludes 1); "width" (margin, and no verdict while that interval is wider than the effect seen, |ln(ratio / limit)|);
    "width of the limit" (margin, and no verdict while it is wider than ln(limit)).
    """
    alpha, target = look_alpha(len(looks), attempt), math.log(limit)

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
        passes = lower >= target + margin
        if fastest is not None:
            passes &= bounds(fastest[:, :look, BASELINE] - fastest[:, :look, VARIANT], alpha)[0] >= target
        return np.where(quiet & (distinct(effect) >= least_values), passes.astype(int) - (upper < target - margin), 0)

    return sequential(judge, looks, len(logs))


def one_ratio(logs: Array, limit: float, looks: Sequence[int], least_values: int = 1) -> Array:
    """Verdicts of gates/memory.py, and with LEAST_VALUES of stability.py: logs, [runs, rounds], at most ln(limit)."""
    alpha, target = look_alpha(len(looks)), math.log(limit)

    def judge(look: int) -> Array:
        lower, upper = bounds(logs[:, :look], alpha)
        return np.where(distinct(logs[:, :look]) >= least_values, (upper <= target).astype(int) - (lower > target), 0)

    return sequential(judge, looks, len(logs))[0]
