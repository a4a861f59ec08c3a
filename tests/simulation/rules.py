"""The rules of the gates on rounds, restated for arrays of runs: one at a time, 20,000 runs a cell would take hours.

tests/stats/test_stats_false_pass.py holds them against the gates themselves. The other rules are called as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from gatekeeper.gates.speedup import VALUE
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

NOTHING = 1e-300


def charged(logs: Array, error: float) -> Array:
    """ln readings that are each wrong by `error` at most, the least they can be; for the most, a negative error."""
    return np.log(np.maximum(np.exp(logs) - error, NOTHING)) if error else logs


def speedup(
    logs: Array,
    limit: float,
    rule: str = "margin",
    looks: Sequence[int] = LOOKS,
    attempt: int = 1,
    views: Sequence[Array] = (),
    tick: float = 0.0,
) -> tuple[Array, Array]:
    """Verdicts of gates/speedup.py on `Timing.logs`, and rounds used.

    `views` are the likes of `logs` for means, which must clear the limit as the medians do, and for fastest tenths, whose value
    must; by default they move with them. `tick` is the clock's, of which half is charged to each reading. `rule` is what the
    A/A control does: "none"; "margin" as the gate has it (a verdict must hold even with the largest bias the control's interval
    allows, once that excludes 1); "exclude" (no verdict once it excludes 1); "width" (margin, and no verdict while that
    interval is wider than the effect seen, |ln(ratio / limit)|); "width of the limit" (margin, and no verdict while it is wider
    than ln(limit)).
    """
    target = math.log(limit)

    def of(view: Array, error: float) -> Array:
        return charged(view[:, :, BASELINE], error) - charged(view[:, :, VARIANT], -error)

    effects = [(of(view, tick / 2), of(view, -tick / 2)) for view in (logs, *views)]

    def judge(look: int) -> Array:
        part, alpha = logs[:, :look], look_alpha(look, looks[-1], attempt)
        effect = part[:, :, BASELINE] - part[:, :, VARIANT]
        at = [alpha, alpha, VALUE]
        lower = np.min([bounds(least[:, :look], level)[0] for (least, _), level in zip(effects, at, strict=False)], axis=0)
        upper = np.max([bounds(most[:, :look], level)[1] for (_, most), level in zip(effects, at, strict=False)], axis=0)
        copies = [bounds(view[:, :look, BASELINE] - view[:, :look, CONTROL], alpha) for view in (logs, *views)]
        control_lower, control_upper = copies[0]
        biased = (control_lower > 0) | (control_upper < 0)
        bias = np.max([np.where((low > 0) | (high < 0), np.maximum(high, -low), 0.0) for low, high in copies], axis=0)
        quiet = {
            "exclude": ~biased,
            "width": control_upper - control_lower <= np.abs(effect.mean(axis=1) - target),
            "width of the limit": control_upper - control_lower <= target,
        }.get(rule, np.True_)
        margin = 0.0 if rule in ("none", "exclude") else bias
        found = (lower >= target + margin).astype(int) - (upper < target - margin)
        return np.where(quiet & (distinct(effect) >= LEAST_VALUES), found, 0)

    return sequential(judge, looks, len(logs))


def one_ratio(logs: Array, limit: float, looks: Sequence[int]) -> Array:
    """Verdicts of gates/memory.py: logs of a ratio, [runs, rounds], at most ln(limit)."""
    return _at_most(logs, logs, limit, looks, least_values=1)


def energy_ratio(logs: Array, limit: float, looks: Sequence[int], charged: float) -> Array:
    """Verdicts of gates/energy.py: ln joules of an inference, [runs, rounds, arms]; bounds are wider by the factor `charged`."""
    target, wider = math.log(limit), math.log(charged)

    def judge(look: int) -> Array:
        part, alpha = logs[:, :look], look_alpha(look, looks[-1])
        lower, upper = bounds(part[:, :, VARIANT] - part[:, :, BASELINE], alpha)
        low, high = bounds(part[:, :, CONTROL] - part[:, :, BASELINE], alpha)
        bias = np.where((low > 0) | (high < 0), np.maximum(high, -low), 0.0)
        return (upper + wider <= target - bias).astype(int) - (lower - wider > target + bias)

    return sequential(judge, looks, len(logs))[0]


def tail_ratio(middle: Array, slow: Array, limit: float, looks: Sequence[int], tick: float = 0.0) -> Array:
    """Verdicts of gates/stability.py: ln p50 and ln p95, [runs, rounds], half a tick charged to each."""
    least = charged(slow, tick / 2) - charged(middle, -tick / 2)
    most = charged(slow, -tick / 2) - charged(middle, tick / 2)
    return _at_most(least, most, limit, looks, LEAST_VALUES)


def _at_most(least: Array, most: Array, limit: float, looks: Sequence[int], least_values: int) -> Array:
    target = math.log(limit)

    def judge(look: int) -> Array:
        alpha = look_alpha(look, looks[-1])
        lower, upper = bounds(least[:, :look], alpha)[0], bounds(most[:, :look], alpha)[1]
        return np.where(distinct(least[:, :look]) >= least_values, (upper <= target).astype(int) - (lower > target), 0)

    return sequential(judge, looks, len(least))[0]
