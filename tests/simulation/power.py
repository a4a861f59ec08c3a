"""How the speedup gate decides away from its limit of 2x, and how much dependence between rounds it bears."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.stats.looks import PROMISE
from simulation import noise
from simulation.speedup import verdicts
from simulation.timings import TIMINGS, Timing

NOISES = ("normal", "heavy tail (t3)", "arms unequal by 5 %")
RULES = ("none", "margin", "exclude", "width", "width of the limit")
TRUTHS = (1.9, 2.0, 2.1, 2.2, 2.3, 4.0)


def power_table(runs: int) -> str:
    """What the gate's own rule decides."""
    lines = ["| noise | truth | pass | fail | inconclusive | rounds |", "|---|--:|--:|--:|--:|--:|"]
    for name in NOISES:
        lines += [f"| {name} | {truth:g}x | {_decided(name, runs, truth)} |" for truth in (1.9, 2.1, 2.2, 2.3)]
    return "\n".join(lines) + "\n"


def control_table(runs: int, rules: Sequence[str] = RULES) -> str:
    """The same for each rule of the A/A control."""
    lines = ["| noise | truth | A/A rule | pass | fail | inconclusive | rounds |", "|---|--:|---|--:|--:|--:|--:|"]
    for name in NOISES:
        for truth in TRUTHS:
            lines += [f"| {name} | {truth:g}x | {rule} | {_decided(name, runs, truth, rule)} |" for rule in rules]
    return "\n".join(lines) + "\n"


def _decided(name: str, runs: int, truth: float, rule: str = "margin") -> str:
    found, rounds = verdicts(TIMINGS[name], runs, truth, rule)
    shares = " | ".join(f"{(found == v).mean():.1%}" for v in (1, -1, 0))
    return f"{shares} | {rounds.mean():.1f}"


def correlation_limit(runs: int) -> float:
    """The largest correlation of neighbouring rounds, in steps of 0.01, at which the speedup gate's rate is within 5 %."""
    limit = 0.0
    for hundredths in range(4, 40):
        found, _ = verdicts(Timing(noise.quiet, noise.remembering(hundredths / 100)), runs, 2.0)
        if (found > 0).mean() > PROMISE:
            break
        limit = hundredths / 100
    return limit
